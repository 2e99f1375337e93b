"""What people are asked: who may see it, what they decided, and what has to go on or be given up.

A decision is written in one statement and only once; whether it is carried out is another step, so
that nothing between the two can lose it. Times are by the clock of the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, LiteralString

import msgspec

from parlour.domain import MessageId, Part, Principal, ThreadId, TurnId, UserId, WorkspaceId
from parlour.errors import ApprovalNotFound, ThreadNotFound
from parlour.store.database import Database, Row
from parlour.store.parts import parts_in
from parlour.store.waiting import OPEN, Settled, supersede

Decision = Literal["approve", "decline"]
LATE_S = 300.0  # an approved call is made at most so long after it would have expired
SWEEP_MAX = 50

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Approval:
    """One question to a person, as it is stored."""

    id: str
    thread: ThreadId
    turn: TurnId
    call_id: str
    name: str
    server: str
    tool: str
    title: str
    arguments: Any
    digest: str
    acts_as: str
    undoable: bool
    reason: str
    signature: bytes
    expires_at: datetime
    decision: Decision | None
    cause: str | None
    decided_by: str | None
    decided_at: datetime | None
    seal: bytes | None
    attempts: int
    open: bool
    expired: bool
    surface: str  # where the person talks who is asked


@dataclass(frozen=True, slots=True)
class Asked:
    """What a turn that ends waiting asks: rows in plain values, and as whom they would act."""

    rows: Sequence[dict[str, Any]]
    principal: Principal
    surface: str

    def values(self) -> dict[str, Any]:
        """For the statement that ends the turn."""
        return {
            "asked": _encode(self.rows).decode(),
            "principal": asker(self.principal, self.surface),
        }


@dataclass(frozen=True, slots=True)
class WaitingTurn:
    """All that is needed to go on after a turn that waited."""

    turn: TurnId
    thread: ThreadId
    message: MessageId
    principal: Principal  # who decided last
    parts: tuple[Part, ...]
    events: bytes | None
    checkpoint: bytes
    approvals: tuple[Approval, ...]


class Approvals:
    """All queries about approvals. Every method raises `StoreUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def now(self) -> datetime:
        """What time it is by the clock that judges whether something has expired."""
        return (await self._database.fetch("SELECT now()"))[0][0]

    async def open_in(self, principal: Principal, thread: ThreadId) -> list[Approval]:
        """What waits in a conversation, in the order it was asked. Empty for somebody else's."""
        rows = await self._database.fetch(
            _APPROVAL + " AND approvals.closed_at IS NULL ORDER BY approvals.created_at, position",
            _scope(principal, thread),
        )
        return [_approval(row) for row in rows]

    async def listed(self, principal: Principal, thread: ThreadId) -> list[Approval]:
        """As `open_in`. Raises `ThreadNotFound` when there is none of theirs."""
        found = await self.open_in(principal, thread)
        if not found and not await self._database.fetch(_THREAD, _scope(principal, thread)):
            raise ThreadNotFound("There is no such conversation.")
        return found

    async def get(self, principal: Principal, thread: ThreadId, approval: str) -> Approval:
        """One approval. Raises `ApprovalNotFound`, also when it is somebody else's."""
        rows = await self._database.fetch(
            _APPROVAL + " AND approvals.id = %(id)s", {**_scope(principal, thread), "id": approval}
        )
        if not rows:
            raise ApprovalNotFound("There is no such approval in this conversation.")
        return _approval(rows[0])

    async def decide(
        self, principal: Principal, approval: Approval, decision: Decision, seal: bytes
    ) -> bool:
        """Write the decision down, once. False: it was decided, expired or given up before."""
        rows = await self._database.fetch(
            _DECIDE,
            {
                **_scope(principal, approval.thread),
                "id": approval.id,
                "decision": decision,
                "seal": seal,
                "principal": asker(principal, approval.surface),
            },
        )
        return bool(rows)

    async def waiting(self, turn: TurnId) -> WaitingTurn | None:
        """A turn whose questions are all decided and not carried out; None when there is none."""
        rows = await self._database.fetch(_WAITING, {"turn": turn})
        asked = await self._database.fetch(
            _COLUMNS + " WHERE approvals.turn = %(turn)s ORDER BY position", {"turn": turn}
        )
        approvals = tuple(_approval(row) for row in asked)
        if not rows or not approvals or any(a.decision is None or not a.open for a in approvals):
            return None
        thread, message, parts, events, checkpoint, workspace, user, said = rows[0]
        return WaitingTurn(
            turn=turn,
            thread=thread,
            message=message,
            principal=principal_of(workspace, user, msgspec.json.decode(said)),
            parts=parts_in(parts),
            events=None if events is None else bytes(events),
            checkpoint=bytes(checkpoint),
            approvals=approvals,
        )

    async def gone_on(self, turn: TurnId) -> tuple[TurnId, MessageId] | None:
        """The newest turn that went on after one that waited, and its answer."""
        rows = await self._database.fetch(
            "SELECT id, assistant_message FROM turns WHERE continues = %(turn)s"
            " AND thread = (SELECT thread FROM turns WHERE id = %(turn)s)"
            " ORDER BY seq DESC LIMIT 1",
            {"turn": turn},
        )
        return (TurnId(rows[0][0]), MessageId(rows[0][1])) if rows else None

    async def to_carry_out(self, attempts_max: int) -> list[TurnId]:
        """Waiting turns whose questions are all decided and that nobody goes on with."""
        rows = await self._database.fetch(
            _READY, {"late": LATE_S, "attempts": attempts_max, "most": SWEEP_MAX}
        )
        return [row[0] for row in rows]

    async def to_give_up(self, attempts_max: int) -> list[ThreadId]:
        """Conversations in which something waits that can no longer be decided or carried out."""
        rows = await self._database.fetch(
            _OVERDUE, {"late": LATE_S, "attempts": attempts_max, "most": SWEEP_MAX}
        )
        return [row[0] for row in rows]

    async def give_up(
        self, thread: ThreadId, cause: str, *, principal: Principal | None = None
    ) -> list[tuple[WorkspaceId, UserId, Settled]]:
        """Decline all that waits in a conversation, unless an answer is going on there.

        With `principal`: only in their own conversation.
        """
        async with self._database.connection() as connection, connection.transaction():
            cursor = await connection.execute(_LOCK, {"thread": thread})
            row = await cursor.fetchone()
            if row is None or row[2]:
                return []
            workspace, user = row[:2]
            if principal is not None and (principal.workspace, principal.user) != (workspace, user):
                return []
            cursor = await connection.execute(OPEN, {"thread": thread})
            waits = await cursor.fetchall()
            settled = await supersede(connection, thread, waits, cause) if waits else []
        return [(workspace, user, each) for each in settled]


def plain(principal: Principal) -> dict[str, Any]:
    """What a token said of a person, to act as them later; workspace and user stand elsewhere."""
    return {
        "name": principal.name,
        "roles": sorted(principal.roles),
        "tier": principal.tier,
        "jurisdiction": principal.jurisdiction,
        "locale": principal.locale,
        "local": principal.local,
        "claims": principal.claims,
    }


def asker(principal: Principal, surface: str) -> str:
    """Who asks and where they talk, as JSON, for whoever goes on with their turn."""
    return _encode({**plain(principal), "surface": surface}).decode()


def principal_of(workspace: str, user: str, said: dict[str, Any]) -> Principal:
    """The inverse of `plain`, and of `asker`, whose surface is read apart."""
    mine = {name: value for name, value in said.items() if name not in {"surface", "roles"}}
    roles = frozenset(said["roles"])
    return Principal(WorkspaceId(workspace), UserId(user), roles=roles, **mine)


def _scope(principal: Principal, thread: ThreadId) -> dict[str, Any]:
    return {"workspace": principal.workspace, "user": principal.user, "thread": thread}


def _approval(row: Row) -> Approval:
    values = list(row)
    values[8] = msgspec.json.decode(values[8])
    values[13] = bytes(values[13])
    values[19] = None if values[19] is None else bytes(values[19])
    values[-1] = msgspec.json.decode(values[-1]).get("surface", "")
    return Approval(*values)


_COLUMNS: LiteralString = """
SELECT approvals.id, approvals.thread, turn, call_id, name, server, tool, approvals.title,
  arguments::text, digest, acts_as, undoable, reason, signature, expires_at, decision, cause,
  decided_by, decided_at, seal, attempts, closed_at IS NULL, expires_at <= now(),
  principal::text
FROM approvals
"""

_APPROVAL: LiteralString = (
    _COLUMNS
    + """
JOIN threads ON threads.id = approvals.thread
WHERE threads.id = %(thread)s AND threads.workspace = %(workspace)s AND threads.user_id = %(user)s
"""
)

_THREAD: LiteralString = """
SELECT 1 FROM threads
WHERE id = %(thread)s AND workspace = %(workspace)s AND user_id = %(user)s
"""

_DECIDE: LiteralString = """
UPDATE approvals SET decision = %(decision)s, cause = 'person', decided_by = %(user)s,
  decided_at = now(), seal = %(seal)s, principal = %(principal)s::json
FROM threads
WHERE approvals.id = %(id)s AND threads.id = approvals.thread AND threads.id = %(thread)s
  AND threads.workspace = %(workspace)s AND threads.user_id = %(user)s
  AND decision IS NULL AND closed_at IS NULL AND expires_at > now()
RETURNING approvals.id
"""

_WAITING: LiteralString = """
SELECT turns.thread, messages.id, messages.parts::text, turn_events.events, checkpoints.data,
  threads.workspace, threads.user_id, said.principal::text
FROM turns JOIN threads ON threads.id = turns.thread
JOIN messages ON messages.thread = turns.thread AND messages.id = turns.assistant_message
JOIN checkpoints ON checkpoints.turn = turns.id
LEFT JOIN turn_events ON turn_events.turn = turns.id
CROSS JOIN LATERAL (
  SELECT principal FROM approvals WHERE approvals.turn = turns.id
  ORDER BY decided_at DESC NULLS LAST LIMIT 1) said
WHERE turns.id = %(turn)s AND turns.status = 'waiting'
"""

# Of each turn with open questions: is all decided, by when, and how often was it tried?
_OPEN_TURNS: LiteralString = """
SELECT turn, thread, bool_and(decision IS NOT NULL) AS decided, min(expires_at) AS expires_at,
  max(attempts) AS attempts
FROM approvals WHERE closed_at IS NULL
  AND NOT EXISTS (SELECT FROM turns r WHERE r.thread = approvals.thread AND r.status = 'running')
GROUP BY turn, thread
"""

_READY: LiteralString = """
WITH waits AS ({waits})
SELECT turn FROM waits WHERE decided AND attempts < %(attempts)s
  AND now() < expires_at + make_interval(secs => %(late)s) LIMIT %(most)s
""".replace("{waits}", _OPEN_TURNS)

_OVERDUE: LiteralString = """
WITH waits AS ({waits})
SELECT DISTINCT thread FROM waits
WHERE NOT decided AND now() >= expires_at
  OR decided AND (attempts >= %(attempts)s
    OR now() >= expires_at + make_interval(secs => %(late)s)) LIMIT %(most)s
""".replace("{waits}", _OPEN_TURNS)

_LOCK: LiteralString = """
SELECT workspace, user_id,
  EXISTS (SELECT FROM turns WHERE thread = %(thread)s AND status = 'running')
FROM threads WHERE id = %(thread)s FOR UPDATE
"""
