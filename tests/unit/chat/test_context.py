"""Every history is valid for every provider."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from parlour.chat.context import to_prompt
from parlour.domain import (
    ErrorPart,
    Message,
    MessageId,
    Part,
    ReasoningPart,
    Role,
    TextPart,
    ThreadId,
    ToolPart,
)


def message(role: Role, *parts: Part) -> Message:
    return Message(MessageId("m"), ThreadId("c"), None, role, parts, datetime.now(UTC))


def tool(round_: int, call_id: str = "c1", text: str = "42") -> ToolPart:
    return ToolPart(call_id, "a__b", "Do b", {"x": 1}, "ok", text, round=round_)


def test_rounds_become_calls_results_and_an_answer():
    prompt = to_prompt(
        "Be kind.",
        (
            message(Role.USER, TextPart("How many?")),
            message(
                Role.ASSISTANT,
                ReasoningPart("hm", 1),
                TextPart("Let me look.", 1),
                tool(1),
                TextPart("42.", 2),
                ErrorPart("x", "y"),
            ),
        ),
    )
    assert prompt == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "How many?"},
        {
            "role": "assistant",
            "content": "Let me look.",
            "tool_calls": [{"id": "c1", "name": "a__b", "arguments": {"x": 1}}],
        },
        {"role": "tool", "call_id": "c1", "name": "a__b", "content": "42"},
        {"role": "assistant", "content": "42."},
    ]


def test_an_answer_that_said_nothing_leaves_no_empty_message():
    failed = message(Role.ASSISTANT, ErrorPart("upstream_failed", "The model did not answer."))
    assert len(to_prompt("s", (message(Role.USER, TextPart("hi")), failed))) == 2


parts = st.lists(
    st.one_of(
        st.builds(TextPart, st.text(max_size=5), st.integers(1, 3)),
        st.builds(ReasoningPart, st.text(max_size=5), st.integers(1, 3)),
        st.builds(tool, st.integers(1, 3), st.sampled_from(["c1", "c2", "c3"]), st.just("")),
    ),
    max_size=8,
)


@given(parts)
def test_every_call_has_its_result_right_after_it(said: list[Part]):
    said.sort(key=lambda part: getattr(part, "round", 0))
    open_calls: list[str] = []
    for entry in to_prompt("s", (message(Role.ASSISTANT, *said),)):
        if entry["role"] == "tool":
            assert entry["content"]
            assert entry["call_id"] == open_calls.pop(0)
        else:
            assert not open_calls
            open_calls = [call["id"] for call in entry.get("tool_calls", [])]
    assert not open_calls
