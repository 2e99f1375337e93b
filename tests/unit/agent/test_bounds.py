"""The limits of one question, each on both sides."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from parlour.agent.bounds import AgentLimits
from parlour.agent.loops import LoopLimits
from parlour.domain import ToolRequest
from parlour.errors import QuestionLimit
from parlour.events import types as ev
from tests.unit.agent.stage import Stage, call, counting, same

LIMITS = AgentLimits(rounds_max=6, tool_calls_max=3, reply_tokens_max=1_000)


def each(count: int) -> list[list[dict[str, object]]]:
    """So many rounds with one call each, all different."""
    return [[call(at=at)] for at in range(count)]


async def test_three_calls_are_made_and_the_answer_is_asked_for():
    stage = Stage([*each(3), "Done."])
    answer = await stage.play()
    assert stage.made == [{"at": 0}, {"at": 1}, {"at": 2}]
    assert answer.finish_reason == "stop"
    assert "say plainly what was not done" in stage.told[-1]
    assert stage.model.requests[-1].tools == ()
    assert stage.of(ev.Notice) == []
    assert stage.caught == []


async def test_the_fourth_call_is_not_made_and_people_are_told():
    stage = Stage([*each(4), "Done, without the last."])
    await stage.play()
    assert len(stage.made) == 3
    last = stage.of(ev.ToolResult)[-1]
    assert (last.status, last.text) == (
        "failed",
        "Not called: a question may use 3 tool calls, and they are used.",
    )
    assert [n.text for n in stage.of(ev.Notice)] == [
        "One question may use 3 tool calls: 1 tool call was not made."
    ]
    assert stage.caught == ["limits"]
    assert "".join(stage.words) == "Done, without the last."


async def test_of_five_calls_side_by_side_three_are_made():
    stage = Stage([[call(at=at) for at in range(5)], "Done."])
    await stage.play()
    assert len(stage.made) == 3
    assert [n.text for n in stage.of(ev.Notice)] == [
        "One question may use 3 tool calls: 2 tool calls were not made."
    ]
    assert stage.caught == ["limits", "limits"]


async def test_people_are_told_of_a_limit_once():
    stage = Stage([*each(5), "Done."])
    await stage.play()
    assert len(stage.made) == 3
    assert len(stage.of(ev.Notice)) == 1
    assert stage.caught == ["limits", "limits"]


async def test_the_last_of_the_rounds_has_no_tools():
    limits = replace(LIMITS, rounds_max=3, tool_calls_max=9)
    stage = Stage([*each(2), "Done."], limits=limits)
    answer = await stage.play()
    assert answer.rounds == 3
    assert [len(request.tools) for request in stage.model.requests] == [1, 1, 0]
    assert "the last step" in stage.told[-1]


async def test_a_model_that_asks_for_tools_in_its_last_round_ends_the_turn():
    limits = replace(LIMITS, rounds_max=3, tool_calls_max=9)
    stage = Stage([*each(3), "Never."], limits=limits)
    with pytest.raises(QuestionLimit, match="after 3 steps"):
        await stage.play()
    assert len(stage.made) == 2
    assert stage.words == []


async def test_tools_run_until_their_time_is_over_and_no_longer():
    loop = asyncio.get_running_loop()
    hangs = asyncio.Event()

    async def slow(request: ToolRequest) -> str:
        if request.arguments == {"at": 1}:
            await hangs.wait()
        return "seen"

    limits = replace(LIMITS, tool_calls_max=9, tools_until=loop.time() + 0.2)
    stage = Stage([*each(3), "Done."], tool=slow, limits=limits)
    began = loop.time()
    await asyncio.wait_for(stage.play(), 5)
    assert 0.15 < loop.time() - began < 2
    assert stage.made == [{"at": 0}, {"at": 1}]
    texts = [result.text for result in stage.of(ev.ToolResult)]
    assert texts[0] == "seen"
    assert "given up" in texts[1]
    assert "not known" in texts[1]
    assert texts[2] == "Not called: the time for tools in this question is over."
    assert [n.text for n in stage.of(ev.Notice)] == [
        "The time for tools in one question is over: 1 tool call was not made."
    ]
    assert stage.caught == ["limits", "limits"]
    assert "The time for tools" in stage.told[-1]


async def test_a_timeout_of_the_tool_itself_is_not_taken_for_the_limit():
    async def late(request: ToolRequest) -> str:
        raise TimeoutError

    until = asyncio.get_running_loop().time() + 60
    stage = Stage([*each(1), "Done."], tool=late, limits=replace(LIMITS, tools_until=until))
    with pytest.raises(TimeoutError):
        await stage.play()


@pytest.mark.parametrize(("calls", "statuses"), [(2, 0), (3, 1), (5, 1), (6, 2)])
async def test_people_are_told_how_far_it_is_after_each_third_call(calls: int, statuses: int):
    limits = replace(LIMITS, tool_calls_max=9, rounds_max=9)
    stage = Stage([*each(calls), "Done."], limits=limits)
    await stage.play()
    said = [status.text for status in stage.of(ev.Status)]
    assert len(said) == statuses
    if said:
        assert said[0] == "3 tool calls so far, the last one «Look closely»."


@pytest.mark.parametrize(("times", "made"), [(2, 2), (3, 2), (4, 2)])
async def test_the_same_call_with_the_same_result_is_not_made_a_third_time(times: int, made: int):
    limits = replace(LIMITS, tool_calls_max=9, rounds_max=9)
    stage = Stage([*([[call(at=1)]] * times), "Done."], limits=limits)
    await stage.play()
    assert len(stage.made) == made
    assert stage.caught == ["loops"] * (times - made)
    if times > made:
        assert "2 times with the same result" in stage.of(ev.ToolResult)[-1].text


async def test_after_two_refusals_a_model_that_goes_in_circles_gets_no_tools():
    limits = replace(LIMITS, tool_calls_max=9, rounds_max=9)
    stage = Stage([*([[call(at=1)]] * 4), "Done."], limits=limits)
    await stage.play()
    assert stage.model.requests[-1].tools == ()
    assert "again and again" in stage.told[-1]
    assert len(stage.model.requests[-2].tools) == 1


@pytest.mark.parametrize(("times", "made"), [(5, 5), (6, 5)])
async def test_the_same_call_with_changing_results_is_not_made_a_sixth_time(times: int, made: int):
    limits = replace(LIMITS, tool_calls_max=9, rounds_max=9)
    stage = Stage([*([[call(at=1)]] * times), "Done."], tool=counting(), limits=limits)
    await stage.play()
    assert len(stage.made) == made
    assert stage.caught == ["loops"] * (times - made)


async def test_a_pollable_tool_may_be_asked_as_often_as_its_results_change():
    limits = replace(LIMITS, tool_calls_max=20, rounds_max=20)
    stage = Stage([*([[call(at=1)]] * 9), "Done."], tool=counting(), limits=limits, pollable=True)
    await stage.play()
    assert len(stage.made) == 9
    stuck = Stage([*([[call(at=1)]] * 4), "Done."], tool=same, limits=limits, pollable=True)
    await stuck.play()
    assert len(stuck.made) == 2


async def test_equal_calls_side_by_side_are_no_way_around():
    limits = replace(LIMITS, tool_calls_max=9)
    stage = Stage([[call(at=1)] * 5, "Done."], tool=counting(), limits=limits)
    await stage.play()
    assert len(stage.made) == 2


async def test_the_order_of_the_arguments_makes_no_other_call_and_another_value_does():
    rounds = [[call(a=1, b=2)], [call(b=2, a=1)], [call(a=1, b=2)], [call(a=1, b=3)]]
    stage = Stage([*rounds, "Done."], limits=replace(LIMITS, tool_calls_max=9))
    await stage.play()
    assert stage.made == [{"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1, "b": 3}]


async def test_the_times_are_settings():
    limits = replace(LIMITS, tool_calls_max=9, loops=LoopLimits(same_at=2, changing_at=2))
    stage = Stage([*([[call(at=1)]] * 2), "Done."], tool=counting(), limits=limits)
    await stage.play()
    assert len(stage.made) == 1
