"""The statement that claims a turn, in its four forms.

`thread` locks the row, moves the head and knows the old one. `place` says after which message
the question stands (submit, edit), or which question is answered again. Everything else hangs on
`turn`, which stays empty when a key or the running turn of the thread stands in the way. One row
comes back for each message of the history, oldest first, or one without a message.

The branch is walked from its newest message up to the first one that a summary covers; that one
comes with the summary, before the history. A summary that has fallen behind the window is looked
for three windows far: better a gap than to forget everything. `OFFSET 0` makes each step one look
at the primary key: a planner without statistics would read the whole thread for it.
"""

from __future__ import annotations

from typing import Literal, LiteralString

Trigger = Literal["submit", "edit", "regenerate", "approval"]

REACH: LiteralString = "3"  # windows

_SUBMIT: LiteralString = """
w AS (INSERT INTO workspaces (id) VALUES (%(workspace)s) ON CONFLICT DO NOTHING),
u AS (INSERT INTO users (workspace, id) VALUES (%(workspace)s, %(user)s) ON CONFLICT DO NOTHING),
thread AS (
  INSERT INTO threads AS t (id, workspace, user_id, title, head, hidden)
  VALUES (%(thread)s, %(workspace)s, %(user)s, %(title)s, %(answer)s, %(hidden)s)
  ON CONFLICT (id) DO UPDATE SET previous_head = t.head, head = excluded.head, updated_at = now(),
    title = CASE WHEN t.title = '' THEN excluded.title ELSE t.title END
  WHERE t.workspace = excluded.workspace AND t.user_id = excluded.user_id
  RETURNING previous_head),
place AS (
  SELECT previous_head AS parent, %(question)s::text AS question, true AS found,
    %(page)s::json AS page FROM thread)
"""

_EXISTING: LiteralString = """
thread AS (
  UPDATE threads SET previous_head = head, head = %(answer)s, updated_at = now()
  WHERE id = %(thread)s AND workspace = %(workspace)s AND user_id = %(user)s
  RETURNING id),
"""

_EDIT: LiteralString = """
place AS (
  SELECT m.parent, %(question)s::text AS question, m.id IS NOT NULL AS found,
    coalesce(%(page)s::json, m.metadata->'page') AS page FROM thread
  LEFT JOIN messages m ON m.thread = thread.id AND m.id = %(target)s AND m.role = 'user')
"""

_REGENERATE: LiteralString = """
place AS (
  SELECT CASE WHEN m.role = 'user' THEN m.id ELSE m.parent END AS question,
    NULL::text AS parent, m.id IS NOT NULL AS found FROM thread
  LEFT JOIN messages m ON m.thread = thread.id AND m.id = %(target)s)
"""

# `target` is the turn that waits; its message is made on, with the parts it has (`parts`).
_WAITED: LiteralString = """
place AS (
  SELECT w.user_message AS question, NULL::text AS parent, w.id IS NOT NULL AS found FROM thread
  LEFT JOIN turns w ON w.thread = thread.id AND w.id = %(target)s AND w.status = 'waiting'
    AND w.assistant_message = %(answer)s)
"""

_TURN_ON: LiteralString = """,
turn AS (
  INSERT INTO turns (id, thread, user_message, assistant_message, client_key, body_hash, trigger,
    model, route, owner, lease_until, continues, partial)
  SELECT %(turn)s, %(thread)s, question, %(answer)s, %(key)s, %(hash)s, %(trigger)s,
    %(model)s, %(route)s, %(owner)s, now() + %(lease)s * interval '1 second', %(target)s,
    %(parts)s::json
  FROM place WHERE found
  ON CONFLICT DO NOTHING RETURNING fence),
answer AS (
  UPDATE messages SET status = 'running', turn = %(turn)s, parts = %(parts)s::json FROM turn
  WHERE messages.thread = %(thread)s AND messages.id = %(answer)s)
"""

