"""What is kept no longer goes: event blobs of old turns, threads that no list shows, tool results
that were kept whole, and summaries.

Every process that serves or works sweeps once at the start and every hour; an advisory lock lets
one at a time do it. Work is done in small transactions, so that nobody waits behind it. A turn
without its blob is still read: its events are made anew from its message (chat/reading.py).
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from typing import LiteralString

import structlog

from parlour.errors import StoreUnavailable
from parlour.store.database import Database

EVERY_S = 3_600.0
BATCH = 500  # rows of one transaction; a blob is some kilobytes
LOCK_KEY = 0x7061726C_73770001  # any number that nobody else locks

log = structlog.get_logger("parlour.housekeeping")


@dataclass(frozen=True, slots=True)
class Swept:
    """How much one sweep deleted."""

    events: int
    threads: int
    results: int = 0
    summaries: int = 0


NOTHING = Swept(0, 0)


class Housekeeping:
    """The sweep, and the task that repeats it."""

    def __init__(self, database: Database, *, events_days: float, hidden_days: float) -> None:
        """Event blobs live for `events_days` after their turn ended, hidden threads for
        `hidden_days` after they were last used."""
        self._database = database
        self._events_days = events_days
        self._hidden_days = hidden_days
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Sweep now and then every hour, in the background."""
        self._task = asyncio.create_task(self._repeat(), name="housekeeping")

    async def close(self) -> None:
        """Stop; a sweep under way keeps what it has finished."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def sweep(self) -> Swept:
        """Delete what is older than it may be. Zeros while another process is at it.

        Raises `StoreUnavailable`.
        """
        return Swept(
            events=await self._delete(_OLD_EVENTS, self._events_days),
            threads=await self._delete(_OLD_HIDDEN, self._hidden_days),
            results=await self._delete(_OLD_RESULTS, 0),
            summaries=await self._delete(_OLD_SUMMARIES, 0),
        )

    async def _delete(self, statement: LiteralString, days: float) -> int:
        total = 0
        while deleted := await self._batch(statement, days):
            total += deleted
        return total

    async def _batch(self, statement: LiteralString, days: float) -> int:
        async with self._database.connection() as connection, connection.transaction():
            locked = await connection.execute(
                "SELECT pg_try_advisory_xact_lock(%(key)s)", {"key": LOCK_KEY}
            )
            row = await locked.fetchone()
            if row is None or not row[0]:
                return 0
            done = await connection.execute(statement, {"days": days, "batch": BATCH})
            return done.rowcount

    async def _repeat(self) -> None:
        while True:
            try:
                swept = await self.sweep()
                if swept != NOTHING:
                    log.info("swept", **asdict(swept))
            except StoreUnavailable as error:
                log.warning("sweep_without_store", error=str(error))
            except Exception:
                log.exception("sweep_failed")  # the next hour tries again
            await asyncio.sleep(EVERY_S)


_OLD_EVENTS: LiteralString = """
DELETE FROM turn_events WHERE turn IN (
  SELECT turn_events.turn FROM turn_events JOIN turns ON turns.id = turn_events.turn
  WHERE turns.finished_at < now() - make_interval(secs => %(days)s * 86400.0)
  LIMIT %(batch)s
)
"""

_OLD_RESULTS: LiteralString = """
DELETE FROM tool_results WHERE handle IN (
  SELECT handle FROM tool_results
  WHERE expires_at < now() - make_interval(secs => %(days)s * 86400.0) LIMIT %(batch)s
)
"""

_OLD_SUMMARIES: LiteralString = """
DELETE FROM summaries WHERE (thread, message) IN (
  SELECT thread, message FROM summaries WHERE expires_at < now() LIMIT %(batch)s
)
"""

_OLD_HIDDEN: LiteralString = """
DELETE FROM threads WHERE id IN (
  SELECT id FROM threads
  WHERE hidden AND updated_at < now() - make_interval(secs => %(days)s * 86400.0)
  LIMIT %(batch)s
)
"""
