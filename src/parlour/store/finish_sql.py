"""The statement that ends a turn: all or nothing."""

from __future__ import annotations

from typing import LiteralString

from parlour.store.ledger import CALLS, COLUMNS, OF_CALL

FINISH: LiteralString = f"""
WITH ended AS (
  UPDATE turns SET status = %(status)s, finish_reason = %(finish_reason)s, error = %(error)s::json,
    first_token_ms = %(first_token_ms)s, elapsed_ms = %(elapsed_ms)s, served_by = %(served_by)s,
    partial = NULL, spent = NULL, finished_at = now()
  WHERE id = %(turn)s AND status = 'running' AND fence = %(fence)s
  RETURNING id, thread, assistant_message, model),
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
  FROM ended JOIN threads t ON t.id = ended.thread, {CALLS}),
c AS (DELETE FROM checkpoints USING ended WHERE turn = ended.id)
SELECT id FROM ended
"""  # noqa: S608  # our own words

FINISH_WITH_TOOLS: LiteralString = FINISH.replace(
    "SELECT id FROM ended",
    """, k AS (
  INSERT INTO tool_calls (turn, position, call_id, name, round, status, elapsed_ms)
  SELECT ended.id, call.position, call.id, call.name, call.round, call.status, call.elapsed_ms
  FROM ended, unnest(%(call_ids)s::text[], %(names)s::text[], %(rounds)s::int[],
    %(statuses)s::text[], %(call_ms)s::int[]) WITH ORDINALITY
    AS call (id, name, round, status, elapsed_ms, position))
SELECT id FROM ended""",
)
