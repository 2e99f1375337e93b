"""The journal of calls that may change something: written before the call is sent.

A call with an outcome is never made again, its outcome is used instead. A call that was sent and
has none may have taken effect or not: that is told, and it is not made again either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

import msgspec

from parlour.domain import ToolOutcome, TurnId
from parlour.errors import TurnLost
from parlour.store.database import Database

_encode = msgspec.json.Encoder().encode
_outcome = msgspec.json.Decoder(ToolOutcome)


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a call stands. `first`: it was written down just now and may be sent."""

    first: bool
    outcome: ToolOutcome | None = None


class Journal:
    """All queries about the journal. Every method raises `StoreUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def send(self, turn: TurnId, key: str, *, name: str, by: TurnId, fence: int) -> Entry:
        """Write down that the running turn `by` is about to make the call `key` of `turn`.

        Raises `TurnLost` when `by` is not running any more with this fence.
        """
        rows = await self._database.fetch(
            _SEND, {"turn": turn, "key": key, "name": name, "by": by, "fence": fence}
        )
        mine, written, outcome = rows[0]
        if not mine:
            raise TurnLost("Another process has taken over this answer.")
        if written:
            return Entry(first=True)
        return Entry(first=False, outcome=None if outcome is None else _outcome.decode(outcome))

    async def ended(self, turn: TurnId, key: str, outcome: ToolOutcome) -> None:
        """Write down what came of it; the first outcome stays."""
        values = {"turn": turn, "key": key, "outcome": _encode(outcome).decode()}
        await self._database.fetch(_ENDED, values)


_SEND: LiteralString = """
WITH mine AS (
  SELECT id FROM turns WHERE id = %(by)s AND status = 'running' AND fence = %(fence)s FOR UPDATE),
written AS (
  INSERT INTO call_journal (turn, key, sent_by, name)
  SELECT %(turn)s, %(key)s, id, %(name)s FROM mine ON CONFLICT DO NOTHING RETURNING key)
SELECT EXISTS (SELECT FROM mine), EXISTS (SELECT FROM written),
  (SELECT outcome::text FROM call_journal WHERE turn = %(turn)s AND key = %(key)s)
"""

_ENDED: LiteralString = """
UPDATE call_journal SET outcome = %(outcome)s::json, ended_at = now()
WHERE turn = %(turn)s AND key = %(key)s AND outcome IS NULL RETURNING key
"""
