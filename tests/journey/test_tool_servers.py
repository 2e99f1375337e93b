"""Other people's tool servers in a whole turn: three lines of settings, and every way to fail."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from parlour.api.access import LOCAL
from parlour.events import types as ev
from tests.house import House, events_of, final, said
from tests.journey.conftest import OpenHouse, Script

ODD = Path(__file__).parent.parent / "mcp_odd_server.py"
TIME = Path(sys.executable).with_name("mcp-server-time")


def calling(name: str, **arguments: Any) -> Script:
    call = {"calls": [{"name": name, "arguments": arguments}]}
    return [{"when": "go", "rounds": [[call], [{"text": "I went on."}]]}]


async def tools_of(house: House, server: str) -> list[str]:
    """The server's tools, once it has been listed; a busy machine takes seconds to start it."""
    async with asyncio.timeout(60):
        while True:
            specs = await house.services.toolbox.specs(LOCAL)
            names = [spec.name for spec in specs if spec.name.startswith(f"{server}__")]
            if names:
                return names
            await asyncio.sleep(0.05)


async def result_of(house: House) -> ev.ToolResult:
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
        await tools_of(house, "time")
        result = await result_of(house)
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
        names = await tools_of(house, "odd")
        result = await result_of(house)
    assert result.status == "failed"
    assert names == ["odd__pid", "odd__sleep"]


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
    server = {"command": sys.executable, "args": [str(ODD), "stdio"], "timeout_s": 1}
    async with open_house(calling(f"odd__{tool}", **arguments), mcp={"odd": server}) as house:
        await tools_of(house, "odd")
        result = await result_of(house)
    assert result.status == status
    assert words in result.text
    assert len(result.text.encode()) < 66_000