_TURN: LiteralString = """,
turn AS (
  INSERT INTO turns (id, thread, user_message, assistant_message, client_key, body_hash, trigger,
    model, route, owner, lease_until, principal)
  SELECT %(turn)s, %(thread)s, question, %(answer)s, %(key)s, %(hash)s, %(trigger)s,
    %(model)s, %(route)s, %(owner)s, now() + %(lease)s * interval '1 second', %(principal)s::json
  FROM place WHERE found
  ON CONFLICT DO NOTHING RETURNING fence)
"""

_QUESTION: LiteralString = """,
question AS (
  INSERT INTO messages (thread, id, parent, role, status, turn, parts, metadata)
  SELECT %(thread)s, question, parent, 'user', 'done', %(turn)s, %(parts)s::json,
    CASE WHEN page IS NOT NULL THEN json_build_object('page', page) END FROM place, turn
  ON CONFLICT DO NOTHING RETURNING created_at)
"""

_ANSWER: LiteralString = """,
answer AS (
  INSERT INTO messages (thread, id, parent, role, status, turn, parts, metadata)
  SELECT %(thread)s, %(answer)s, place.question, 'assistant', 'running', %(turn)s, '[]',
    json_build_object('model', %(model)s::text)
  FROM place, turn {question})
"""

_BRANCH: LiteralString = """,
branch AS (
  SELECT m.thread, m.id, m.parent, m.role, m.parts, m.metadata, m.status, m.turn, m.created_at,
    1 AS depth, s.text AS summary
  FROM place CROSS JOIN LATERAL (
    SELECT * FROM messages x WHERE x.thread = %(thread)s AND x.id = {start} OFFSET 0) m
  LEFT JOIN summaries s ON s.thread = m.thread AND s.message = m.id AND s.expires_at > now()
  UNION ALL
  SELECT m.thread, m.id, m.parent, m.role, m.parts, m.metadata, m.status, m.turn, m.created_at,
    b.depth + 1, s.text
  FROM branch b CROSS JOIN LATERAL (
    SELECT * FROM messages x WHERE x.thread = b.thread AND x.id = b.parent OFFSET 0) m
  LEFT JOIN summaries s ON s.thread = m.thread AND s.message = m.id AND s.expires_at > now()
  WHERE b.summary IS NULL AND b.depth < %(window)s * {reach})
SELECT place.found, turn.fence, {asked_at}, place.question, place.parent, {page},
  b.id, b.parent, b.role, b.parts::text, b.status, b.turn, b.created_at, b.summary,
  b.metadata->'page' IS NOT NULL
FROM place LEFT JOIN turn ON true {question}
LEFT JOIN branch b ON b.depth <= %(window)s OR b.summary IS NOT NULL
ORDER BY b.depth DESC
"""

# Of the question that is answered again, which is the newest message of the branch.
_STORED_PAGE: LiteralString = "CASE WHEN b.depth = 1 THEN b.metadata->'page' END::text"


def _statement(*places: LiteralString, asks: bool) -> LiteralString:
    answer = _ANSWER.replace("{question}", ", question" if asks else "")
    branch = (
        _BRANCH.replace("{start}", "place.parent" if asks else "place.question")
        .replace("{asked_at}", "question.created_at" if asks else "NULL::timestamptz")
        .replace("{reach}", REACH)
        .replace("{page}", "place.page::text" if asks else _STORED_PAGE)
        .replace("{question}", "LEFT JOIN question ON true" if asks else "")
    )
    steps = (*places, _TURN, _QUESTION if asks else "", answer, branch)
    if _WAITED in places:
        steps = (*places, _TURN_ON, branch)
    return "WITH RECURSIVE " + "".join(steps)


CLAIM: dict[Trigger, LiteralString] = {
    "submit": _statement(_SUBMIT, asks=True),
    "edit": _statement(_EXISTING, _EDIT, asks=True),
    "regenerate": _statement(_EXISTING, _REGENERATE, asks=False),
    "approval": _statement(_EXISTING, _WAITED, asks=False),
}
