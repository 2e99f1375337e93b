"""One journey for each promise of the story Parlour began with. The model does what weak ones do.

That 300 messages later the page and the user's name are still known is in test_memory.py.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from parlour.events import types as ev
from parlour.models.scripted import ScriptedModel
from tests.house import Frame, House, events_of, final, said
from tests.journey.conftest import OpenHouse, Script
from tests.journey.test_tool_servers import listed

SERVER = Path(__file__).parent.parent / "mcp_dashboards_server.py"
DASHBOARDS = {"command": sys.executable, "args": [str(SERVER)], "connect_s": 60}
REAL = "https://acme.com/superset/dashboard/3/"
INVENTED = "https://acme.com/superset/dashboard/99/"


def find(name: str) -> dict[str, Any]:
    return {"name": "dashboards__find_dashboard", "arguments": {"name": name}}


LIST: dict[str, Any] = {"name": "dashboards__list_dashboards", "arguments": {}}


def results(frames: list[Frame]) -> list[ev.ToolResult]:
    return [event for event in events_of(frames) if isinstance(event, ev.ToolResult)]


def notices(frames: list[Frame], kind: str) -> list[str]:
    return [e.text for e in events_of(frames) if isinstance(e, ev.Notice) and e.kind == kind]


async def metrics(house: House) -> str:
    async with house.http.get(f"{house.url}/metrics") as response:
        return await response.text()


async def test_hi_calls_no_tool(open_house: OpenHouse):
    """Not even when the model wants to: nothing is called or shown, and it answers in words."""
    script: Script = [
        {"when": "", "rounds": [[{"calls": [LIST]}], [{"text": "Hello! How can I help?"}]]}
    ]
    async with open_house(script, mcp={"dashboards": DASHBOARDS}) as house:
        await listed(house, LIST["name"])
        frames = await house.ask("c1", "Hi!")
        assert said(frames) == "Hello! How can I help?"
        assert final(frames).status == "done"
        assert not {"tool_call", "tool_result", "notice"} & {frame.event for frame in frames}
        assert 'parlour_rule_hits_total{rule="small_talk"} 1.0' in await metrics(house)
        # The tools were on offer, so that what providers have read before stays the same.
        assert isinstance(house.services.model, ScriptedModel)
        assert LIST["name"] in {tool.name for tool in house.services.model.requests[0].tools}
        # A question is none the worse for a greeting in it.
        frames = await house.ask("c1", "Hi, which dashboards are there?")
        assert [result.status for result in results(frames)] == ["ok"]


async def test_a_workspace_may_let_a_greeting_call_tools(open_house: OpenHouse):
    script: Script = [{"when": "", "rounds": [[{"calls": [LIST]}], [{"text": "Hello!"}]]}]
    policy = {"question": {"greeting_tools": True}}
    async with open_house(script, mcp={"dashboards": DASHBOARDS}, policy=policy) as house:
        await listed(house, LIST["name"])
        assert [r.status for r in results(await house.ask("c1", "Hi!"))] == ["ok"]


async def test_a_missing_dashboard_is_admitted_and_real_alternatives_are_shown(
    open_house: OpenHouse,
):
    answer = (
        f"I searched for that dashboard but couldn't find it at {INVENTED} or anywhere else. Here "
        f"are the dashboards in your workspace that might be relevant: [Sales]({REAL})."
    )
    script: Script = [
        {"when": "", "rounds": [[{"calls": [find("Q9")]}], [{"calls": [LIST]}], [{"text": answer}]]}
    ]
    async with open_house(script, mcp={"dashboards": DASHBOARDS}) as house:
        await listed(house, LIST["name"])
        frames = await house.ask("c1", "Show me the Q9 dashboard")
        assert [result.status for result in results(frames)] == ["failed", "ok"]
        assert "no dashboard named 'Q9'" in results(frames)[0].text
        assert f"[Sales]({REAL})" in said(frames)
        assert INVENTED not in said(frames)
        assert "couldn't find it" in said(frames)
        # It was admitted, so nothing has to be added.
        assert notices(frames, "tool_failed") == []
        assert isinstance(house.services.model, ScriptedModel)
        told = house.services.model.requests[1].messages[0]["content"]
        assert "A tool failed? Admit it, offer another way, invent no result" in told


async def test_a_missing_dashboard_cannot_be_talked_away(open_house: OpenHouse):
    answer = f"Here is your dashboard: [Q9]({INVENTED})."
    script: Script = [{"when": "", "rounds": [[{"calls": [find("Q9")]}], [{"text": answer}]]}]
    async with open_house(script, mcp={"dashboards": DASHBOARDS}) as house:
        await listed(house, LIST["name"])
        frames = await house.ask("c1", "Show me the Q9 dashboard")
        assert said(frames) == "Here is your dashboard: Q9."
        assert notices(frames, "tool_failed") == [
            "Not everything worked: «Find a dashboard» failed."
        ]
        found = await metrics(house)
        assert 'parlour_rule_hits_total{rule="failures"} 1.0' in found
        assert 'parlour_rule_hits_total{rule="links"} 1.0' in found


async def test_three_tool_calls_are_made_and_no_more(open_house: OpenHouse):
    names = ("Sales", "Revenue by region", "Q8", "Q9")
    answer = "Sales and Revenue by region are there, Q8 is not. I could not look for Q9 any more."
    rounds = [*([{"calls": [find(name)]}] for name in names), [{"text": answer}]]
    script: Script = [{"when": "", "rounds": rounds}]
    async with open_house(script, mcp={"dashboards": DASHBOARDS}) as house:
        await listed(house, LIST["name"])
        frames = await house.ask("c1", "Which of my four dashboards are there?")
        *made, fourth = results(frames)
        assert [result.status for result in made] == ["ok", "ok", "failed"]
        assert fourth.text == "Not called: a question may use 3 tool calls, and they are used."
        assert notices(frames, "limit") == [
            "One question may use 3 tool calls: 1 tool call was not made."
        ]
        assert said(frames) == answer
        assert isinstance(house.services.model, ScriptedModel)
        last = house.services.model.requests[-1]
        assert "say plainly what was not done" in last.messages[-1]["content"]
        assert last.tools == ()
        found = await metrics(house)
        assert 'parlour_tool_calls_total{server="dashboards",status="ok"} 2.0' in found
        assert 'parlour_tool_calls_total{server="dashboards",status="failed"} 1.0' in found
        assert 'parlour_rule_hits_total{rule="limits"} 1.0' in found
