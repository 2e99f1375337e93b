"""How a turn goes on with another one's message: what is said again, and what was given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from parlour.agent.saver import state_in
from parlour.chat.packed import unpack_events
from parlour.chat.replay import events_of_parts
from parlour.domain import ErrorPart, Part, ToolPart
from parlour.events.types import (
    Approval,
    Event,
    Finalize,
    Notice,
    Plan,
    Progress,
    Status,
    Token,
    UsageReport,
    encode,
    known,
)
from parlour.store.approvals import WaitingTurn
from parlour.store.waiting import Settled

SUPERSEDED = "What waited for your decision was not done, because you wrote something else."


@dataclass(frozen=True, slots=True)
class Before:
    """What a message has said before a turn goes on with it."""

    payloads: list[bytes] = field(default_factory=list[bytes])
    parts: tuple[Part, ...] = ()


def said_before(waiting: WaitingTurn | None) -> Before:
    """The events and parts of the message that a turn goes on with; nothing for any other turn."""
    if waiting is None:
        return Before()
    parts = as_it_waited(waiting)
    if waiting.events is None:
        events = events_of_parts(parts)
    else:
        events = [e for each in unpack_events(waiting.events) if (e := known(each))]
    return Before([encode(event) for event in _joined(events)], parts)


def as_it_waited(waiting: WaitingTurn) -> tuple[Part, ...]:
    """The message as it was asked about: a turn that began to go on and was lost may have added its
    words, outcomes and error, and it is all said again."""
    rounds = int(state_in(waiting.checkpoint)["rounds"])
    asked = {approval.id for approval in waiting.approvals}
    kept = (part for part in waiting.parts if getattr(part, "round", 0) <= rounds)
    return tuple(_as_asked(part, asked) for part in kept if not isinstance(part, ErrorPart))


def _as_asked(part: Part, asked: set[str]) -> Part:
    if isinstance(part, ToolPart) and part.approval and part.approval.id in asked:
        return replace(part, status="waiting", text="", widget=None, elapsed_ms=0)
    return part


def given_up(superseded: Sequence[Settled]) -> list[Event]:
    """What people are told about calls that a new message has put aside."""
    open_calls = [
        part
        for settled in superseded
        for part in settled.parts
        if isinstance(part, ToolPart) and part.approval and part.approval.cause == "superseded"
    ]
    return [Notice(kind="approval_superseded", text=SUPERSEDED)] if open_calls else []


def _joined(events: list[Event]) -> list[Event]:
    """What is worth saying again: no end, nothing in passing, words in one piece."""
    kept: list[Event] = []
    for event in events:
        if isinstance(event, Plan | Finalize | Approval | Progress | Status | UsageReport):
            continue
        before = kept[-1] if kept else None
        if isinstance(event, Token) and isinstance(before, Token):
            kept[-1] = Token(text=before.text + event.text)
        else:
            kept.append(event)
    return kept
