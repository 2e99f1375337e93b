"""Reading the audit chain: its links, and whether it is whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

from parlour.store.audit import facts_digest, link_digest
from parlour.store.database import Database, Row

PAGE = 1_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Link:
    """One link. `user` and `body` are None when the person was erased."""

    workspace: str
    seq: int
    at: datetime
    kind: str
    turn: str | None
    user: str | None
    body: dict[str, Any] | None
    hash: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look at a whole chain found. `broken_at` is the first link that is not as written.

    Keep `seq` and `head` somewhere else: a chain that was made anew as a whole has another head.
    """

    workspace: str
    seq: int
    head: str
    erased: int
    broken_at: int | None = None
    why: str = ""


class AuditTrail:
    """Questions about the chains. Every method raises `StoreUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def workspaces(self) -> list[str]:
        """All workspaces that have a chain."""
        rows = await self._database.fetch(_WORKSPACES)
        return [row[0] for row in rows]

    async def links(
        self,
        workspace: str,
        *,
        user: str | None = None,
        kind: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[Link]:
        """The newest `limit` links, newest first, of those that match. `until` is exclusive."""
        values = {
            "workspace": workspace,
            "user": user,
            "kind": kind,
            "since": since,
            "until": until,
            "before": before,
            "limit": limit,
        }
        rows = await self._database.fetch(_LINKS if user is None else _LINKS_OF_USER, values)
        return [_link(workspace, row) for row in rows]

    async def verify(self, workspace: str) -> Verdict:
        """Make every hash anew, from the first link to the last."""
        last, seq, erased = b"", 0, 0
        gone: list[int] = []
        allowed: list[tuple[int, int]] = []
        async for row in self._rows(workspace):
            number, _, kind, _, _, stored, user, body, _ = row
            why = _complaint(workspace, seq, row, last)
            if why:
                return Verdict(workspace, seq, last.hex(), erased, seq + 1, why)
            seq, last = number, bytes(stored)
            if user is None:
                erased += 1
                gone.append(number)
            elif kind == "erasure":
                allowed += [(first, until) for first, until in json.loads(body)["seqs"]]
        for number in gone:
            if not any(first <= number <= until for first, until in allowed):
                why = "its facts are gone, and no erasure names it"
                return Verdict(workspace, seq, last.hex(), erased, number, why)
        return Verdict(workspace, seq, last.hex(), erased)

    async def _rows(self, workspace: str) -> AsyncIterator[Row]:
        after = 0
        while True:
            values = {"workspace": workspace, "after": after, "page": PAGE}
            rows = await self._database.fetch(_WHOLE, values)
            for row in rows:
                yield row
            if len(rows) < PAGE:
                return
            after = rows[-1][0]


def _complaint(workspace: str, before: int, row: Row, last: bytes) -> str:
    """What is wrong with the link after number `before` with hash `last`; empty = nothing."""
    seq, at, kind, turn, facts, stored, user, body, salt = row
    if seq != before + 1:
        return "it is missing"
    if user is not None and facts_digest(user, body, bytes(salt)) != bytes(facts):
        return "its facts are not what was written"
    micros = (at - EPOCH) // timedelta(microseconds=1)
    place = last + seq.to_bytes(8) + micros.to_bytes(8, signed=True)
    digest = link_digest(workspace, kind, turn, bytes(facts))
    if hashlib.sha256(place + digest).digest() != bytes(stored):
        return "it is not what was written, or does not follow the one before"
    return ""


def _link(workspace: str, row: Row) -> Link:
    seq, at, kind, turn, stored, user, body = row
    return Link(
        workspace,
        seq,
        at,
        kind,
        turn,
        user,
        None if body is None else json.loads(body),
        bytes(stored).hex(),
    )


_WHOLE: LiteralString = """
SELECT a.seq, a.at, a.kind, a.turn, a.facts, a.hash, f.user_id, f.body::text, f.salt
FROM audit a LEFT JOIN audit_facts f ON f.workspace = a.workspace AND f.seq = a.seq
WHERE a.workspace = %(workspace)s AND a.seq > %(after)s ORDER BY a.seq LIMIT %(page)s
"""

_MATCH: LiteralString = """
  AND (%(kind)s::text IS NULL OR a.kind = %(kind)s)
  AND (%(since)s::timestamptz IS NULL OR a.at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR a.at < %(until)s)
  AND (%(before)s::bigint IS NULL OR a.seq < %(before)s)
ORDER BY a.seq DESC LIMIT %(limit)s
"""

_LINKS: LiteralString = (
    """
SELECT a.seq, a.at, a.kind, a.turn, a.hash, f.user_id, f.body::text
FROM audit a LEFT JOIN audit_facts f ON f.workspace = a.workspace AND f.seq = a.seq
WHERE a.workspace = %(workspace)s"""
    + _MATCH
)

_LINKS_OF_USER: LiteralString = (
    """
SELECT a.seq, a.at, a.kind, a.turn, a.hash, f.user_id, f.body::text
FROM audit_facts f JOIN audit a ON a.workspace = f.workspace AND a.seq = f.seq
WHERE f.workspace = %(workspace)s AND f.user_id = %(user)s"""
    + _MATCH
)

# One look into the index for each workspace, however long its chain is.
_WORKSPACES: LiteralString = """
WITH RECURSIVE found AS (
  SELECT min(workspace) AS workspace FROM audit
  UNION ALL
  SELECT (SELECT min(workspace) FROM audit WHERE workspace > found.workspace) FROM found
  WHERE found.workspace IS NOT NULL)
SELECT workspace FROM found WHERE workspace IS NOT NULL
"""
