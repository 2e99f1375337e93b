"""Turns whose process fell silent: closed with a clear error, and booked as far as is known.

One that somebody had asked to stop is closed as stopped: they have what they asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

import msgspec

from parlour.domain import (
    ErrorPart,
    MessageId,
    ModelCall,
    Part,
    ThreadId,
    ToolPart,
    TurnId,
    TurnStatus,
    Usage,
)
from parlour.store.database import Connection, Database, Row
from parlour.store.ledger import COLUMNS, OF_CALL, call_row
from parlour.store.parts import parts_in, stored

REAP_MAX = 100  # lost turns closed at a time; the next round takes the next
BUCKETS = ("input", "cache_read", "cache_write", "output", "reasoning")
CHARS_PER_TOKEN = 4  # of a prompt that nobody counted
LOST = ErrorPart(
    code="turn_lost",
    message="The answer was cut off because the server stopped. You can try again.",
    retryable=True,
)

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Leave:
    """Which silent turns are left for a process to go on with: those that were taken over fewer
    than `takeovers_max` times (one that kills its processes must not go round), for `patience_s`
    seconds after their lease ran out."""

    takeovers_max: int = 3
    patience_s: float = 10.0


@dataclass(frozen=True, slots=True)
class LostTurn:
    """A turn that was closed because its owner was silent. `parts` is what people now see.
    `stopped`: somebody had asked for its end."""

    id: TurnId
    thread: ThreadId
    workspace: str
    user: str
    owner: str
    assistant_message: MessageId
    parts: tuple[Part, ...]
    calls: tuple[dict[str, Any], ...] = ()  # booked
    stopped: bool = False

    def spent(self, *, but_in: str) -> tuple[int, int]:
        """Tokens, and nano-dollars of what is priced, but for what is counted in that place."""
        fresh = [call for call in self.calls if call.get("counted") != but_in]
        tokens = sum(call[bucket] for call in fresh for bucket in BUCKETS)
        return tokens, sum(call["cost_nanos"] or 0 for call in fresh)

    @property
    def status(self) -> TurnStatus:
        """How it ended."""
        return TurnStatus.STOPPED if self.stopped else TurnStatus.FAILED


async def close_silent(
    database: Database,
    price: Callable[[str, ModelCall], ModelCall],
    *,
    leave: Leave,
    mine: Collection[TurnId] = (),
) -> list[LostTurn]:
    """Close and book them, but for those that somebody may still go on with; see `Turns.reap`."""
    async with database.connection() as connection, connection.transaction():
        values = {
            "most": REAP_MAX,
            "takeovers": leave.takeovers_max,
            "patience": leave.patience_s,
            "mine": list(mine),
        }
        cursor = await connection.execute(_SILENT, values)
        silent = await cursor.fetchall()
        bills = {row[0]: booked(row, price) for row in silent}
        lost = [lost_turn(row, bills[row[0]]) for row in silent]
        if lost:
            await _close(connection, lost, bills)
    return lost


async def _close(
    connection: Connection, lost: list[LostTurn], booked: dict[str, list[dict[str, Any]]]
) -> None:
    await connection.execute(
        _CLOSE,
        {
            "turns": [turn.id for turn in lost],
            "parts": [stored(turn.parts) for turn in lost],
            "statuses": [turn.status.value for turn in lost],
            "error": _encode(LOST).decode(),
        },
    )
    await book(connection, {turn.id: booked[turn.id] for turn in lost})


async def book(connection: Connection, bills: Mapping[str, list[dict[str, Any]]]) -> None:
    """Write down the model calls of turns."""
    rows = [{"turn": turn, **call} for turn, calls in bills.items() for call in calls]
    await connection.execute(_BOOK, {"model_calls": _encode(rows).decode()})


def booked(row: Row, price: Callable[[str, ModelCall], ModelCall]) -> list[dict[str, Any]]:
    """The calls that its owner had told at its last heartbeat; else one, from what was asked.

    The row is one of `SILENT`.
    """
    workspace, spent, model, chars = row[2], *row[7:10]
    if spent:
        return msgspec.json.decode(spent)
    # It died before its first heartbeat; the call of the model starts with the claim.
    asked = Usage(input=-(-int(chars) // CHARS_PER_TOKEN), estimated=True)
    call = ModelCall(purpose="answer", model=model, usage=asked)
    return [call_row(price(workspace, call), 1)]


def lost_turn(row: Row, calls: list[dict[str, Any]]) -> LostTurn:
    """What is known of it, and what it has used. The row is one of `SILENT`."""
    turn, thread, workspace, user, owner, answer, partial, *_, stopped = row
    said = parts_in(partial) if partial else ()
    # A tool call without an outcome: nobody knows whether it took effect, and we say so.
    known = tuple(
        msgspec.structs.replace(part, status="failed", text="The outcome is not known.")
        if isinstance(part, ToolPart) and part.status == "running"
        else part
        for part in said
        if not isinstance(part, ErrorPart)  # of the one before, where this one went on
    )
    return LostTurn(
        turn,
        thread,
        workspace,
        user,
        owner,
        answer,
        known if stopped else (*known, LOST),
        calls=tuple(calls),
        stopped=stopped,
    )


SILENT: LiteralString = """
SELECT turns.id, turns.thread, threads.workspace, threads.user_id, turns.owner,
  turns.assistant_message, turns.partial::text, turns.spent::text, turns.model,
  (SELECT coalesce(sum(length(asked.parts::text)), 0) FROM (
     SELECT parts FROM messages WHERE messages.thread = turns.thread
       AND messages.id <> turns.assistant_message ORDER BY seq DESC LIMIT 20) AS asked),
  turns.stop_requested
