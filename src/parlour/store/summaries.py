"""Summaries: kept by the last message that they cover, read with the branch that leads to it.

The claim reads the newest one of its branch by itself (store/claim_sql.py); here is what making
them needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

from parlour.domain import Message, MessageId, Role, ThreadId, TurnStatus
from parlour.store.database import Database
from parlour.store.parts import parts_in

WALK_MAX = 5_000  # messages of one branch; of a longer one the newest count


@dataclass(frozen=True, slots=True)
class Uncovered:
    """The part of a branch that no summary covers: its oldest messages, oldest first.

    `total` is how many there are, `summary` what is known of everything before.
    """

    summary: str
    messages: tuple[Message, ...]
    total: int


class Summaries:
    """All queries about summaries. Every method raises `StoreUnavailable`.

    A thread is named by whoever runs a turn in it, and so has proven whose it is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def uncovered(self, thread: ThreadId, head: MessageId, *, most: int) -> Uncovered:
        """The oldest `most` messages of the branch of `head` that no live summary covers."""
        rows = await self._database.fetch(
            _UNCOVERED, {"thread": thread, "head": head, "most": most, "walk": WALK_MAX}
        )
        summary = next((row[7] for row in rows if row[7] is not None), "")
        total = max((row[6] for row in rows if row[7] is None), default=0)
        messages = tuple(
            Message(
                row[0],
                thread,
                row[1],
                Role(row[2]),
                parts_in(row[3]),
                row[5],
                TurnStatus(row[4]),
            )
            for row in rows
            if row[7] is None
        )
        return Uncovered(summary, messages[:most], total)

    async def save(
        self,
        thread: ThreadId,
        message: MessageId,
        *,
        text: str,
        tokens: int,
        model: str,
        days: float,
    ) -> bool:
        """Keep a summary up to and including `message` for `days`. False when that is gone."""
        rows = await self._database.fetch(
            _SAVE,
            {
                "thread": thread,
                "message": message,
                "text": text,
                "tokens": tokens,
                "model": model,
                "days": days,
            },
        )
        return bool(rows)


# Ids alone are walked, from the head up to the newest summary; parts are read of the oldest.
_UNCOVERED: LiteralString = """
WITH RECURSIVE branch AS (
  SELECT m.id, m.parent, 1 AS depth, s.text AS summary
  FROM messages m LEFT JOIN summaries s
    ON s.thread = m.thread AND s.message = m.id AND s.expires_at > now()
  WHERE m.thread = %(thread)s AND m.id = %(head)s
  UNION ALL
  SELECT m.id, m.parent, b.depth + 1, s.text
  FROM branch b CROSS JOIN LATERAL (
    SELECT * FROM messages x WHERE x.thread = %(thread)s AND x.id = b.parent OFFSET 0) m
  LEFT JOIN summaries s ON s.thread = m.thread AND s.message = m.id AND s.expires_at > now()
  WHERE b.summary IS NULL AND b.depth < %(walk)s),
oldest AS (SELECT * FROM branch ORDER BY depth DESC LIMIT %(most)s + 1)
SELECT m.id, m.parent, m.role, m.parts::text, m.status, m.created_at, o.depth, o.summary
FROM oldest o CROSS JOIN LATERAL (
  SELECT * FROM messages x WHERE x.thread = %(thread)s AND x.id = o.id OFFSET 0) m
ORDER BY o.depth DESC
"""

_SAVE: LiteralString = """
INSERT INTO summaries (thread, message, text, tokens, model, expires_at)
SELECT m.thread, m.id, %(text)s, %(tokens)s, %(model)s, now() + %(days)s * interval '1 day'
FROM messages m WHERE m.thread = %(thread)s AND m.id = %(message)s
ON CONFLICT (thread, message) DO UPDATE SET text = excluded.text, tokens = excluded.tokens,
  model = excluded.model, expires_at = excluded.expires_at
RETURNING message
"""
