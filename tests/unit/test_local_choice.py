"""What the embedded model is asked, and how its choice is read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from parlour.domain import ToolRequest, ToolSpec
from parlour.models.local_choice import (
    answer_messages,
    called_before,
    choice_messages,
    choice_schema,
    may_choose,
    plain_schema,
    read_choice,
)

CALCULATOR = ToolSpec(
    "parlour__calculator",
    "Work out arithmetic exactly.",
    {
        "type": "object",
        "properties": {"expression": {"type": "string", "maxLength": 500}},
        "required": ["expression"],
    },
)
SEARCH = ToolSpec("docs__find", "Find a page. " * 100, {"type": "object", "properties": {}})


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: str, *calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": text, "tool_calls": list(calls)}


def result(text: str) -> dict[str, Any]:
    return {"role": "tool", "call_id": "c1", "name": "parlour__calculator", "content": text}


CALL = {"id": "c1", "name": "parlour__calculator", "arguments": {"expression": "1 + 1"}}


def test_the_question_begins_the_same_whatever_is_said() -> None:
    first = choice_messages([user("hi")], (CALCULATOR, SEARCH))
    second = choice_messages([user("bye")], (CALCULATOR, SEARCH))
    assert first[:-1] == second[:-1]
    assert second[-1] == user("bye")


def test_only_tools_on_offer_are_shown_as_examples() -> None:
    assert "calculator" in json.dumps(choice_messages([user("hi")], (CALCULATOR,)))
    assert "calculator" not in json.dumps(choice_messages([user("hi")], (SEARCH,)))


def test_a_long_description_is_cut() -> None:
    system = choice_messages([user("hi")], (SEARCH,))[0]["content"]
    assert len(system) < 700


def test_a_follow_up_comes_with_what_was_said_before() -> None:
    asked = choice_messages([user("2 + 2?"), assistant("4"), user("times 3?")], (CALCULATOR,))
    assert asked[-1]["content"] == "(Before: 2 + 2? / 4)\ntimes 3?"


def test_a_calculator_gets_arithmetic_without_words() -> None:
    step = choice_schema((CALCULATOR,))["anyOf"][1]
    assert step["properties"]["step"] == {"const": "parlour__calculator"}
    assert "pattern" in step["properties"]["arguments"]["properties"]["expression"]
    assert "pattern" not in CALCULATOR.parameters["properties"]["expression"]


def test_a_choice_becomes_a_tool_request() -> None:
    chosen = '{"step": "parlour__calculator", "arguments": {"expression": "2340 * 17.5 / 100"}}'
    request = read_choice(chosen, (CALCULATOR,))
    assert request is not None
    assert request.name == "parlour__calculator"
    assert request.arguments == {"expression": "2340 * 17.5 / 100"}
    assert request.id.startswith("call_")


@pytest.mark.parametrize(
    "said",
    [
        '{"step": "reply"}',
        '{"step": "parlour__calculator", "arguments": {"expre',
        '{"step": "rm__rf", "arguments": {}}',
        '{"step": "parlour__calculator", "arguments": {"expression": "1250 * 8 / 100"}}',
        "[]",
        "",
    ],
    ids=["reply", "cut off", "unknown tool", "copied from an example", "no object", "nothing"],
)
def test_anything_else_means_an_answer_in_words(said: str) -> None:
    assert read_choice(said, (CALCULATOR,)) is None


def test_after_a_result_the_answer_comes_unless_several_things_were_asked() -> None:
    done = [assistant("", CALL), result("2")]
    assert may_choose([user("1 + 1?")])
    assert not may_choose([user("1 + 1?"), *done])
    assert may_choose([user("1 + 1? And what time is it?"), *done])
    assert not may_choose([user("1 + 1? And what time is it?"), *done, *done])


def test_the_same_call_is_not_made_twice_in_a_turn() -> None:
    again = ToolRequest("c2", CALL["name"], CALL["arguments"])
    other = ToolRequest("c2", CALL["name"], {"expression": "2 + 2"})
    turn = [user("1 + 1?"), assistant("", CALL), result("2")]
    assert called_before(turn, again)
    assert not called_before(turn, other)
    assert not called_before([*turn, assistant("2"), user("1 + 1?")], again)


def test_results_stand_below_the_question_as_data() -> None:
    told = answer_messages(
        [
            {"role": "system", "content": "Be kind."},
            user("1 + 1?"),
            assistant("", CALL),
            result("2"),
        ],
        chars_max=1_000,
    )
    assert [message["role"] for message in told] == ["system", "user"]
    assert told[1]["content"].startswith("1 + 1?\n\n[Result of parlour__calculator")


def test_old_messages_make_room_but_never_the_last_one() -> None:
    talk = [user("a" * 400), assistant("b" * 400), user("c" * 400), assistant("d"), user("e" * 900)]
    told = answer_messages(talk, chars_max=1_000)
    assert [message["content"][0] for message in told] == ["e"]
    assert [message["content"][0] for message in answer_messages(talk, chars_max=1_400)] == list(
        "cde"
    )


def test_roles_take_turns_whatever_was_stopped_or_failed() -> None:
    told = answer_messages([user("a"), user("b"), assistant(""), user("c")], chars_max=100)
    assert told == [user("a\n\nb\n\nc")]


def test_a_schema_loses_what_converters_do_not_know() -> None:
    schema = {
        "type": "object",
        "properties": {
            "when": {"type": "string", "format": "date-time", "pattern": "(?=x)"},
            "how": {"$ref": "#/$defs/how"},
            "tree": {"$ref": "#/$defs/tree"},
        },
        "required": ["when", "gone"],
        "$defs": {
            "how": {"oneOf": [{"enum": ["a", "b"]}, {"type": "null"}]},
            "tree": {"type": "array", "items": {"$ref": "#/$defs/tree"}},
        },
    }
    plain = plain_schema(schema, root=schema)
    assert plain["properties"]["when"] == {"type": "string"}
    assert plain["properties"]["how"] == {"anyOf": [{"enum": ["a", "b"]}, {"type": "null"}]}
    assert plain["required"] == ["when"]
    assert "$ref" not in json.dumps(plain)
