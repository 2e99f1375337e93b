"""Taking over turns whose process fell silent: one statement decides who goes on with which.

A turn comes with all that going on needs: who asked and what, the conversation before it, what its
former owner had said at its last heartbeat, and its last completed round. The fence grows, so that
a former owner that was only frozen changes nothing any more. What it had spent is booked once: the
turn begins again with nothing spent (`[]`), which is not the same as never having told.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, LiteralString

import msgspec

from parlour.domain import Message, MessageId, ModelCall, Part, Principal, ThreadId, TurnId, Usage
from parlour.store.approvals import principal_of
from parlour.store.claims import message_of
from parlour.store.database import Database, Row
from parlour.store.lost import BUCKETS, SILENT, Leave, LostTurn, book, booked, lost_turn
from parlour.store.parts import parts_in


@dataclass(frozen=True, slots=True)
class Adopted:
    """A turn that is ours now. `spent` is what its former owner used; it is booked already."""

    turn: TurnId
    thread: ThreadId
    principal: Principal
    surface: str  # where they talk
    question: MessageId
    answer: MessageId
    fence: int
    takeovers: int
    parts: tuple[Part, ...]
    checkpoint: bytes | None
    history: list[Message]
    summary: str
    page: bytes | None
    paged: bool  # it, or a question before it, had a page
    spent: Usage
    lost: LostTurn


async def adopt(
    database: Database,
    owner: str,
    price: Callable[[str, ModelCall], ModelCall],
    *,
    lease_s: float,
    window: int,
    leave: Leave,
    most: int,
    mine: Collection[TurnId] = (),
) -> list[Adopted]:
    """See `Turns.adopt`."""
    async with database.connection() as connection, connection.transaction():
        values = {
            "owner": owner,
            "lease": lease_s,
            "most": most,
            "takeovers": leave.takeovers_max,
            "mine": list(mine),
        }
        cursor = await connection.execute(_SILENT, values)
        silent = await cursor.fetchall()
        bills = {row[0]: booked(row, price) for row in silent}
        if bills:
            await book(connection, bills)
        adopted: list[Adopted] = []
        for row in silent:
            cursor = await connection.execute(_TAKE, {**values, "turn": row[0], "window": window})
            taken = await cursor.fetchall()
            adopted.append(_adopted(row, taken, lost_turn(row, bills[row[0]]), bills[row[0]]))
    return adopted


def _adopted(row: Row, taken: list[Row], lost: LostTurn, calls: list[dict[str, object]]) -> Adopted:
    fence, takeovers, question, said, checkpoint, page = taken[0][:6]
    summary: str | None = taken[0][13]
    # What a summary covers ends with the message that it hangs on.
    rest = taken[1:] if summary is not None else taken
    history = [message_of(lost.thread, each[6:13]) for each in rest]
    asker: dict[str, Any] = msgspec.json.decode(said)
    surface: str = asker.get("surface", "")
    spent = Usage(estimated=bool(calls))
    for call in calls:
        spent = spent + Usage(**{bucket: call[bucket] for bucket in BUCKETS})  # pyright: ignore[reportArgumentType]
    return Adopted(
        turn=lost.id,
        thread=lost.thread,
        principal=principal_of(lost.workspace, lost.user, asker),
        surface=surface,
        question=question,
        answer=lost.assistant_message,
        fence=fence,
        takeovers=takeovers,
        parts=parts_in(row[6]) if row[6] else (),
        checkpoint=None if checkpoint is None else bytes(checkpoint),
        history=history,
        summary=summary or "",
        page=None if page is None else page.encode(),
        paged=any(each[14] for each in taken),
        spent=spent,
        lost=lost,
    )


_SILENT: LiteralString = (
    SILENT
    + """
WHERE turns.status = 'running' AND turns.lease_until < now() AND turns.trigger <> 'approval'
  AND turns.principal IS NOT NULL AND NOT turns.stop_requested
  AND turns.takeovers < %(takeovers)s AND turns.id <> ALL(%(mine)s)
ORDER BY turns.lease_until LIMIT %(most)s FOR UPDATE OF turns SKIP LOCKED
"""
)

_TAKE: LiteralString = """
WITH RECURSIVE taken AS (
  UPDATE turns SET owner = %(owner)s, fence = fence + 1, takeovers = takeovers + 1, spent = '[]',
    lease_until = now() + %(lease)s * interval '1 second'
  WHERE id = %(turn)s RETURNING id, thread, fence, takeovers, user_message, principal),
branch AS (
  SELECT m.thread, m.id, m.parent, m.role, m.parts, m.metadata, m.status, m.turn, m.created_at,
    1 AS depth, NULL::text AS summary
  FROM taken JOIN messages m ON m.thread = taken.thread AND m.id = taken.user_message
  UNION ALL
  SELECT m.thread, m.id, m.parent, m.role, m.parts, m.metadata, m.status, m.turn, m.created_at,
    b.depth + 1, s.text
  FROM branch b JOIN messages m ON m.thread = b.thread AND m.id = b.parent
  LEFT JOIN summaries s ON s.thread = m.thread AND s.message = m.id AND s.expires_at > now()
  WHERE b.summary IS NULL AND b.depth < %(window)s)
SELECT taken.fence, taken.takeovers, taken.user_message, taken.principal::text,
  (SELECT data FROM checkpoints WHERE turn = taken.id),
  (SELECT (metadata->'page')::text FROM branch WHERE depth = 1),
  b.id, b.parent, b.role, b.parts::text, b.status, b.turn, b.created_at, b.summary,
  b.metadata->'page' IS NOT NULL
FROM taken JOIN branch b ON true
ORDER BY b.depth DESC
"""
