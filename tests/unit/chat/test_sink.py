"""What is stored is what was said."""

from __future__ import annotations

import asyncio

import pytest

from parlour.chat.packed import unpack_events
from parlour.chat.replay import events_of_parts
from parlour.chat.sink import AnswerTooLong, TurnSink
from parlour.chat.takeover import parts_of
from parlour.domain import NoticePart, Part, ReasoningPart, TextPart, ToolPart, Usage
from parlour.events.log import Cursor, Pace, TurnLog
from parlour.events.types import (
    Finalize,
    Notice,
    Reasoning,
    Replace,
    Restart,
    RoundEnd,
    Token,
    ToolCall,
    ToolResult,
    UsageReport,
    decode,
    encode,
)


def sink(bytes_max: int = 1_000_000) -> TurnSink:
    return TurnSink(TurnLog("t_1", Pace()), bytes_max=bytes_max)


def call(call_id: str = "c1") -> ToolCall:
    return ToolCall(call_id=call_id, name="a__b", title="Do b", arguments={"x": 1})


def result(call_id: str = "c1", status: str = "ok") -> ToolResult:
    return ToolResult(call_id=call_id, name="a__b", status=status, text="42", elapsed_ms=3)  # type: ignore[arg-type]


def test_pieces_become_parts_in_the_order_they_were_said():
    it = sink()
    it.reasoning("hm")
    it.reasoning("m")
    it.text("Let me ")
    it.text("look.")
    it.event(call())
    it.event(result())
    it.event(RoundEnd(round=1, kind="reasoning"))
    it.text("It is 42.")
    it.event(RoundEnd(round=2, kind="answer"))
    thought, text, tool, answer = it.parts()
    assert isinstance(thought, ReasoningPart)
    assert (thought.text, thought.round) == ("hmm", 1)
    assert text == TextPart("Let me look.", 1)
    assert isinstance(tool, ToolPart)
    assert (tool.status, tool.text, tool.round, tool.elapsed_ms) == ("ok", "42", 1, 3)
    assert answer == TextPart("It is 42.", 2)


def test_the_open_part_counts_before_it_is_closed():
    it = sink()
    it.text("half a sen")
    assert it.parts() == (TextPart("half a sen", 1),)
    it.text("tence")
    assert it.parts() == (TextPart("half a sentence", 1),)


def test_stored_events_are_the_published_ones():
    it = sink()
    it.text("a\nb")
    it.reasoning("c")
    end = Finalize(status="done")
    stored = [decode(payload) for payload in unpack_events(it.packed_events(end))]
    assert stored == [Token(text="a\nb"), Reasoning(text="c"), end]
    assert it.log.payloads == [encode(event) for event in stored[:-1]]


def test_a_tool_that_never_answered_is_failed_for_readers_and_store():
    it = sink()
    it.event(call("c1"))
    it.event(call("c2"))
    it.event(result("c1"))
    it.end()
    first, second = it.parts()
    assert isinstance(first, ToolPart)
    assert isinstance(second, ToolPart)
    assert (first.status, second.status) == ("ok", "failed")
    last = decode(it.log.payloads[-1])
    assert isinstance(last, ToolResult)
    assert (last.call_id, last.status) == ("c2", "failed")


def test_a_restarted_round_loses_its_parts_and_no_others():
    it = sink()
    it.text("one")
    it.event(RoundEnd(round=1, kind="reasoning"))
    it.text("two")
    it.event(Restart(round=2, reason="the process was replaced"))
    it.text("two again")
    assert it.parts() == (TextPart("one", 1), TextPart("two again", 2))


def test_usage_adds_up_over_rounds():
    it = sink()
    it.used(Usage(input=10, cache_read=5, output=3))
    it.used(Usage(input=1, output=2, reasoning=7, estimated=True))
    assert it.usage == Usage(11, 5, 0, 5, 7, True)
    last = decode(it.log.payloads[-1])
    assert isinstance(last, UsageReport)
    assert (last.input, last.reasoning, last.estimated) == (11, 7, True)


@pytest.mark.parametrize(("bytes_max", "fits"), [(31, True), (30, False)])
def test_an_answer_is_bounded(bytes_max: int, fits: bool):
    it = sink(bytes_max)
    it.text("12345")  # {"type":"token","text":"12345"} is 31 bytes
    if fits:
        it.flush()
    else:
        with pytest.raises(AnswerTooLong, match="log_bytes_max"):
            it.flush()


async def test_nothing_is_read_before_the_commit():
    it = sink()
    cursor = it.log.cursor()
    waiting = asyncio.ensure_future(_next(cursor))
    await asyncio.sleep(0)
    it.text("early")
    it.flush()
    await asyncio.sleep(0)
    assert not waiting.done()
    it.release()
    assert len(await asyncio.wait_for(waiting, 5)) == 1


async def _next(cursor: Cursor) -> list[bytes]:
    await cursor.wait()
    return cursor.take()


def test_words_of_ours_stay_when_the_round_starts_over_or_is_withdrawn():
    it = sink()
    it.open_with("I am an AI. ")
    it.text("No, I am Bob.")
    it.event(Restart(round=1, reason="upstream"))
    it.text("Hello.")
    assert [part.text for part in it.parts()] == ["I am an AI. Hello."]  # type: ignore[union-attr]
    it.replace("Withdrawn.", "secret")
    assert [part.text for part in it.parts()] == ["I am an AI. Withdrawn."]  # type: ignore[union-attr]


ROUTE = Notice(kind="route_switched", text="B answers instead of A.")


def test_a_notice_belongs_to_the_message_and_is_said_once():
    it = sink()
    it.event(ROUTE)
    it.text("Hel")
    it.event(ROUTE)
    it.event(Notice(kind="limit", text="Enough."))
    it.text("lo.")
    told = NoticePart("limit", "Enough.", 1)
    assert it.parts() == (NoticePart(ROUTE.kind, ROUTE.text, 1), told, TextPart("Hello.", 1))
    events = [decode(payload) for payload in it.log.payloads]
    assert [event.kind for event in events if isinstance(event, Notice)] == [ROUTE.kind, "limit"]
    assert parts_of(events) == it.parts(), "another process makes the same of what it reads"


@pytest.mark.parametrize("kind", ["masked", "quota_warning"])
def test_a_notice_of_the_moment_is_said_and_not_kept(kind: str):
    it = sink()
    it.event(Notice(kind=kind, text="ann@example.com"))
    it.text("Hello.")
    assert it.parts() == (TextPart("Hello.", 1),)
    assert parts_of([decode(payload) for payload in it.log.payloads]) == it.parts()


def test_notices_stay_when_a_round_starts_over_and_when_the_answer_is_withdrawn():
    it = sink()
    it.event(ROUTE)
    it.text("one")
    it.event(Restart(round=1, reason="the process was replaced"))
    it.event(ROUTE)  # as whoever goes on says it again
    it.text("two")
    it.replace("Withdrawn.", "secret")
    kept = (NoticePart(ROUTE.kind, ROUTE.text, 1), TextPart("Withdrawn.", 1, "secret"))
    assert it.parts() == kept
    assert parts_of([decode(payload) for payload in it.log.payloads]) == kept


def test_kept_notices_and_withdrawn_words_are_said_again_as_what_they_were():
    kept: tuple[Part, ...] = (
        NoticePart(ROUTE.kind, ROUTE.text, 1),
        TextPart("Withdrawn.", 1, "secret"),
    )
    said = events_of_parts(kept)
    assert said == [ROUTE, Replace(text="Withdrawn.", reason="secret")]
    assert parts_of(said) == kept
