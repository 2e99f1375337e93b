"""The hot path of turns: claim, finish, heartbeat, stop, and what recovery needs.

Hand-written SQL on the `agent` pool, one statement a step. The database is the judge of who owns a
turn and of time: leases run by its clock, and a write with an old fence changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, LiteralString

import msgspec

from parlour.domain import (
    ErrorPart,
    MessageId,
    ModelCall,
    Part,
    Principal,
    ThreadId,
    ToolPart,
    TurnId,
    TurnStatus,
    Usage,
)
from parlour.errors import TurnNotFound
from parlour.store.adopt import Adopted, adopt
from parlour.store.approvals import Asked
from parlour.store.claim_sql import Trigger
from parlour.store.claims import Claim, NewTurn, claim_turn
from parlour.store.database import Database, Row
from parlour.store.finish_sql import finish_statement
from parlour.store.ledger import call_rows, cost_of
from parlour.store.lost import Leave, LostTurn, close_silent
from parlour.store.parts import parts_in, stored

__all__ = ["Claim", "LostTurn", "NewTurn", "Renewal", "Trigger", "Turn", "Turns"]

_encode = msgspec.json.Encoder().encode
_error = msgspec.json.Decoder(ErrorPart)


@dataclass(frozen=True, slots=True)
class Turn:
    """What the store knows of a turn. Times in milliseconds since the turn began."""

    id: TurnId
    thread: ThreadId
    user_message: MessageId
    assistant_message: MessageId
    trigger: str
    status: TurnStatus
    finish_reason: str | None
    error: ErrorPart | None
    model: str
    served_by: str | None
    owner: str
    fence: int
    stop_requested: bool
    first_token_ms: int | None
    elapsed_ms: int | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a heartbeat found: turns to stop, and turns that are no longer running as ours."""

    stop: frozenset[TurnId]
    lost: frozenset[TurnId]


