"""Other people's tool servers in a whole turn: three lines of settings, and every way to fail."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from parlour.api.access import LOCAL
from parlour.domain import ToolSpec
from parlour.events import types as ev
from tests.house import House, events_of, final, said
from tests.journey.conftest import OpenHouse, Script

ODD = Path(__file__).parent.parent / "mcp_odd_server.py"
START_S = 60  # a first start of a server, on a busy machine
TIME = Path(sys.executable).with_name("mcp-server-time")


def calling(name: str, **arguments: Any) -> Script:
    call = {"calls": [{"name": name, "arguments": arguments}]}
    return [{"when": "go", "rounds": [[call], [{"text": "I went on."}]]}]


async def specs_of(house: House) -> tuple[ToolSpec, ...]:
    return await house.services.toolbox.specs(LOCAL)


async def listed(house: House, tool: str) -> None:
    """Wait until a first start has listed a tool."""
    async with asyncio.timeout(START_S):
        while all(spec.name != tool for spec in await specs_of(house)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def result_of(house: House, tool: str = "") -> ev.ToolResult:
    """What came of the call; with `tool`, once a first start has listed it."""
    if tool:
        await listed(house, tool)
    frames = await house.ask("c1", "go")
    assert final(frames).status == "done", frames
    assert said(frames) == "I went on."
    return next(event for event in events_of(frames) if isinstance(event, ev.ToolResult))


async def test_three_lines_of_settings_are_a_server(
    open_house: OpenHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "parlour.toml"
    lines = ("[mcp.time]", f'command = "{TIME}"', 'args = ["--local-timezone", "UTC"]')
    file.write_text("\n".join(lines))
    monkeypatch.setenv("PARLOUR_CONFIG", str(file))
    script = calling("time__get_current_time", timezone="Europe/Berlin")
    async with open_house(script) as house:
        result = await result_of(house, "time__get_current_time")
    assert result.status == "ok"
    assert "Europe/Berlin" in result.text


async def test_allow_and_deny_choose_the_tools(open_house: OpenHouse):
    server = {
        "command": sys.executable,
        "args": [str(ODD), "stdio"],
        "connect_s": 30,
        "allow": ["p*", "sleep", "huge"],
        "deny": ["huge"],
    }
    async with open_house(calling("odd__huge", megabytes=1), mcp={"odd": server}) as house:
        result = await result_of(house, "odd__pid")
        specs = await specs_of(house)
    assert result.status == "failed"
    assert [s.name for s in specs if s.name.startswith("odd")] == ["odd__pid", "odd__sleep"]


@pytest.mark.promise("P9")
@pytest.mark.parametrize(
    ("tool", "arguments", "status", "words"),
    [
        ("die", {}, "failed", "was lost"),
        ("sleep", {"seconds": 60}, "failed", "in time"),
        ("huge", {"megabytes": 1}, "ok", "Cut here"),
    ],
)
async def test_a_server_that_dies_hangs_or_floods_costs_one_result(
    open_house: OpenHouse, tool: str, arguments: dict[str, Any], status: str, words: str
):
    server = {
        "command": sys.executable,
        "args": [str(ODD), "stdio"],
        "timeout_s": 3,
        "connect_s": 60,
        "no_approve": ["*"],
    }
    async with open_house(calling(f"odd__{tool}", **arguments), mcp={"odd": server}) as house:
        result = await result_of(house, f"odd__{tool}")
    assert result.status == status
    assert words in result.text
    assert len(result.text.encode()) < 66_000
