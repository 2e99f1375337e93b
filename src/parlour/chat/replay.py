"""Events made anew from a stored message, for turns whose own events are gone."""

from __future__ import annotations

import msgspec

from parlour.domain import ErrorPart, NoticePart, Part, ReasoningPart, TextPart, ToolPart
from parlour.events.types import (
    Approval,
    Event,
    Failure,
    Finalize,
    Notice,
    Plan,
    Reasoning,
    Replace,
    RoundEnd,
    Token,
    ToolCall,
    ToolResult,
)
from parlour.store.turns import Turn


def events_of_turn(stored: Turn, parts: tuple[Part, ...], disclosure: str) -> list[Event]:
    """A whole turn: its plan, what it said, its end."""
    plan = Plan(
        turn_id=stored.id,
        thread_id=stored.thread,
        message_id=stored.assistant_message,
        user_message_id=stored.user_message,
        model=stored.model,
        disclosure=disclosure,
    )
    # Where another turn goes on with the message, only the turn itself knows how it failed.
    error = next((part for part in parts if isinstance(part, ErrorPart)), stored.error)
    failure = error and Failure(
        code=error.code,
        message=error.message,
        retryable=error.retryable,
        reference=error.reference,
    )
    status = stored.status.value
    ended = status if status in {"done", "stopped", "waiting"} else "failed"
    final = Finalize(status=ended, error=failure, elapsed_ms=stored.elapsed_ms or 0)  # pyright: ignore[reportArgumentType]
    return [plan, *events_of_parts(parts), final]


def events_of_parts(parts: tuple[Part, ...]) -> list[Event]:
    """What a message says; a round that led to tools ends before the next one begins."""
    events: list[Event] = []
    worked = 0  # the last round that had tools
    for part in parts:
        match part:
            case TextPart():
                events += _round_end(worked, part.round)
                if part.withdrawn:
                    events.append(Replace(text=part.text, reason=part.withdrawn))
                else:
                    events.append(Token(text=part.text))
            case ReasoningPart():
                events += _round_end(worked, part.round)
                events.append(Reasoning(text=part.text))
            case ToolPart():
                events += _round_end(worked, part.round)
                worked = part.round
                events += _tool_events(part)
            case NoticePart():
                events.append(Notice(kind=part.kind, text=part.text))
            case ErrorPart() | msgspec.Raw():
                pass
    return events


def _round_end(worked: int, now: int) -> list[Event]:
    return [RoundEnd(round=worked, kind="reasoning")] if 0 < worked < now else []


def _tool_events(part: ToolPart) -> list[Event]:
    call = ToolCall(
        call_id=part.call_id, name=part.name, title=part.title, arguments=part.arguments
    )
    if part.status == "waiting":
        note = part.approval
        if note is None:
            return [call]
        asked = Approval(
            approval_id=note.id,
            call_id=part.call_id,
            name=part.name,
            title=part.title,
            arguments=note.arguments,
            acts_as=note.acts_as,
            undoable=note.undoable,
            expires_at=note.expires_at,
            server=note.server,
            tool=note.tool,
            reason=note.reason,
        )
        return [call, asked]
    result = ToolResult(
        call_id=part.call_id,
        name=part.name,
        status="ok"
        if part.status == "ok"
        else "declined"
        if part.status == "declined"
        else "failed",
        text=part.text,
        widget=part.widget,
        elapsed_ms=part.elapsed_ms,
    )
    return [call, result]
