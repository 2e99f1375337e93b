"""The two pools. A burst of turns must not keep people from signing in, so each has its own.

`rest` is a SQLAlchemy engine for lists and settings, `agent` a plain psycopg pool for the hot path
of turns. Both heal by themselves when the database returns: a connection that died in the pool is
found by a look at its socket (2 microseconds, no round trip) before it is handed out.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, LiteralString

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncConnection as RestConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from parlour.store.outage import outages
from parlour.store.queue import QUEUE_S, WAIT_S, PoolQueue

Row = tuple[Any, ...]
Connection = AsyncConnection[Row]

CONNECTIONS_MIN = 4  # kept open; making one costs both sides some milliseconds
CONNECT_S = 2
OPERATION_S = 8  # one borrowed connection; catches a server that neither answers nor hangs up
LAST_RESORT_S = 2  # after that, should hanging up not have ended it
RECONNECT_S = 2  # the pool tries at 0, 1 and 2 s, then again when somebody asks

# For every connection, unless a pooler stands between, which has sessions of its own.
SESSION = (
    "-c statement_timeout=5s -c lock_timeout=4s "
    # A process that hangs between claim and commit keeps its thread locked for so long.
    "-c idle_in_transaction_session_timeout=15s "
    # The claim is one large statement; planning it each time costs more than running it.
    "-c plan_cache_mode=force_generic_plan "
    # Every query has its index. A plan made while a table was small would stay for long.
    "-c enable_seqscan=off"
)


class _Newest(deque[Connection]):
    """The idle connections of a pool, which puts them back at the right and takes them from the
    left: here it gets the one that was used last, whose backend is warm (0.4 ms of a first word
    after a crowd). The pool has no setting for that; a test sees when it does not work any more."""

    def popleft(self) -> Connection:
        """The newest."""
        return self.pop()


class Database:
    """Connections to one Postgres. Every way it can fail to answer is a `StoreUnavailable`."""

    def __init__(self, rest: AsyncEngine, agent: AsyncConnectionPool[Connection]) -> None:
        self.rest = rest
        self.agent = agent
        self._queue = PoolQueue(agent.max_size)

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        rest_pool: int = 8,
        agent_pool: int = 16,
        prepare_threshold: int | None = 2,
    ) -> Database:
        """Pools for the database at `url` (postgresql://…), which need not answer yet.

        `rest_pool` and `agent_pool` are the most connections of each. `prepare_threshold` is after
        how many runs a statement is prepared; None behind a pooler that shares connections between
        clients (pgbouncer).
        """
        arguments = _arguments(url, prepare_threshold)

        async def connect() -> Connection:
            return await AsyncConnection[Row].connect(url, **arguments)

        rest = create_async_engine(
            "postgresql+psycopg://",
            async_creator=connect,
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,  # an error that is logged says no values
            pool_size=rest_pool,
            max_overflow=0,
            pool_timeout=WAIT_S,
        )
        event.listen(rest.sync_engine, "checkout", _refuse_dead)
        agent = AsyncConnectionPool[Connection](
            url,
            kwargs={**arguments, "autocommit": True},
            min_size=min(CONNECTIONS_MIN, agent_pool),
            max_size=agent_pool,
            timeout=WAIT_S,
            reconnect_timeout=RECONNECT_S,
            name="agent",
            open=False,
        )
        agent._pool = _Newest(agent._pool)  # pyright: ignore[reportPrivateUsage]
        await agent.open(wait=False)
        return cls(rest, agent)

    def load(self) -> dict[str, Callable[[], float]]:
        """What the `agent` pool can be asked at any time: connections, and who waits for one."""

        def figure(name: str) -> float:
            return float(self.agent.get_stats().get(name, 0))

        return {
            "open": lambda: figure("pool_size"),
            "idle": lambda: figure("pool_available"),
            "waiting": lambda: figure("requests_waiting"),
        }

    async def close(self) -> None:
        """Close all connections."""
        await self.agent.close()
        await self.rest.dispose()

    async def ping(self) -> None:
        """Return when the database answers. Raises `StoreUnavailable`."""
        await self.fetch("SELECT 1")

    async def acquire(self) -> Connection:
        """A live connection from `agent`, in autocommit; give it back with `release`."""
        with outages():
            await self._queue.enter()
            try:
                return await self._live_connection()
            except BaseException:
                self._queue.leave()
                raise

    async def release(self, connection: Connection) -> None:
        """Give a connection back, in whatever state."""
        if connection.pgconn.transaction_status == TransactionStatus.IDLE:
            self._queue.served()
        self._queue.leave()
        await self.agent.putconn(connection)

    async def _live_connection(self) -> Connection:
        deadline, until = time.monotonic() + WAIT_S, time.monotonic() + QUEUE_S
        while True:
            try:
                connection = await self.agent.getconn(max(0.0, deadline - time.monotonic()))
            except PoolTimeout:
                # Connecting takes its time when this process is busy; others get theirs back.
                if self._queue.stuck or time.monotonic() > until:
                    raise
                deadline = time.monotonic() + WAIT_S
                continue
            if _lives(connection):
                return connection
            await connection.close()
            await self.agent.putconn(connection)  # which makes a new one

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Connection]:
        """Borrow a connection from `agent`, in autocommit, for at most 8 s."""
        with outages():
            began = time.monotonic()
            async with asyncio.timeout(OPERATION_S + LAST_RESORT_S):
                connection = await self.acquire()
                left_s = began + OPERATION_S - time.monotonic()
                try:
                    async with answering(connection, within_s=left_s):
                        yield connection
                finally:
                    await self.release(connection)

    async def fetch(
        self, statement: LiteralString, values: Mapping[str, Any] | None = None
    ) -> list[Row]:
        """Run one statement on `agent` and return all its rows."""
        async with self.connection() as connection:
            cursor = await connection.execute(statement, values)
            return await cursor.fetchall()

    @asynccontextmanager
    async def rest_connection(self) -> AsyncGenerator[RestConnection]:
        """Borrow a connection from `rest`, in autocommit, for at most 8 s."""
        with outages():
            limit = asyncio.timeout(OPERATION_S + LAST_RESORT_S)
            async with limit, self.rest.connect() as connection:
                raw: Any = (await connection.get_raw_connection()).driver_connection  # as above
                async with answering(raw):
                    yield connection


@asynccontextmanager
async def answering(
    connection: Connection, *, within_s: float = OPERATION_S, more_s: float = LAST_RESORT_S
) -> AsyncGenerator[None]:
    """Hang up on a server that has not done its work `within_s`; then the work fails at once.

    Not by cancelling it: psycopg would ask the silent server twice to stop, and wait five seconds
    for each answer. Only work that hanging up did not end is cancelled, `more_s` later. Raises
    `TimeoutError` then.
    """
    timer = asyncio.get_running_loop().call_later(max(0.0, within_s), _hang_up, connection)
    try:
        async with asyncio.timeout(max(0.0, within_s) + more_s):
            yield
    finally:
        timer.cancel()


def _hang_up(connection: Connection) -> None:
    with (
        suppress(OSError, psycopg.Error),
        socket.socket(fileno=os.dup(connection.fileno())) as line,
    ):
        line.shutdown(socket.SHUT_RDWR)


def _arguments(url: str, prepare_threshold: int | None) -> dict[str, Any]:
    given = conninfo_to_dict(url)
    ours: dict[str, Any] = {
        "prepare_threshold": prepare_threshold,
        # A host that is unplugged does not say so.
        "tcp_user_timeout": given.get("tcp_user_timeout", 5_000),
        "keepalives_idle": given.get("keepalives_idle", 10),
        "connect_timeout": given.get("connect_timeout", CONNECT_S),
        "application_name": given.get("application_name", "parlour"),
    }
    if prepare_threshold is not None:
        ours["options"] = f"{SESSION} {given.get('options') or ''}"
    return ours


def _lives(connection: Connection) -> bool:
    """Whether the server has not hung up: an idle socket that can be read holds its farewell."""
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if not poll.poll(0):
        return True
    try:
        connection.pgconn.consume_input()
        return not poll.poll(0)
    except psycopg.OperationalError:
        return False


def _refuse_dead(adapted: Any, _record: object, _proxy: object) -> None:
    # SQLAlchemy's event gives its own wrapper, whose type is not public.
    if not _lives(adapted.driver_connection):
        raise InvalidatePoolError("The server has hung up.")
