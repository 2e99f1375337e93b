"""What was made of an answer after it ended: kept with its message, and as the thread's title."""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

import msgspec

from parlour.domain import Principal, TextPart, ThreadId, TurnId
from parlour.errors import TurnNotFound
from parlour.store.claims import title_of
from parlour.store.database import Database


@dataclass(frozen=True, slots=True)
class Enriched:
    """Follow-up questions and the thread's title. `settled`: nothing more will come."""

    questions: tuple[str, ...]
    title: str
    settled: bool


class Enrichments:
    """All queries about enrichments. Every method raises `StoreUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(
        self, turn: TurnId, *, questions: tuple[str, ...], title: str, instead_of: str
    ) -> None:
        """Keep the questions with the turn's message, and the title unless people gave one.

        `instead_of` is the text whose first words are the title that nobody chose.
        """
        await self._database.fetch(
            _SAVE,
            {
                "turn": turn,
                "more": msgspec.json.encode({"followups": questions}).decode(),
                "title": title,
                "old": title_of((TextPart(instead_of),)),
            },
        )

    async def get(self, principal: Principal, thread: ThreadId, turn: TurnId) -> Enriched:
        """What there is by now. Raises `TurnNotFound`, also when it is somebody else's."""
        rows = await self._database.fetch(
            _READ,
            {
                "turn": turn,
                "thread": thread,
                "workspace": principal.workspace,
                "user": principal.user,
            },
        )
        if not rows:
            raise TurnNotFound("There is no such turn in this conversation.")
        kept, title, status = rows[0]
        ended_otherwise = status not in {"running", "done"}
        questions = msgspec.json.decode(kept, type=tuple[str, ...]) if kept else ()
        return Enriched(questions, title, kept is not None or ended_otherwise)


_SAVE: LiteralString = """
WITH m AS (
  UPDATE messages SET metadata = (coalesce(metadata::jsonb, '{}') || %(more)s::jsonb)::json
  FROM turns WHERE turns.id = %(turn)s AND messages.thread = turns.thread
    AND messages.id = turns.assistant_message AND turns.status = 'done')
UPDATE threads SET title = %(title)s FROM turns
WHERE turns.id = %(turn)s AND threads.id = turns.thread AND %(title)s <> ''
  AND threads.title = %(old)s
RETURNING threads.id
"""

_READ: LiteralString = """
SELECT (messages.metadata -> 'followups')::text, threads.title, turns.status
FROM threads JOIN turns ON turns.thread = threads.id
JOIN messages ON messages.thread = turns.thread AND messages.id = turns.assistant_message
WHERE threads.id = %(thread)s AND threads.workspace = %(workspace)s
  AND threads.user_id = %(user)s AND turns.id = %(turn)s
"""