class Turns:
    """All queries about turns. Every method raises `StoreUnavailable` when there is no database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, new: NewTurn, *, window: int) -> Claim:
        """Save the user's message and take the turn; it counts once `Claim.commit` returns.

        The history holds the last `window` (1 or more) messages of the branch. A request that came
        before gives a claim with `joined`. Raises `KeyReused` (same key, other body),
        `TurnInProgress`, `ThreadNotFound` (somebody else's; or `edit` and `regenerate` of none),
        `MessageNotFound` (no such target).
        """
        return await claim_turn(self._database, new, window=window)

    async def finish(
        self,
        turn: TurnId,
        *,
        fence: int,
        status: TurnStatus,
        finish_reason: str,
        parts: tuple[Part, ...],
        error: ErrorPart | None,
        usage: Usage,
        model: str,
        events: bytes,
        first_token_ms: int | None,
        elapsed_ms: int,
        served_by: str | None,
        calls: Sequence[ModelCall] = (),
        tools: Sequence[ToolPart] = (),
        asked: Asked | None = None,
        settles: bool = False,
        notes: Mapping[str, Any] | None = None,
    ) -> bool:
        """End a turn: its state, message, events, usage and tool calls, all or nothing.

        False when the turn is not running or has another fence; then nothing is written. `calls`
        are those of models, `tools` those calls of tools that nobody has written down yet.
        `asked`: what a turn that ends waiting asks people; `settles`: it went on after such a turn.
        `notes` are more figures for the message, as its readers get them.
        """
        metadata: dict[str, Any] = {
            "model": served_by or model,
            "finish_reason": finish_reason,
            "elapsed_ms": elapsed_ms,
            **(notes or {}),
        }
        if usage.total:
            metadata["usage"] = {**msgspec.to_builtins(usage), **cost_of(calls)}
        rows = await self._database.fetch(
            finish_statement(tools=bool(tools), asks=asked is not None, settles=settles),
            {
                **({} if asked is None else asked.values()),
                "turn": turn,
                "fence": fence,
                "status": status,
                "finish_reason": finish_reason,
                "parts": stored(parts),
                "error": None if error is None else _encode(error).decode(),
                "metadata": _encode(metadata).decode(),
                "events": events,
                "first_token_ms": first_token_ms,
                "elapsed_ms": elapsed_ms,
                "served_by": served_by,
                "spent": usage.total > 0,
                **msgspec.structs.asdict(usage),
                "model_calls": call_rows(calls),
                **_columns(tools),
            },
        )
        return bool(rows)

    async def renew(
        self,
        owner: str,
        partials: Mapping[TurnId, tuple[Part, ...] | None],
        lease_s: float,
        spent: Mapping[TurnId, str] | None = None,
    ) -> Renewal:
        """Keep all turns of this process for `lease_s` more seconds, in one statement.

        `partials` has every running turn of `owner` with its parts so far, or None
        when nothing was said since the last time, `spent` their model calls as JSON. A turn that
        ends meanwhile may be called lost; its owner knows better.
        """
        if not partials:
            return Renewal(frozenset(), frozenset())
        rows = await self._database.fetch(
            _RENEW,
            {
                "owner": owner,
                # Joined, as JSON has no raw line ends: psycopg writes arrays item by item.
                "turns": "\n".join(partials),
                "partials": "\n".join("" if p is None else stored(p) for p in partials.values()),
                "spent": "\n".join((spent or {}).get(turn, "") for turn in partials),
                "lease": lease_s,
            },
        )
        return Renewal(
            frozenset(TurnId(turn) for turn, stop in rows if stop),
            frozenset(partials) - {turn for turn, _ in rows},
        )

    async def request_stop(self, principal: Principal, thread: ThreadId, turn: TurnId) -> bool:
        """Ask whoever owns the turn to stop it; it learns at its next look at the latest.

        False when it has ended already. Raises `TurnNotFound`.
        """
        rows = await self._database.fetch(_STOP, {**_scope(principal, thread), "turn": turn})
        if not rows:
            raise TurnNotFound("There is no such turn in this conversation.")
        return bool(rows[0][0])

    async def to_stop(self, owner: str, turns: Sequence[TurnId]) -> list[TurnId]:
        """Which of these somebody asked to stop, or are not the owner's any more."""
        rows = await self._database.fetch(_TO_STOP, {"owner": owner, "turns": list(turns)})
        return [TurnId(row[0]) for row in rows]

    async def reap(
        self,
        price: Callable[[str, ModelCall], ModelCall],
        *,
        leave: Leave,
        mine: Collection[TurnId] = (),
    ) -> list[LostTurn]:
        """Close turns whose owner has been silent for longer than its lease: failed, `turn_lost`.

        What the owner had said at its last heartbeat stays, with the error after it, and what it
        had spent by then is booked at the `price`. Any number of processes may reap at once; each
        lost turn is returned by one of them. `mine` run here, however late their leases are.
        """
        return await close_silent(self._database, price, leave=leave, mine=mine)

    async def adopt(
        self,
        owner: str,
        price: Callable[[str, ModelCall], ModelCall],
        *,
        lease_s: float,
        window: int,
        leave: Leave,
        most: int,
        mine: Collection[TurnId] = (),
    ) -> list[Adopted]:
        """Take over turns whose owner is silent, at most so many; what it had spent is booked.

        The history holds the last `window` messages up to the question. `mine` run here, however
        late their leases are.
        """
        return await adopt(
            self._database,
            owner,
            price,
            lease_s=lease_s,
            window=window,
            leave=leave,
            most=most,
            mine=mine,
        )

    async def hand_over(
        self, turn: TurnId, fence: int, parts: tuple[Part, ...], spent: str
    ) -> bool:
        """Give up a running turn so that another process takes it at once. False when it is not
        ours any more."""
        rows = await self._database.fetch(
            _HAND_OVER,
            {"turn": turn, "fence": fence, "partial": stored(parts), "spent": spent},
        )
        return bool(rows)

    async def get(self, principal: Principal, thread: ThreadId, turn: TurnId) -> Turn:
        """One turn. Raises `TurnNotFound`, also when it is somebody else's."""
        rows = await self._database.fetch(
            _TURN + " AND turns.id = %(turn)s", {**_scope(principal, thread), "turn": turn}
        )
        if not rows:
            raise TurnNotFound("There is no such turn in this conversation.")
        return _turn(rows[0])

    async def running(self, principal: Principal, thread: ThreadId) -> TurnId | None:
        """The turn that is running in the thread, if any."""
        rows = await self._database.fetch(
            _TURN + " AND turns.status = 'running'", _scope(principal, thread)
        )
        return TurnId(rows[0][0]) if rows else None

    async def latest(self, principal: Principal, thread: ThreadId) -> Turn | None:
        """The newest turn of the thread, running or not."""
        rows = await self._database.fetch(
            _TURN + " ORDER BY turns.seq DESC LIMIT 1", _scope(principal, thread)
        )
        return _turn(rows[0]) if rows else None

    async def events(self, principal: Principal, thread: ThreadId, turn: TurnId) -> bytes | None:
        """The events that `finish` stored; None when there are none, or not for this user."""
        rows = await self._database.fetch(_EVENTS, {**_scope(principal, thread), "turn": turn})
        return bytes(rows[0][0]) if rows else None

    async def parts(self, principal: Principal, thread: ThreadId, turn: TurnId) -> tuple[Part, ...]:
        """What the turn's message holds. Raises `TurnNotFound`."""
        rows = await self._database.fetch(_PARTS, {**_scope(principal, thread), "turn": turn})
        if not rows:
            raise TurnNotFound("There is no such turn in this conversation.")
        return parts_in(rows[0][0])

    async def save_checkpoint(self, turn: TurnId, fence: int, data: bytes) -> bool:
        """Keep how far a running turn got. False when it is no longer ours."""
        rows = await self._database.fetch(
            _SAVE_CHECKPOINT, {"turn": turn, "fence": fence, "data": data}
        )
        return bool(rows)

    async def load_checkpoint(self, turn: TurnId) -> bytes | None:
        """What `save_checkpoint` kept last; None when the turn has ended."""
        rows = await self._database.fetch(
            "SELECT data FROM checkpoints WHERE turn = %(turn)s", {"turn": turn}
        )
        return bytes(rows[0][0]) if rows else None


def _columns(calls: Sequence[ToolPart]) -> dict[str, Any]:
    return {
        "call_ids": [call.call_id for call in calls],
        "names": [call.name for call in calls],
        "rounds": [call.round for call in calls],
        "statuses": [call.status for call in calls],
        "call_ms": [call.elapsed_ms for call in calls],
    }


def _scope(principal: Principal, thread: ThreadId) -> dict[str, Any]:
    return {"workspace": principal.workspace, "user": principal.user, "thread": thread}


def _turn(row: Row) -> Turn:
    turn = Turn(*row)
    error: str | None = row[7]
    return replace(
        turn,
        status=TurnStatus(turn.status),
        error=None if error is None else _error.decode(error),
    )


_TURN: LiteralString = """
SELECT turns.id, turns.thread, user_message, assistant_message, trigger, status, finish_reason,
  error::text, model, served_by, turns.owner, fence, stop_requested, first_token_ms, elapsed_ms,
  turns.created_at, finished_at
FROM threads JOIN turns ON turns.thread = threads.id
WHERE threads.id = %(thread)s AND threads.workspace = %(workspace)s AND threads.user_id = %(user)s
"""

_RENEW: LiteralString = """
UPDATE turns SET lease_until = now() + %(lease)s * interval '1 second',
  partial = coalesce(mine.partial::json, turns.partial),
  spent = coalesce(mine.spent::json, turns.spent)
FROM unnest(string_to_array(%(turns)s, E'\\n'), string_to_array(%(partials)s, E'\\n', ''),
    string_to_array(%(spent)s, E'\\n', '')) AS mine (id, partial, spent)
WHERE turns.id = mine.id AND turns.owner = %(owner)s AND turns.status = 'running'
RETURNING turns.id, turns.stop_requested
"""

_STOP: LiteralString = """
WITH found AS (
  SELECT turns.id FROM threads JOIN turns ON turns.thread = threads.id
  WHERE threads.id = %(thread)s AND threads.workspace = %(workspace)s
    AND threads.user_id = %(user)s AND turns.id = %(turn)s),
asked AS (
  UPDATE turns SET stop_requested = true FROM found
  WHERE turns.id = found.id AND turns.status = 'running' RETURNING turns.id)
SELECT asked.id IS NOT NULL FROM found LEFT JOIN asked USING (id)
"""

_TO_STOP: LiteralString = """
SELECT id FROM turns
WHERE id = ANY(%(turns)s::text[]) AND (stop_requested OR owner <> %(owner)s)
"""

_EVENTS: LiteralString = """
SELECT events FROM turn_events JOIN turns ON turns.id = turn_events.turn
JOIN threads ON threads.id = turns.thread
WHERE turns.id = %(turn)s AND threads.id = %(thread)s
  AND threads.workspace = %(workspace)s AND threads.user_id = %(user)s
"""

_PARTS: LiteralString = """
SELECT messages.parts::text FROM turns JOIN threads ON threads.id = turns.thread
JOIN messages ON messages.thread = turns.thread AND messages.id = turns.assistant_message
WHERE turns.id = %(turn)s AND threads.id = %(thread)s
  AND threads.workspace = %(workspace)s AND threads.user_id = %(user)s
"""

_SAVE_CHECKPOINT: LiteralString = """
INSERT INTO checkpoints (turn, data)
SELECT id, %(data)s FROM turns WHERE id = %(turn)s AND fence = %(fence)s AND status = 'running'
ON CONFLICT (turn) DO UPDATE SET data = excluded.data, updated_at = now()
RETURNING turn
"""

_HAND_OVER: LiteralString = """
UPDATE turns SET lease_until = now(), partial = %(partial)s::json, spent = %(spent)s::json
WHERE id = %(turn)s AND fence = %(fence)s AND status = 'running'
RETURNING id
"""
