"""What the model is sent of a long conversation is valid, and within its bound, at every cut."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parlour import tokens
from parlour.chat.context import to_prompt
from parlour.chat.window import CUT, LEFT_OUT, RESULT_TOKENS, Group, fitting, shortened, size
from parlour.models.port import ChatMessage
from tests.unit.chat.test_context import message, parts

from parlour.domain import Message, Part, Role, TextPart  # isort: skip


def user(text: str) -> Group:
    return [{"role": "user", "content": text}]


def answer(text: str, *results: str) -> Group:
    calls = [{"id": f"c{n}", "name": "a__b", "arguments": {"n": n}} for n in range(len(results))]
    said: Group = [{"role": "assistant", "content": "", "tool_calls": calls}] if calls else []
    said += [
        {"role": "tool", "call_id": f"c{n}", "name": "a__b", "content": result}
        for n, result in enumerate(results)
    ]
    return [*said, {"role": "assistant", "content": text}]


def words(count: int) -> str:
    return "word " * count


def assert_valid(said: list[ChatMessage]) -> None:
    """As every provider takes it: the user first, and each call with its result right after it."""
    assert said[0]["role"] == "user"
    open_calls: list[str] = []
    for entry in said:
        if entry["role"] == "tool":
            assert entry["call_id"] == open_calls.pop(0)
            assert entry["content"]
        else:
            assert not open_calls
            open_calls = [call["id"] for call in entry.get("tool_calls", [])]
    assert not open_calls


texts = st.sampled_from(["", "ok", words(5), words(80), "日本語 " * 40, words(400)])
exchanges = st.lists(
    st.tuples(texts, texts, st.lists(texts.filter(bool), max_size=3)), max_size=6
).map(lambda said: [g for ask, told, results in said for g in (user(ask), answer(told, *results))])


@settings(deadline=None)
@given(exchanges, st.integers(0, 3_000), st.booleans())
def test_every_cut_is_valid_and_within_its_bound(groups: list[Group], most: int, odd: bool):
    question = user("The question " + words(100))
    groups = groups[1:] if odd else groups
    said = fitting([*groups, question], most)
    assert_valid(said)
    assert said[-1:] == question
    before = [entry for entry in said[:-1] if entry is not LEFT_OUT]
    assert size(before) <= most
    # The newest, in order, each as it was or shortened.
    whole = [entry for group in groups for entry in group]
    for kept, was in zip(reversed(before), reversed(whole), strict=False):
        assert kept["role"] == was["role"]
        assert kept["content"] == was["content"] or kept["content"].endswith(CUT)


def test_every_single_bound_from_nothing_to_all():
    groups = [
        user(words(30)),
        answer(words(90), words(200), words(3)),
        user(words(3)),
        answer(words(150)),
    ]
    whole = sum(map(size, groups))
    lengths = []
    for most in range(whole + 2):
        said = fitting([*groups, user("?")], most)
        assert_valid(said)
        assert size([entry for entry in said[:-1] if entry is not LEFT_OUT]) <= most
        lengths.append(len(said))
    assert lengths[0] == 1
    assert lengths[-1] == sum(map(len, groups)) + 1


def test_what_fits_is_sent_whole_and_past_it_the_oldest_goes():
    groups = [user(words(100)), answer(words(100)), user(words(100)), answer(words(100))]
    whole = sum(map(size, groups))
    assert fitting([*groups, user("?")], whole) == [e for g in [*groups, user("?")] for e in g]
    said = fitting([*groups, user("?")], whole - 1)
    assert said[0]["content"].endswith(CUT)
    said = fitting([*groups, user("?")], whole - 90)
    assert [entry["role"] for entry in said] == ["user", "assistant", "user", "assistant", "user"]
    assert said[0] is LEFT_OUT


def test_results_of_tools_are_cut_before_words():
    group = answer(words(50), words(500), words(50))
    short = shortened(group, 300)
    assert short is not None
    assert short[-1] == group[-1]
    assert short[1]["content"] == tokens.cut(words(500), RESULT_TOKENS) + CUT
    assert short[2] == group[2]


def test_a_cut_result_keeps_the_notice_that_says_how_to_read_on():
    notice = "[Cut here: the first 65,536 of 70,000 bytes are shown. Read on with h_1.]"
    short = shortened(answer("ok", words(500) + "\n" + notice), 300)
    assert short is not None
    assert short[1]["content"].endswith(f"{CUT}\n{notice}")


def test_the_question_is_never_cut():
    long = words(50_000)
    assert fitting([user("a"), answer("b"), user(long)], 0) == user(long)


@settings(deadline=None)
@given(st.lists(parts, min_size=1, max_size=6), st.integers(0, 60))
def test_a_stored_history_with_interrupted_calls_is_valid_at_every_cut(
    answers: list[list[Part]], most: int
):
    history: list[Message] = []
    for said in answers:
        said.sort(key=lambda part: getattr(part, "round", 0))
        history += [message(Role.USER, TextPart("ask")), message(Role.ASSISTANT, *said)]
    history.append(message(Role.USER, TextPart("The question")))
    system, *rest = to_prompt("Pinned.", tuple(history), most=most)
    assert system == {"role": "system", "content": "Pinned."}
    assert_valid(rest)


@pytest.mark.parametrize("calls", [None, [{"id": "c", "name": "n", "arguments": {"x": "y"}}]])
def test_the_size_of_a_message_counts_its_calls(calls: Any):
    entry: ChatMessage = {"role": "assistant", "content": "hello"}
    if calls:
        entry["tool_calls"] = calls
    assert (size([entry]) > 8) == bool(calls)
