"""A tool server that writes, and what tests see of it."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parlour.api.access import LOCAL
from parlour.domain import Principal
from parlour.events import types as ev
from tests.house import WAIT_S, Caller, Frame, House, events_of

SERVER = Path(__file__).with_name("mcp_notes_server.py")
START_S = 60


@dataclass(frozen=True, slots=True)
class Notes:
    """The notes in one file; `server` is the setting of the MCP server that writes them."""

    file: Path

    def server(self, **rules: Any) -> dict[str, Any]:
        return {
            "command": sys.executable,
            "args": [str(SERVER), str(self.file)],
            "connect_s": START_S,
            **rules,
        }

    def lines(self) -> list[str]:
        return self.file.read_text("utf-8").splitlines() if self.file.exists() else []

    def calls(self) -> list[str]:
        """What was really called, in order."""
        return [line.removeprefix("began ") for line in self.lines() if line.startswith("began ")]

    def go(self) -> None:
        """Let slow notes end."""
        self.file.with_name(f"{self.file.name}.go").touch()


async def listed(house: House, tool: str = "notes__add_note", principal: Principal = LOCAL) -> None:
    """Wait until the server's tools are there."""
    async with asyncio.timeout(START_S):
        while all(s.name != tool for s in await house.services.toolbox.specs(principal)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def calling(*calls: tuple[str, dict[str, Any]], when: str = "go", said: str = "It is done.") -> Any:
    """A rule of a script: call these tools in one round, then say something."""
    wanted = [{"name": f"notes__{name}", "arguments": arguments} for name, arguments in calls]
    return {"when": when, "rounds": [[{"calls": wanted}], [{"text": said + " {{results}}"}]]}


def asked(frames: list[Frame]) -> list[ev.Approval]:
    """What a turn asks people."""
    return [event for event in events_of(frames) if isinstance(event, ev.Approval)]


def results(frames: list[Frame]) -> list[ev.ToolResult]:
    """What came of the calls of a turn."""
    return [event for event in events_of(frames) if isinstance(event, ev.ToolResult)]


async def decide(
    caller: Caller, thread: str, approval: str, decision: str, **headers: str
) -> tuple[int, Any]:
    path = f"/api/threads/{thread}/approvals/{approval}"
    return await caller.post(path, {"decision": decision}, **headers)


async def decide_and_read(
    caller: Caller, thread: str, approval: str, decision: str = "approve"
) -> list[Frame]:
    """Decide, and read the turn that goes on to its end."""
    status, body = await decide(caller, thread, approval, decision)
    assert status == 202, body
    assert body["going_on"], body
    return await asyncio.wait_for(caller.read(thread, body["turn_id"]), WAIT_S)
