"""What reading a conversation costs, counted in rows, not in time."""

from __future__ import annotations

import pytest

from parlour.domain import MessageId, ThreadId
from parlour.store.database import Database
from parlour.store.threads import Threads
from parlour.store.turns import Turns
from tests.live.steps import ANN, new_turn

# Threads of 40 and of 500 messages, each one branch.
FILL = """
WITH w AS (INSERT INTO workspaces VALUES ('acme')), u AS (INSERT INTO users VALUES ('acme', 'ann')),
size (name, n) AS (VALUES ('short', 40), ('long', 500)),
t AS (
  INSERT INTO threads (id, workspace, user_id, head)
  SELECT name, 'acme', 'ann', name || n FROM size)
INSERT INTO messages (thread, id, parent, role, status, parts)
SELECT name, name || i, CASE WHEN i > 1 THEN name || (i - 1) END,
  CASE WHEN mod(i, 2) = 1 THEN 'user' ELSE 'assistant' END, 'done',
  json_build_array(json_build_object('type', 'text', 'text', repeat('word ', 40)))
FROM size, generate_series(1, n) i RETURNING id
"""


@pytest.fixture
async def filled(database_url: str) -> Database:
    """One connection in each pool, so that the counters of its session are the whole truth."""
    database = await Database.open(database_url, agent_pool=1, rest_pool=1)
    await database.fetch(FILL)
    return database


async def rows_read(database: Database) -> int:
    """Rows of `messages` that were looked at so far, by sequence or by index."""
    # A session tells its counts with the next transaction after this call.
    async with database.rest_connection() as connection:
        await connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")
        await connection.exec_driver_sql("SELECT 1")
    await database.fetch("SELECT 1 FROM pg_stat_force_next_flush()")
    await database.ping()
    rows = await database.fetch(
        "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'messages'"
    )
    return rows[0][0]


@pytest.mark.parametrize("analyzed", [False, True])
async def test_a_long_thread_costs_what_a_short_one_costs(filled: Database, analyzed: bool) -> None:
    if analyzed:
        async with filled.connection() as connection:
            await connection.execute("ANALYZE")
    turns, threads = Turns(filled), Threads(filled)
    costs: dict[str, list[int]] = {}
    for name in ("short", "long"):
        thread = ThreadId(name)
        began = await rows_read(filled)
        claim = await turns.claim(new_turn("x", thread=thread), window=20)
        assert len(claim.history) == 20
        await claim.abandon()
        claimed = await rows_read(filled)
        page, before = await threads.messages(ANN, thread, limit=20)
        assert (len(page), before) == (20, page[0].id)
        await threads.messages(ANN, thread, limit=5, before=MessageId(f"{name}9"))
        costs[name] = [claimed - began, await rows_read(filled) - claimed]
    claim_cost, page_cost = costs["long"]
    # Three windows: so far back a claim looks for the summary that covers what came before.
    assert 19 <= claim_cost <= 62
    assert 40 <= page_cost <= 80
    # A conversation shorter than that is walked to its first message.
    assert costs["short"][0] <= claim_cost
    assert costs["long"][1] == costs["short"][1]
    await filled.close()
