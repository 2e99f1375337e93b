"""The statement that ends a turn, in its forms: all or nothing, and only once.

Everything hangs on `ended`, which stays empty when the turn is not running or has another fence. A
turn with tool calls writes them down. One that ends `waiting` for people keeps its checkpoint and
stores what it asks; one that went on after such a turn closes what was asked there.
"""

from __future__ import annotations

from functools import cache
from typing import LiteralString

from parlour.store.ledger import CALLS, COLUMNS, OF_CALL

_ENDED: LiteralString = f"""
WITH ended AS (
  UPDATE turns SET status = %(status)s, finish_reason = %(finish_reason)s, error = %(error)s::json,
    first_token_ms = %(first_token_ms)s, elapsed_ms = %(elapsed_ms)s, served_by = %(served_by)s,
    partial = NULL, principal = NULL, spent = NULL, finished_at = now()
  WHERE id = %(turn)s AND status = 'running' AND fence = %(fence)s
  RETURNING id, thread, assistant_message, model, continues),
m AS (
  UPDATE messages SET parts = %(parts)s::json, status = %(status)s, metadata = %(metadata)s::json
  FROM ended WHERE messages.thread = ended.thread AND messages.id = ended.assistant_message),
e AS (INSERT INTO turn_events (turn, events) SELECT id, %(events)s FROM ended),
u AS (
  INSERT INTO usage (turn, workspace, user_id, model, served_by, input, cache_read, cache_write,
    output, reasoning, estimated)
  SELECT ended.id, t.workspace, t.user_id, ended.model, %(served_by)s, %(input)s, %(cache_read)s,
    %(cache_write)s, %(output)s, %(reasoning)s, %(estimated)s
  FROM ended JOIN threads t ON t.id = ended.thread WHERE %(spent)s),
l AS (
  INSERT INTO model_calls (workspace, user_id, thread, turn, {COLUMNS})
  SELECT t.workspace, t.user_id, t.id, ended.id, {OF_CALL}
  FROM ended JOIN threads t ON t.id = ended.thread, {CALLS})"""  # noqa: S608  # our own words

_CLEANED: LiteralString = """,
c AS (DELETE FROM checkpoints USING ended WHERE turn = ended.id)"""

_TOOLS: LiteralString = """,
k AS (
  INSERT INTO tool_calls (turn, position, call_id, name, round, status, elapsed_ms)
  SELECT ended.id, call.position, call.id, call.name, call.round, call.status, call.elapsed_ms
  FROM ended, unnest(%(call_ids)s::text[], %(names)s::text[], %(rounds)s::int[],
    %(statuses)s::text[], %(call_ms)s::int[]) WITH ORDINALITY
    AS call (id, name, round, status, elapsed_ms, position))"""

_ASKED: LiteralString = """,
a AS (
  INSERT INTO approvals (id, thread, turn, position, call_id, name, server, tool, title, arguments,
    digest, acts_as, undoable, reason, principal, signature, expires_at)
  SELECT asked.id, ended.thread, ended.id, asked.position, asked.call_id, asked.name, asked.server,
    asked.tool, asked.title, asked.arguments, asked.digest, asked.acts_as, asked.undoable,
    asked.reason, %(principal)s::json, decode(asked.signature, 'hex'), asked.expires_at
  FROM ended, json_to_recordset(%(asked)s::json) AS asked (id text, position int, call_id text,
    name text, server text, tool text, title text, arguments json, digest text, acts_as text,
    undoable boolean, reason text, signature text, expires_at timestamptz))"""

_SETTLED: LiteralString = """,
d AS (
  UPDATE approvals SET closed_at = now(), principal = '{}' FROM ended
  WHERE approvals.turn = ended.continues AND approvals.closed_at IS NULL),
o AS (DELETE FROM checkpoints USING ended WHERE turn = ended.continues)"""


@cache
def finish_statement(*, tools: bool, asks: bool, settles: bool) -> LiteralString:
    """The form for a turn with tool calls, one that asks people, one that went on after it."""
    return (
        _ENDED
        + (_TOOLS if tools else "")
        + (_ASKED if asks else _CLEANED)
        + (_SETTLED if settles else "")
        + "\nSELECT id FROM ended"
    )
