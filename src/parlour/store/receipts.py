"""Receipts: what a person was last shown at a surface, and for how long they have talked since.

The row is what a turn asks for; the proof is a link of the audit chain, written with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from parlour.domain import Principal
from parlour.store.audit import Audit
from parlour.store.database import Database

KIND = "disclosure"  # of the link


@dataclass(frozen=True, slots=True)
class Receipt:
    """Somebody was shown an edition."""

    id: str
    surface: str
    edition: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Activity:
    """How long somebody has talked, in seconds, and when they last sent a message."""

    active_s: float
    last_at: datetime | None


class Receipts:
    """All queries about receipts. Every method raises `StoreUnavailable`."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._database = database
        self._audit = audit

    async def last(self, principal: Principal, surface: str) -> Receipt | None:
        """The newest receipt of a person at a surface."""
        values = {
            "workspace": principal.workspace,
            "user": principal.user,
            "surface": surface,
        }
        rows = await self._database.fetch(_LAST, values)
        return Receipt(rows[0][0], surface, rows[0][1], rows[0][2]) if rows else None

    async def keep(self, principal: Principal, receipt: Receipt, body: dict[str, Any]) -> None:
        """Write a receipt, and `body` (what was shown, as JSON) into the chain."""
        values = {
            "workspace": principal.workspace,
            "user": principal.user,
            "surface": receipt.surface,
            "id": receipt.id,
            "edition": receipt.edition,
            "at": receipt.at,
        }
        await self._audit.record(
            principal.workspace, principal.user, KIND, body, beside=[(_KEEP, values)]
        )

    async def activity(self, principal: Principal, since: datetime, pause_s: float) -> Activity:
        """How long a person has talked since then; a pause counts as `pause_s` at most."""
        values = {
            "workspace": principal.workspace,
            "user": principal.user,
            "since": since,
            "pause": pause_s,
        }
        active_s, last_at = (await self._database.fetch(_ACTIVITY, values))[0]
        return Activity(float(active_s), last_at)


_LAST: LiteralString = """
SELECT id, edition, at FROM receipts
WHERE workspace = %(workspace)s AND user_id = %(user)s AND surface = %(surface)s
"""

_KEEP: LiteralString = """
INSERT INTO receipts (workspace, user_id, surface, id, edition, seq, at)
SELECT %(workspace)s, %(user)s, %(surface)s, %(id)s, %(edition)s, max(seq), %(at)s
FROM audit WHERE workspace = %(workspace)s
ON CONFLICT (workspace, user_id, surface) DO UPDATE
SET id = excluded.id, edition = excluded.edition, seq = excluded.seq, at = excluded.at
"""

_ACTIVITY: LiteralString = """
SELECT coalesce(sum(least(pause, %(pause)s)), 0), max(created_at) FROM (
  SELECT turns.created_at, extract(epoch FROM turns.created_at
    - lag(turns.created_at, 1, %(since)s) OVER (ORDER BY turns.created_at)) AS pause
  FROM threads JOIN turns ON turns.thread = threads.id
  WHERE threads.workspace = %(workspace)s AND threads.user_id = %(user)s
    AND threads.updated_at > %(since)s AND turns.created_at > %(since)s) talk
"""
