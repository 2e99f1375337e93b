"""What the model says passes its filters, and costs next to nothing when they do not want it."""

from __future__ import annotations

import time

from parlour.api.ai_sdk_frames import AiSdkEncoder
from parlour.api.openai_chunks import OpenAiEncoder, completion
from parlour.chat.outflow import Outflow
from parlour.chat.packed import unpack_events
from parlour.chat.sink import TurnSink
from parlour.domain import ReasoningPart, TextPart, ToolPart
from parlour.events import types as ev
from parlour.events.log import Pace, TurnLog
from parlour.safety.silence import PAUSE_S


class Stars:
    """Holds a star until its fellow comes, and says what was between them in capitals."""

    trigger = r"\*"

    def __init__(self, mark: str = "") -> None:
        self.held_since: float | None = None
        self.went_by = ""
        self._mark = mark
        self._held = ""

    @property
    def busy(self) -> bool:
        return bool(self._held)

    def passed(self, text: str) -> None:
        self.went_by += text

    def feed(self, text: str) -> str:
        shown = ""
        for char in text:
            if self._held:
                self._held += char
                if char == "*":
                    shown += self._mark + self._held[1:-1].upper()
                    self._held = ""
            elif char == "*":
                self._held, self.held_since = char, time.monotonic()
            else:
                shown += char
        if not self._held:
            self.held_since = None
        return shown

    def settle(self, silent_s: float) -> str:
        return self.drain() if silent_s >= PAUSE_S else ""

    def drain(self) -> str:
        held, self._held, self.held_since = self._held, "", None
        return held


def sink(*, filtered: bool = True) -> TurnSink:
    it = TurnSink(TurnLog("t_1", Pace()), bytes_max=1_000_000)
    if filtered:
        it.filter(Outflow([Stars()]), Outflow([Stars()]))
    return it


def said(it: TurnSink) -> list[ev.Event]:
    return [ev.decode(payload) for payload in it.log.payloads]


def test_a_filter_sees_what_it_wants_and_is_told_of_the_rest():
    stars = Stars()
    flow = Outflow([stars])
    assert [flow.feed(text) for text in ("one ", "two ", "*th", "ree", "* four", " five")] == [
        "one ",
        "two ",
        "",
        "",
        "THREE four",
        " five",
    ]
    assert stars.went_by == "one two "


def test_filters_stand_in_a_line_and_what_one_lets_go_the_next_one_gets():
    first, second = Stars(mark="*a*"), Stars(mark="!")
    flow = Outflow([first, second])
    assert flow.feed("x *y") == "x "
    assert flow.held_since is not None
    assert flow.feed("* z") == "!AY z"
    assert flow.held_since is None
    assert flow.feed("*tail") == ""
    assert flow.drain() == "*tail"


def test_held_text_is_said_before_a_tool_is_called_and_before_the_turn_ends():
    it = sink()
    it.text("Look *he")
    it.event(ev.ToolCall(call_id="c1", name="a__b", title="B", arguments={}))
    it.text("The *end")
    it.end()
    texts = [event.text for event in said(it) if isinstance(event, ev.Token)]
    assert texts == ["Look ", "*he", "The ", "*end"]
    assert isinstance(said(it)[2], ev.ToolCall)
    first, tool, last = it.parts()
    assert (first, last) == (TextPart("Look *he", 1), TextPart("The *end", 1))
    assert isinstance(tool, ToolPart)


def test_thinking_and_answer_are_filtered_apart_and_keep_their_order():
    it = sink()
    it.reasoning("hm *a")
    it.text("So *b")
    it.reasoning("wait*c*")
    it.text("* done")
    it.end()
    assert [type(part) for part in it.parts()] == [
        ReasoningPart,
        TextPart,
        ReasoningPart,
        TextPart,
    ]
    assert [part.text for part in it.parts()] == ["hm *a", "So *b", "waitC", "* done"]  # type: ignore[union-attr]


def test_the_first_token_is_the_first_that_is_shown():
    it = sink()
    it.text("*hel")
    assert it.first_token_ms is None
    it.text("d*")
    assert it.first_token_ms is not None


def test_settling_says_what_is_held_and_the_rest_follows():
    it = sink()
    it.text("a *b")
    now = time.monotonic()
    assert it.settle(now) is not None, "it is too early"
    assert it.parts() == (TextPart("a ", 1),)
    assert it.settle(now + PAUSE_S) is None
    it.text("c")
    assert it.parts() == (TextPart("a *bc", 1),)


SECRET = "the secret"
INSTEAD = "I cannot show this answer."


def replaced() -> TurnSink:
    it = sink(filtered=False)
    it.reasoning("thinking of " + SECRET)
    it.text("Let me look. ")
    it.event(ev.ToolCall(call_id="c1", name="a__b", title="B", arguments={}))
    it.event(ev.ToolResult(call_id="c1", name="a__b", status="ok", text="1"))
    it.event(ev.RoundEnd(round=1, kind="reasoning"))
    it.text("It is " + SECRET)
    it.replace(INSTEAD, "output")
    it.text(" and more of " + SECRET)
    it.reasoning(SECRET)
    it.event(ev.RoundEnd(round=2, kind="answer"))
    it.end()
    return it


def test_what_is_withdrawn_leaves_the_message_and_is_not_stored():
    it = replaced()
    tool, instead = it.parts()
    assert isinstance(tool, ToolPart)
    assert instead == TextPart(INSTEAD, 2, "output")
    stored = unpack_events(it.packed_events(ev.Finalize(status="done")))
    assert len(stored) == len(it.log.payloads) + 1, "the numbers of events stay"
    assert SECRET.encode() not in b"".join(stored)
    assert [type(ev.decode(payload)) for payload in stored[:-1]] == [type(e) for e in said(it)]


def test_nothing_is_heard_of_the_model_after_its_answer_was_withdrawn():
    events = said(replaced())
    at = next(place for place, event in enumerate(events) if isinstance(event, ev.Replace))
    assert not [e for e in events[at:] if isinstance(e, ev.Token | ev.Reasoning)]


def test_every_face_follows_a_withdrawal():
    payloads = [*replaced().log.payloads, ev.encode(ev.Finalize(status="done"))]
    frames = AiSdkEncoder().encode(list(payloads), 1).decode()
    after = frames.partition('"type":"data-replace"')[2]
    assert INSTEAD in after
    assert SECRET not in after
    assert frames.index('"text-end"') < frames.index("data-replace"), "the open part is closed"
    chunks = OpenAiEncoder("t_1", "parlour", include_usage=False).encode(list(payloads), 1).decode()
    assert INSTEAD in chunks
    assert '"finish_reason":"content_filter"' in chunks
    whole = completion("t_1", "parlour", list(payloads))["choices"][0]
    assert whole["message"]["content"] == INSTEAD
    assert "reasoning_content" not in whole["message"]
    assert whole["finish_reason"] == "content_filter"
