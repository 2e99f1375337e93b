"""The frame grammar of the AI SDK: what a client would die of never leaves the encoder."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from parlour.api.ai_sdk_frames import AiSdkEncoder
from parlour.events import types as ev

PLAN = ev.Plan(
    turn_id="t_1",
    thread_id="c_1",
    message_id="a_1",
    user_message_id="u_1",
    model="scripted:",
    disclosure="AI",
)
CALL = ev.ToolCall(call_id="k", name="a__b", title="Do b", arguments={"x": None})
OK = ev.ToolResult(call_id="k", name="a__b", status="ok", text="42", widget={"kind": "text"})
BAD = ev.ToolResult(call_id="k", name="a__b", status="failed", text="No such thing.")


def frames(*events: ev.Event, modern: bool = True) -> list[dict[str, Any]]:
    encoder = AiSdkEncoder(modern=modern)
    body = b"".join(encoder.encode([ev.encode(event)], n) for n, event in enumerate(events, 1))
    return parse(body)


def parse(body: bytes) -> list[dict[str, Any]]:
    blocks = body.decode().split("\n\n")
    assert blocks.pop() == ""
    assert all(block.startswith("data: {") for block in blocks)
    return [json.loads(block[6:]) for block in blocks]


def kinds(found: list[dict[str, Any]]) -> list[str]:
    return [frame["type"] for frame in found]


def test_a_turn_with_reasoning_a_tool_and_an_answer():
    found = frames(
        PLAN,
        ev.Reasoning(text="hm"),
        ev.Token(text="Let me "),
        ev.Token(text="look."),
        CALL,
        OK,
        ev.RoundEnd(round=1, kind="reasoning"),
        ev.Token(text="42."),
        ev.UsageReport(input=3, output=4),
        ev.RoundEnd(round=2, kind="answer"),
        ev.Finalize(status="done", finish_reason="stop", elapsed_ms=9),
    )
    assert kinds(found) == [
        "start",
        "start-step",
        "reasoning-start",
        "reasoning-delta",
        "reasoning-end",
        "text-start",
        "text-delta",
        "text-delta",
        "text-end",
        "tool-input-start",
        "tool-input-available",
        "tool-output-available",
        "finish-step",
        "data-round",
        "start-step",
        "text-start",
        "text-delta",
        "message-metadata",
        "text-end",
        "finish-step",
        "data-round",
        "finish",
    ]
    assert found[-1]["finishReason"] == "stop"
    assert found[-1]["messageMetadata"]["usage"] == {"input": 3, "output": 4}
    assert found[10]["input"] == {"x": None}  # a null of the caller's own is data


def test_a_failed_tool_is_an_error_and_the_turn_goes_on():
    found = frames(PLAN, CALL, BAD, ev.Token(text="Sorry."))
    assert found[4] == {
        "type": "tool-output-error",
        "toolCallId": "k",
        "errorText": "No such thing.",
        "dynamic": True,
    }


def test_a_stopped_turn_closes_what_is_open():
    events = (PLAN, ev.Token(text="ha"), ev.Finalize(status="stopped"))
    assert kinds(frames(*events))[-3:] == ["text-end", "finish-step", "finish"]
    assert frames(*events)[-1]["finishReason"] == "interrupted"
    assert frames(*events, modern=False)[-1]["finishReason"] == "other"


def test_a_failure_is_an_error_frame_with_code_and_sentence():
    failure = ev.Failure(code="upstream_cut", message="Cut.", retryable=True)
    found = frames(PLAN, ev.Token(text="ha"), ev.Finalize(status="failed", error=failure))
    assert kinds(found)[-4:] == ["text-end", "finish-step", "message-metadata", "error"]
    told = json.loads(found[-1]["errorText"])
    assert told == {"code": "upstream_cut", "message": "Cut.", "retryable": True}
    assert found[-2]["messageMetadata"]["error"] == told


some_event = st.sampled_from(
    [
        ev.Token(text="a"),
        ev.Reasoning(text="b"),
        CALL,
        OK,
        BAD,
        ev.RoundEnd(round=1, kind="reasoning"),
        ev.Status(text="Working"),
        ev.Progress(call_id="k", done=1),
        ev.Notice(kind="quota", text="80 %"),
        ev.Source(source_id="s", title="t", url="https://example.org"),
        ev.Source(source_id="s", title="t", document="d.pdf", page=3),
        ev.Replace(text="Withdrawn.", reason="policy"),
        ev.Restart(round=1, reason="taken over"),
        ev.UsageReport(input=1),
    ]
)


@given(st.lists(some_event, max_size=25), st.booleans())
def test_parts_are_opened_and_closed_and_nothing_is_null(events: list[ev.Event], modern: bool):
    known = [CALL]
    found = frames(PLAN, *known, *events, ev.Finalize(status="stopped"), modern=modern)
    open_parts: set[str] = set()
    in_step = False
    for frame in found:
        assert None not in frame.values()
        kind = frame["type"]
        if kind.endswith("-start") and "id" in frame:
            assert in_step
            assert not open_parts
            open_parts.add(frame["id"])
        elif kind.endswith("-delta"):
            assert frame["id"] in open_parts
        elif kind.endswith("-end") and "id" in frame:
            open_parts.remove(frame["id"])
        elif kind == "start-step":
            assert not in_step
            in_step = True
        elif kind == "finish-step":
            assert in_step
            assert not open_parts
            in_step = False
        if not modern:
            assert kind not in {"reset-step", "custom", "reasoning-file"}
    assert not open_parts
    assert not in_step
    assert kinds(found).count("finish") == 1


ASKED = ev.Approval(
    approval_id="p_1",
    call_id="k",
    name="a__b",
    title="Do b",
    arguments={"x": 1},
    acts_as="Ann",
    expires_at="2026-01-01T00:00:00+00:00",
    server="a",
    tool="b",
    reason="writes",
)


def test_a_call_that_waits_is_a_request_and_the_finish_says_so():
    found = frames(PLAN, CALL, ASKED, ev.Finalize(status="waiting", finish_reason="tool_calls"))
    asked = found[-3]
    assert (asked["type"], asked["approvalId"], asked["toolCallId"]) == (
        "tool-approval-request",
        "p_1",
        "k",
    )
    assert asked["approvalDescriptor"]["arguments"] == {"x": 1}
    assert asked["approvalDescriptor"]["actsAs"] == "Ann"
    assert found[-1]["finishReason"] == "tool-calls"


def test_who_has_decided_gets_what_is_new_and_who_resumes_gets_it_all():
    plan = msgspec.structs.replace(PLAN, continues="t_0", repeats=2)
    events = [plan, ev.Token(text="Before."), CALL, OK, ev.Token(text="After.")]

    def told(*, going_on: bool) -> list[str]:
        encoder = AiSdkEncoder(modern=True, going_on=going_on)
        payloads = [ev.encode(event) for event in events]
        return kinds(parse(b"".join(encoder.encode([p], n) for n, p in enumerate(payloads, 1))))

    assert told(going_on=True) == [
        "start",
        "tool-output-available",
        "text-start",
        "text-delta",
    ]
    assert told(going_on=False)[:4] == ["start", "start-step", "text-start", "text-delta"]


def test_a_declined_call_is_denied():
    declined = ev.ToolResult(call_id="k", name="a__b", status="declined", text="Not done.")
    assert {"type": "tool-output-denied", "toolCallId": "k"} in frames(PLAN, CALL, declined)
