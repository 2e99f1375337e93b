"""Turns that wait for people, inside somebody's transaction: going on, and being given up.

Whoever uses these holds the row of the thread, so what they see stays so until they commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

import msgspec

from parlour.domain import MessageId, Part, ThreadId, ToolPart, TurnId
from parlour.errors import ApprovalVoid
from parlour.store.database import Connection, Row
from parlour.store.parts import parts_in, stored

# What the model and people read of a call that was never made, by its cause.
NOT_MADE = {
    "person": "Not done: the user did not allow this. Do not try it again unless they ask for it.",
    "expired": "Not done: nobody decided in time.",
    "superseded": "Not done: the user wrote something else instead of deciding.",
    "stopped": "Not done: the user stopped the answer instead of deciding.",
    "late": "Not done: it was approved, but could not be carried out in time.",
}

OPEN: LiteralString = """
SELECT id, turn, decision FROM approvals WHERE thread = %(thread)s AND closed_at IS NULL
"""

_ATTEMPT: LiteralString = "UPDATE approvals SET attempts = attempts + 1 WHERE turn = %(turn)s"

_PARTS: LiteralString = """
SELECT turns.id, messages.id, messages.parts::text FROM turns
JOIN messages ON messages.thread = turns.thread AND messages.id = turns.assistant_message
WHERE turns.id = ANY(%(turns)s)
"""

_CLOSE: LiteralString = """
UPDATE approvals SET closed_at = now(), principal = '{}',
  decided_at = coalesce(decided_at, now()), cause = coalesce(cause, %(cause)s),
  decision = coalesce(decision, 'decline')
WHERE turn = ANY(%(turns)s) AND closed_at IS NULL
"""

_REWRITE: LiteralString = """
UPDATE messages SET parts = %(parts)s::json, status = 'stopped'
WHERE thread = %(thread)s AND id = %(message)s
"""

_FORGET: LiteralString = "DELETE FROM checkpoints WHERE turn = ANY(%(turns)s)"


@dataclass(frozen=True, slots=True)
class Settled:
    """A message that waits no more: its calls were declined without anybody going on."""

    turn: TurnId
    message: MessageId
    approvals: tuple[str, ...]
    parts: tuple[Part, ...]


async def go_on(connection: Connection, turn: str, waits: Sequence[Row]) -> None:
    """Check that everything the turn asked is decided and still stands, and count the attempt.

    Raises `ApprovalVoid`: it was given up meanwhile.
    """
    mine = [decision for _, asked_by, decision in waits if asked_by == turn]
    if not mine or None in mine:
        raise ApprovalVoid("What was waiting here has been given up meanwhile.")
    await connection.execute(_ATTEMPT, {"turn": turn})


async def supersede(
    connection: Connection, thread: ThreadId, waits: Sequence[Row], cause: str = "superseded"
) -> list[Settled]:
    """Decline everything that waits in the thread, and say so in its messages."""
    turns = sorted({turn for _, turn, _ in waits})
    cursor = await connection.execute(_PARTS, {"turns": turns})
    settled: list[Settled] = []
    for turn, message, parts in await cursor.fetchall():
        asked = {id_: decision for id_, asked_by, decision in waits if asked_by == turn}
        told = declined(parts_in(parts), cause, approved=_approved(asked))
        settled.append(Settled(turn, message, tuple(asked), told))
        await connection.execute(
            _REWRITE, {"thread": thread, "message": message, "parts": stored(told)}
        )
    await connection.execute(_CLOSE, {"turns": turns, "cause": cause})
    await connection.execute(_FORGET, {"turns": turns})
    return settled


def _approved(asked: dict[str, str | None]) -> set[str]:
    return {id_ for id_, decision in asked.items() if decision == "approve"}


def declined(
    parts: tuple[Part, ...], cause: str, *, approved: set[str] | None = None
) -> tuple[Part, ...]:
    """The parts of a message whose waiting calls will not be made."""

    def told(part: Part) -> Part:
        if not (isinstance(part, ToolPart) and part.status == "waiting" and part.approval):
            return part
        late = cause == "expired" and part.approval.id in (approved or ())
        note = msgspec.structs.replace(part.approval, cause=cause)
        text = NOT_MADE["late" if late else cause]
        return msgspec.structs.replace(part, status="declined", text=text, approval=note)

    return tuple(told(part) for part in parts)
