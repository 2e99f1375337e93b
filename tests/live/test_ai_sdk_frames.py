"""Every frame that can leave the server is valid for the client: one that is not kills its chat."""

from __future__ import annotations

import itertools
import json
from typing import Any, get_args

import pytest

from parlour.api.ai_sdk_frames import AiSdkEncoder
from parlour.events import types as ev
from tests.live.ai_sdk import chats

CALL: dict[str, Any] = {"call_id": "k1", "name": "a__b"}
NO_TURN = "http://127.0.0.1:9"  # these chats only check frames

# Each event with everything that can be in it, and with nothing that may be left out.
EVENTS: list[ev.Event] = [
    ev.Plan(
        turn_id="t",
        thread_id="c",
        message_id="a",
        user_message_id="u",
        model="m",
        disclosure="AI",
    ),
    ev.Status(text="Thinking"),
    ev.Reasoning(text="hm"),
    ev.Token(text="é\u2028😀 </script>"),
    ev.ToolCall(**CALL, title="Do b", arguments={"x": None}),
    ev.ToolCall(call_id="k2", name="a__c", title="", arguments=None),
    ev.Progress(call_id="k1", done=1),
    ev.Progress(call_id="k1", done=1, total=3, text="one of three"),
    ev.Approval(
        approval_id="p",
        call_id="k2",
        name="a__c",
        title="Do c",
        arguments={},
        acts_as="Ann",
        undoable=True,
        expires_at="2027-01-01T00:00:00Z",
    ),
    ev.ToolResult(**CALL, status="ok", text="42", widget={"kind": "table", "rows": [[None]]}),
    ev.ToolResult(call_id="k2", name="a__c", status="failed", text=""),
    ev.Source(source_id="s", title="A page", url="https://a.example"),
    ev.Source(source_id="s2", title=""),
    ev.Source(source_id="s3", title="A book", document="book.pdf", page=3),
    ev.Source(source_id="s4", title="", url="https://a.example"),
    ev.Token(text="more"),
    ev.Restart(round=1, reason="upstream_cut"),
    ev.Replace(text="", reason="policy"),
    ev.Notice(kind="cut", text="The result was cut."),
    ev.UsageReport(),
    ev.UsageReport(input=1, output=2, reasoning=3, estimated=True, cost_micros=5),
    ev.RoundEnd(round=1, kind="reasoning"),
    ev.RoundEnd(round=2, kind="answer"),
]
FAILURE = ev.Failure(code="upstream_cut", message="It broke.", retryable=True, reference="r")
ENDS = [
    ev.Finalize(status=status, finish_reason=reason, error=error, first_token_ms=first)
    for status, error in (
        ("done", None),
        ("stopped", None),
        ("waiting", None),
        ("failed", FAILURE),
        ("failed", None),
    )
    for reason, first in itertools.product(
        ("", "stop", "length", "content_filter", "tool_calls", "something new"), (None, 7)
    )
]


def frames_of(events: list[ev.Event], *, modern: bool) -> list[dict[str, Any]]:
    encoder = AiSdkEncoder(modern=modern)
    body = encoder.encode([ev.encode(event) for event in events], 1).decode()
    return [json.loads(block[len("data: ") :]) for block in body.split("\n\n") if block]


def test_the_list_has_every_event():
    assert {type(event) for event in [*EVENTS, *ENDS]} == set(get_args(ev.Event))


@pytest.mark.parametrize(("version", "modern"), [(7, True), (7, False), (6, False)])
async def test_no_frame_breaks_the_client(version: int, modern: bool):
    frames = frames_of(EVENTS, modern=modern)
    for end in ENDS:
        frames += frames_of([*EVENTS[:3], end], modern=modern)
    # An event in the place of any other opens and closes other parts.
    for one, two in itertools.permutations(EVENTS, 2):
        frames += frames_of([EVENTS[0], one, two], modern=modern)
    told = {json.dumps(frame, sort_keys=True): frame for frame in frames}
    async with chats(NO_TURN, version) as client:
        assert await client("check", frames=list(told.values())) == []
        wrong: list[dict[str, Any]] = [{"type": "mystery"}, {"type": "start", "messageId": None}]
        assert await client("check", frames=wrong) == wrong


async def test_what_only_new_clients_know_would_break_an_old_one():
    modern = [frame for end in ENDS for frame in frames_of([*EVENTS, end], modern=True)]
    async with chats(NO_TURN, 6) as client:
        refused = await client("check", frames=modern)
    assert {(f["type"], f.get("finishReason")) for f in refused} == {
        ("reset-step", None),
        ("finish", "interrupted"),
    }
