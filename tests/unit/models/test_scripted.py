"""A script is played as written, the same every time."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from parlour.domain import ToolSpec, Usage
from parlour.errors import ConfigurationError
from parlour.models.failures import CutOff, RateLimited
from parlour.models.port import ChatMessage, ModelReply, ModelRequest
from parlour.models.scripted import ScriptedModel, read_script

CALCULATOR = ToolSpec("parlour__calculator", "Calculates.", {})
CLOCK = ToolSpec("parlour__current_time", "Tells the time.", {})
OVEN = ToolSpec("tour__bake", "Bakes.", {})


class Sink:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.thought: list[str] = []

    def text(self, text: str) -> None:
        self.said.append(text)

    def reasoning(self, text: str) -> None:
        self.thought.append(text)

    def flush(self) -> None:
        pass


async def play(model: ScriptedModel, *messages: ChatMessage | str, **fields: Any) -> ModelReply:
    told = [{"role": "user", "content": m} if isinstance(m, str) else m for m in messages]
    return await model.stream(ModelRequest(told, **fields), Sink())


def called(reply: ModelReply, *results: str) -> list[ChatMessage]:
    """The messages that follow a reply with tool calls."""
    calls = [{"id": c.id, "name": c.name, "arguments": c.arguments} for c in reply.tool_calls]
    said: list[ChatMessage] = [{"role": "assistant", "content": reply.text, "tool_calls": calls}]
    for call, result in zip(reply.tool_calls, results, strict=True):
        said.append({"role": "tool", "call_id": call.id, "name": call.name, "content": result})
    return said


async def test_the_first_rule_that_fits_the_last_user_message_is_played() -> None:
    model = ScriptedModel(
        [
            {"when": "^weather", "steps": [{"text": "Rain."}]},
            {"when": "weather", "steps": [{"text": "Sun."}]},
        ]
    )
    assert (await play(model, "Weather?")).text == "Rain."
    assert (await play(model, "the WEATHER")).text == "Sun."
    answer = {"role": "assistant", "content": "Sun."}
    assert (await play(model, "weather", answer, "no idea")).text.startswith("The script has no")


async def test_rounds_follow_the_tools_and_the_last_one_repeats() -> None:
    calls = [{"name": "a", "arguments": {"q": "{{message}}", "n": [1, "{{group:1}}"]}}]
    model = ScriptedModel(
        [
            {
                "when": "find (?P<what>\\w+)",
                "rounds": [
                    [{"calls": [*calls, {"name": "b"}]}],
                    [{"text": "{{group:what}}: {{result}}, {{result:a}}, {{results}}, {{odd}}"}],
                ],
            }
        ]
    )
    first = await play(model, "find gold")
    assert first.finish_reason == "tool_calls"
    assert [call.arguments for call in first.tool_calls] == [
        {"q": "find gold", "n": [1, "gold"]},
        {},
    ]
    turn = called(first, "one", "two")
    second = await play(model, "find gold", *turn)
    assert second.text == "gold: two, one, one\ntwo, {{odd}}"
    third = await play(model, "find gold", *turn, *turn)
    assert third.text == "gold: two, one, one\ntwo\none\ntwo, {{odd}}"


async def test_the_words_of_a_tool_are_not_read_as_a_template() -> None:
    model = ScriptedModel([{"rounds": [[{"calls": [{"name": "a"}]}], [{"text": "{{result}}"}]]}])
    turn = called(await play(model, "x"), "{{message}}")
    assert (await play(model, "x", *turn)).text == "{{message}}"


async def test_the_same_script_gives_the_same_conversation() -> None:
    replies = [await play(ScriptedModel(), "What is 17.5 % of 2,340?", tools=(CALCULATOR,))] * 2
    assert replies[0] == replies[1]


async def test_a_step_fails_as_a_real_provider_would() -> None:
    model = ScriptedModel(
        [
            {"when": "cut", "steps": [{"text": "so far"}, {"cut": True}]},
            {"when": "limit", "steps": [{"fail": "rate_limited"}]},
        ]
    )
    sink = Sink()
    with pytest.raises(CutOff):
        await model.stream(ModelRequest([{"role": "user", "content": "cut"}]), sink)
    assert "".join(sink.said) == "so far"
    with pytest.raises(RateLimited):
        await play(model, "limit")


async def test_finish_usage_and_the_bound_of_a_reply() -> None:
    steps = [{"text": "a b c d"}, {"finish": "content_filter"}, {"usage": {"output": 9}}]
    model = ScriptedModel([{"steps": steps}])
    reply = await play(model, "x")
    assert (reply.finish_reason, reply.usage) == ("content_filter", Usage(output=9))
    short = await play(model, "one two", max_tokens=2)
    assert (short.text, short.finish_reason) == ("a b", "length")
    assert short.usage == Usage(input=2, output=2)


async def test_a_gate_holds_a_reply_until_the_test_opens_it() -> None:
    model = ScriptedModel([{"steps": [{"text": "one"}, {"gate": "half"}, {"text": " two"}]}])
    sink = Sink()
    request = ModelRequest([{"role": "user", "content": "x"}])
    task = asyncio.create_task(model.stream(request, sink))
    await model.reached("half")
    assert sink.said == ["one"]
    model.open("half")
    assert (await task).text == "one two"
    assert model.requests[-1] is request


async def test_the_pace_is_tokens_a_second() -> None:
    model = ScriptedModel({"pace": 100, "rules": [{"steps": [{"text": "a b c d e"}]}]})
    loop = asyncio.get_running_loop()
    began = loop.time()
    await play(model, "x")
    assert loop.time() - began >= 0.045
    began = loop.time()
    await play(ScriptedModel({"pace": 0.001, "rules": [{"steps": [{"text": "a"}]}]}, pace=0), "x")
    assert loop.time() - began < 1


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ([{"steps": [{"texts": "x"}]}], "texts"),
        ([{"steps": [{"text": "x", "cut": True}]}], "one of text"),
        ([{"steps": [{}]}], "one of text"),
        ([{"when": "("}], "steps or rounds"),
        ([{"when": "(", "steps": [{"text": "x"}]}], "not a regular expression"),
        ([{"steps": [{"fail": "gremlins"}]}], "gremlins"),
        ([{"steps": [{"finish": "whenever"}]}], "whenever"),
        ({"rules": 5}, "array"),
        ({}, "rules"),
    ],
)
def test_a_mistake_in_a_script_is_named(script: Any, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_script(script)
    assert says in str(caught.value)


def test_a_file_that_is_no_script_is_named(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    with pytest.raises(ConfigurationError, match=r"script\.json, which cannot be read"):
        read_script(path)
    path.write_bytes(b"[{")
    with pytest.raises(ConfigurationError, match=r"script\.json is not a script"):
        read_script(path)
    path.write_text(json.dumps([{"steps": [{"text": "x"}]}]), encoding="utf-8")
    assert len(read_script(path).rules) == 1


# --- the guide ---------------------------------------------------------------------------------


@pytest.fixture
def guide() -> ScriptedModel:
    return ScriptedModel(pace=0)


async def test_the_guide_works_out_a_percentage_with_the_real_tool(guide: ScriptedModel) -> None:
    question = "What is 17.5 % of 2,340?"
    first = await play(guide, question, tools=(CALCULATOR,))
    (call,) = first.tool_calls
    assert call.name == "parlour__calculator"
    assert call.arguments == {"expression": "17.5 / 100 * 2340"}
    assert first.reasoning
    second = await play(
        guide, question, *called(first, "17.5 / 100 * 2340 = 409.5"), tools=(CALCULATOR,)
    )
    assert "17.5 % of 2,340 is **409.5**" in second.text
    assert second.finish_reason == "stop"


async def test_the_guide_calls_no_tool_that_is_not_there(guide: ScriptedModel) -> None:
    for question in ("What is 17.5% of 2340?", "use two tools at once", "show a tool that fails"):
        reply = await play(guide, question)
        assert not reply.tool_calls
        assert reply.text


async def test_a_rule_goes_on_when_a_limit_has_taken_its_tools(guide: ScriptedModel) -> None:
    question = "Work out four sums at once"
    first = await play(guide, question, tools=(CALCULATOR,))
    text = (await play(guide, question, *called(first, *["1 = 1"] * 4))).text
    assert "Three sums are worked out." in text


@pytest.mark.parametrize("talk", ["hi", "Hello!", "hey there", "thanks", "Thank you!", "ok", "bye"])
async def test_small_talk_calls_no_tool(guide: ScriptedModel, talk: str) -> None:
    reply = await play(guide, talk, tools=(CALCULATOR, CLOCK))
    assert not reply.tool_calls
    assert reply.text


async def test_the_guide_says_that_it_is_a_script_and_how_to_connect_a_model(
    guide: ScriptedModel,
) -> None:
    for question in ("Are you an AI?", "Who are you?", "Are you human?", "Which model is this?"):
        text = (await play(guide, question)).text
        assert "script" in text
        assert "OPENAI_API_KEY" in text


async def test_every_suggestion_of_the_guide_shows_what_it_says(guide: ScriptedModel) -> None:
    tools = (CALCULATOR, CLOCK)
    assert len((await play(guide, "Use two tools at once", tools=tools)).tool_calls) == 2
    failing = await play(guide, "Show me a tool that fails", tools=tools)
    assert failing.tool_calls[0].arguments == {"expression": "1 / 0"}
    told = called(failing, "Division by zero has no value.")
    end = await play(guide, "Show me a tool that fails", *told, tools=tools)
    assert "> Division by zero has no value." in end.text
    assert (await play(guide, "Show me your reasoning", tools=tools)).reasoning
    assert len((await play(guide, "Work out four sums at once", tools=tools)).tool_calls) == 4
    assert "](https://" in (await play(guide, "Show me a link you made up", tools=tools)).text
    loaf = await play(guide, "Bake me an imaginary loaf", tools=(*tools, OVEN))
    assert [call.name for call in loaf.tool_calls] == ["tour__bake"]
    long = (await play(guide, "Show me a long answer", tools=tools)).text
    assert all(mark in long for mark in ("# ", "| --- |", "```python", "1. ", "> "))
    assert "60" in (await play(guide, "Count slowly to 60", tools=tools)).text
    with pytest.raises(CutOff):
        await play(guide, "Let the model fail", tools=tools)
    assert "PARLOUR_MODEL" in (await play(guide, "How do I connect a real model?")).text
    lost = (await play(guide, "Lorem ipsum", tools=tools)).text
    assert "What is 17.5 % of 2,340?" in lost