FROM turns JOIN threads ON threads.id = turns.thread
"""

_SILENT: LiteralString = (
    SILENT
    + """
WHERE turns.status = 'running' AND turns.lease_until < now() AND turns.id <> ALL(%(mine)s)
  AND (turns.principal IS NULL OR turns.stop_requested OR turns.takeovers >= %(takeovers)s
    OR turns.lease_until < now() - %(patience)s * interval '1 second')
LIMIT %(most)s FOR UPDATE OF turns SKIP LOCKED
"""
)

_CLOSE: LiteralString = """
WITH lost AS (
  SELECT id, parts, status, CASE status WHEN 'failed' THEN 'turn_lost' ELSE '' END AS reason
  FROM unnest(%(turns)s::text[], %(parts)s::text[], %(statuses)s::text[])
    AS lost (id, parts, status)),
ended AS (
  UPDATE turns SET status = lost.status, finish_reason = lost.reason,
    error = CASE lost.status WHEN 'failed' THEN %(error)s::json END,
    fence = fence + 1, partial = NULL, spent = NULL, principal = NULL, finished_at = now(),
    elapsed_ms = extract(epoch FROM now() - created_at) * 1000
  FROM lost WHERE turns.id = lost.id
  RETURNING turns.id, turns.thread, turns.assistant_message, turns.model, lost.parts,
    lost.status, lost.reason),
c AS (DELETE FROM checkpoints USING ended WHERE turn = ended.id)
UPDATE messages SET parts = ended.parts::json, status = ended.status,
  metadata = json_build_object('model', ended.model, 'finish_reason', ended.reason)
FROM ended WHERE messages.thread = ended.thread AND messages.id = ended.assistant_message
"""

_BOOK: LiteralString = f"""
INSERT INTO model_calls (workspace, user_id, thread, turn, {COLUMNS})
SELECT threads.workspace, threads.user_id, threads.id, turns.id, {OF_CALL}
FROM json_to_recordset(%(model_calls)s::json) AS call (
  turn text, number integer, purpose text, model text, route text, served_by text, input bigint,
  cache_read bigint, cache_write bigint, output bigint, reasoning bigint, estimated boolean,
  cost_nanos bigint, prices text, request_id text)
JOIN turns ON turns.id = call.turn JOIN threads ON threads.id = turns.thread
"""  # noqa: S608  # our own words
