"""What is kept no longer: both sides of each limit, and one sweeper at a time."""

from __future__ import annotations

from parlour.domain import ThreadId, TurnStatus
from parlour.store.database import Database
from parlour.store.housekeeping import BATCH, LOCK_KEY, Housekeeping, Swept
from parlour.store.threads import Threads
from parlour.store.turns import Turns
from tests.live.steps import ANN, THREAD, count, exchange


def housekeeping(database: Database) -> Housekeeping:
    return Housekeeping(database, events_days=7, hidden_days=30)


async def test_events_go_a_week_after_their_turn_and_the_turn_stays(database: Database) -> None:
    turns = Turns(database)
    old, young = [await exchange(turns, text) for text in ("Old", "Young")]
    for claim, age in ((old, "7 days 1 minute"), (young, "6 days 23 hours 59 minutes")):
        await database.fetch(
            "UPDATE turns SET finished_at = now() - %(age)s::interval"
            " WHERE id = %(turn)s RETURNING id",
            {"age": age, "turn": claim.turn},
        )
    assert await housekeeping(database).sweep() == Swept(events=1, threads=0)
    assert await turns.events(ANN, THREAD, old.turn) is None
    assert await turns.events(ANN, THREAD, young.turn) == b"blob"
    assert (await turns.get(ANN, THREAD, old.turn)).status is TurnStatus.DONE
    assert await count(database, "messages") == 4


async def test_hidden_threads_go_after_a_month_and_others_never(database: Database) -> None:
    turns = Turns(database)
    for thread, hidden, age in (
        ("old", True, "30 days 1 minute"),
        ("young", True, "29 days 23 hours 59 minutes"),
        ("shown", False, "3 years"),
    ):
        await exchange(turns, "Hello", thread=ThreadId(thread), hidden=hidden)
        await database.fetch(
            "UPDATE threads SET updated_at = now() - %(age)s::interval"
            " WHERE id = %(thread)s RETURNING id",
            {"age": age, "thread": thread},
        )
    assert await housekeeping(database).sweep() == Swept(events=0, threads=1)
    rows = await database.fetch("SELECT id FROM threads ORDER BY id")
    assert [row[0] for row in rows] == ["shown", "young"]
    assert await count(database, "usage") == 3  # what was spent is remembered
    assert (await Threads(database).get_thread(ANN, ThreadId("shown"))).id == "shown"


async def test_more_than_one_batch_goes_in_one_sweep(database: Database) -> None:
    await exchange(Turns(database), "Hello")
    await database.fetch(
        "INSERT INTO threads (id, workspace, user_id, hidden, updated_at)"
        " SELECT 'h' || n, workspace, user_id, true, now() - interval '31 days'"
        " FROM threads, generate_series(1, %(number)s) AS n RETURNING id",
        {"number": BATCH + 1},
    )
    assert (await housekeeping(database).sweep()).threads == BATCH + 1
    assert await count(database, "threads") == 1


async def test_a_second_sweeper_leaves_it_to_the_first(database: Database) -> None:
    await exchange(Turns(database), "Hello")
    await database.fetch("UPDATE turns SET finished_at = now() - interval '8 days' RETURNING id")
    async with database.connection() as other, other.transaction():
        await other.execute("SELECT pg_advisory_xact_lock(%(key)s)", {"key": LOCK_KEY})
        assert await housekeeping(database).sweep() == Swept(events=0, threads=0)
    assert await housekeeping(database).sweep() == Swept(events=1, threads=0)
