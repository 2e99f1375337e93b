"""The limits of a question over HTTP, as a workspace sets them, with real tools."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from parlour.events import types as ev
from tests.house import events_of, final, said
from tests.journey.conftest import OpenHouse, Script
from tests.journey.test_tool_servers import ODD, listed

CALCULATOR = "parlour__calculator"


def slow(**rules: Any) -> Any:
    """A server with slow and counting tools, which only read."""
    return {
        "command": sys.executable,
        "args": [str(ODD), "stdio"],
        "connect_s": 60,
        "reads": ["*"],
        **rules,
    }


def sums(count: int, *, same: bool = False) -> Script:
    """So many rounds with one sum each, then an answer."""
    rounds: list[Any] = [
        [{"calls": [{"name": CALCULATOR, "arguments": {"expression": f"{1 if same else at} + 1"}}]}]
        for at in range(count)
    ]
    return [{"when": "go", "rounds": [*rounds, [{"text": "Here it is."}]]}]


def results(frames: Any) -> list[ev.ToolResult]:
    return [event for event in events_of(frames) if isinstance(event, ev.ToolResult)]


async def test_a_workspace_may_raise_the_calls_of_a_question(open_house: OpenHouse):
    raised = {"local": {"question": {"tool_calls_max": 4}}}
    async with open_house(sums(4)) as house:
        frames = await house.ask("c1", "go")
        assert [r.status for r in results(frames)] == ["ok", "ok", "ok", "failed"]
    async with open_house(sums(4), workspaces=raised) as house:
        frames = await house.ask("c1", "go")
        assert [r.status for r in results(frames)] == ["ok"] * 4
        assert not [e for e in events_of(frames) if isinstance(e, ev.Notice)]


async def test_a_refused_call_is_counted_and_stands_in_the_audit_chain(open_house: OpenHouse):
    async with open_house(sums(4)) as house:
        assert said(await house.ask("c1", "go")) == "Here it is."
        async with house.http.get(f"{house.url}/metrics") as response:
            assert 'parlour_rule_hits_total{rule="limits"} 1.0' in await response.text()


async def test_a_hard_limit_ends_the_turn_clearly_and_keeps_what_was_said(open_house: OpenHouse):
    script = sums(9)
    script[0]["rounds"][0].insert(0, {"text": "I begin. "})
    async with open_house(script, policy={"question": {"rounds_max": 2}}) as house:
        frames = await house.ask("c1", "go")
        end = final(frames)
        assert end.error is not None
        assert (end.status, end.error.code) == ("failed", "question_limit")
        assert "after 2 steps" in end.error.message
        assert said(frames) == "I begin. "
        _, body = await house.get("/api/threads/c1")
        answer = body["messages"][1]
        assert [part["type"] for part in answer["parts"]] == ["text", "tool", "error"]
        # The conversation goes on.
        assert final(await house.ask("c1", "hello")).status == "done"


async def test_a_turn_ends_at_its_seconds_and_keeps_what_was_said(open_house: OpenHouse):
    script: Script = [{"when": "go", "steps": [{"text": "Half. "}, {"gate": "never"}]}]
    async with open_house(script, limits={"turn_s_max": 0.5}) as house:
        frames = await house.ask("c1", "go")
        end = final(frames)
        assert end.error is not None
        assert (end.status, end.error.code) == ("failed", "turn_timeout")
        assert 400 < end.elapsed_ms < 5_000
        assert said(frames) == "Half. "


async def test_a_tool_is_given_up_while_there_is_time_for_an_answer(open_house: OpenHouse):
    call = {"name": "odd__sleep", "arguments": {"seconds": 20}}
    script = [{"when": "go", "rounds": [[{"calls": [call]}], [{"text": "It took too long."}]]}]
    async with open_house(script, mcp={"odd": slow()}, limits={"turn_s_max": 4}) as house:
        await listed(house, "odd__sleep")
        frames = await house.ask("c1", "go")
    assert final(frames).status == "done"
    assert said(frames) == "It took too long."
    (result,) = results(frames)
    assert result.status == "failed"
    assert "given up" in result.text
    assert 2_900 < result.elapsed_ms < 4_000  # three quarters of the turn


@pytest.mark.parametrize(("tools_s_max", "status"), [(1, "failed"), (30, "ok")])
async def test_the_seconds_of_tools_are_a_setting(
    open_house: OpenHouse, tools_s_max: float, status: str
):
    call = {"name": "odd__sleep", "arguments": {"seconds": 2}}
    script = [{"when": "go", "rounds": [[{"calls": [call]}], [{"text": "I went on."}]]}]
    policy = {"question": {"tools_s_max": tools_s_max}}
    async with open_house(script, mcp={"odd": slow()}, policy=policy) as house:
        await listed(house, "odd__sleep")
        frames = await house.ask("c1", "go")
    assert said(frames) == "I went on."
    assert [result.status for result in results(frames)] == [status]


async def test_a_pollable_tool_is_asked_until_its_results_stay(open_house: OpenHouse):
    call = {"name": "odd__count", "arguments": {}}
    script = [{"when": "go", "rounds": [*([[{"calls": [call]}]] * 7), [{"text": "Ready."}]]}]
    most = {"question": {"tool_calls_max": 20, "rounds_max": 20}}
    async with open_house(script, policy=most, mcp={"odd": slow(pollable=["count"])}) as house:
        await listed(house, "odd__count")
        frames = await house.ask("c1", "go")
        assert [r.text for r in results(frames)] == ["1", "2", "3", "4", "5", "6", "7"]
    async with open_house(script, policy=most, mcp={"odd": slow()}) as house:
        await listed(house, "odd__count")
        frames = await house.ask("c1", "go")
        told = [r.text for r in results(frames)]
        assert told[:5] == ["1", "2", "3", "4", "5"]
        assert told[5:] == ["Not called: this very call was made 5 times already."] * 2
