"""What happens when Postgres goes away, and when it comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import psycopg
import pytest

from parlour.domain import TurnStatus
from parlour.errors import StoreUnavailable
from parlour.store.database import Database, answering
from parlour.store.embedded import EmbeddedPostgres, start_embedded
from parlour.store.migrate import migrate
from parlour.store.threads import Threads
from parlour.store.turns import Turns
from tests.live.steps import ANN, THREAD, claimed, count, exchange, finish, new_turn
from tests.live.test_embedded import kill, server_pid

BOUND_S = 15


@pytest.fixture
async def own(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedPostgres]:
    """A Postgres of this test's own, to be killed."""
    server = await start_embedded(tmp_path_factory.mktemp("own"))
    await migrate(server.url)
    yield server
    await server.stop()


async def until_healed(attempt: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(BOUND_S):
        while True:
            try:
                await attempt()
            except StoreUnavailable:
                await asyncio.sleep(0)  # failing at once, it would never let the server be watched
            else:
                return


@pytest.mark.promise("P5")
async def test_a_killed_postgres_is_an_outage_and_then_heals(
    own: EmbeddedPostgres, request: pytest.FixtureRequest
) -> None:
    database = await Database.open(own.url)
    turns, threads = Turns(database), Threads(database)
    await exchange(turns, "before")
    begun = await claimed(turns, new_turn("begun"))
    open_claim = await turns.claim(new_turn("open", thread="another"), window=20)
    await threads.list_threads(ANN, limit=1)

    assert open_claim.held is not None
    kill(server_pid(own))
    kill(open_claim.held[1].info.backend_pid)  # left alone, it might still commit, and rightly so
    with pytest.raises(StoreUnavailable):
        await open_claim.commit()
    await until_healed(lambda: threads.list_threads(ANN, limit=1))
    await until_healed(database.ping)
    await until_healed(lambda: count(database, "turns"))  # a session may be told of its end late

    # What was acknowledged is there; what was not is not; a running turn can still end.
    assert await count(database, "turns") == 2
    assert await finish(turns, begun)
    assert (await turns.get(ANN, THREAD, begun.turn)).status is TurnStatus.DONE
    await exchange(turns, "after")
    await database.close()


@pytest.mark.promise("P6")
async def test_a_database_that_is_down_is_told_within_two_seconds() -> None:
    database = await Database.open("postgresql://parlour@/parlour?host=/nowhere")
    for attempt in (
        database.ping,
        lambda: Turns(database).claim(new_turn(), window=20),
        lambda: Threads(database).list_threads(ANN, limit=1),
    ):
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await attempt()
        assert time.monotonic() - began < 2
    await database.close()


@pytest.mark.promise("P6")
async def test_work_that_hanging_up_does_not_end_is_ended_all_the_same(database: Database) -> None:
    async with database.connection() as connection:
        await connection.close()  # so that there is nothing to hang up on
        with pytest.raises(TimeoutError):
            async with answering(connection, within_s=0.01, more_s=0.01):
                await asyncio.Event().wait()


@pytest.mark.promise("P6")
async def test_sessions_that_the_server_ended_are_replaced_unnoticed(
    database: Database, database_url: str
) -> None:
    turns, threads = Turns(database), Threads(database)
    await exchange(turns, "before")
    await threads.list_threads(ANN, limit=1)
    async with await psycopg.AsyncConnection.connect(database_url) as admin:
        await admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    await exchange(turns, "after")
    assert len((await threads.list_threads(ANN, limit=1))[0]) == 1


async def test_a_session_ended_in_the_middle_is_an_outage(
    database: Database, database_url: str
) -> None:
    turns = Turns(database)
    claim = await turns.claim(new_turn("Hello", client_id="k"), window=20)
    assert claim.held is not None
    async with await psycopg.AsyncConnection.connect(database_url) as admin:
        await admin.execute(
            "SELECT pg_terminate_backend(%s, 5000)", [claim.held[1].info.backend_pid]
        )
    with pytest.raises(StoreUnavailable):
        await claim.commit()
    again = await claimed(turns, new_turn("Hello", client_id="k"))
    assert again.joined is None


async def test_a_burst_of_turns_does_not_keep_people_from_their_lists(database_url: str) -> None:
    database = await Database.open(database_url, agent_pool=1)
    turns = Turns(database)
    held = await turns.claim(new_turn(), window=20)
    with pytest.raises(StoreUnavailable):  # no connection left for turns
        await turns.get(ANN, THREAD, held.turn)
    assert await Threads(database).list_threads(ANN, limit=1) == ([], None)
    await held.abandon()
    await database.ping()
    await database.close()


async def test_statements_are_not_prepared_behind_a_pooler(database_url: str) -> None:
    database = await Database.open(database_url, prepare_threshold=None, agent_pool=1)
    turns = Turns(database)
    for number in range(8):
        await exchange(turns, str(number))
    rows = await database.fetch("SELECT count(*) FROM pg_prepared_statements")
    assert rows == [(0,)]
    await database.close()


async def test_the_connection_that_was_used_last_is_used_next(database_url: str) -> None:
    database = await Database.open(database_url, agent_pool=4)
    try:
        await database.ping()
        taken = [await database.acquire() for _ in range(4)]
        for connection in taken:
            await database.release(connection)
        for _ in range(3):
            connection = await database.acquire()
            assert connection is taken[-1]
            await database.release(connection)
    finally:
        await database.close()
