"""The event log of several processes that share a Redis.

A turn lives in the process that runs it: its log, its readers there and its stop button work
without Redis. Redis carries copies, so that readers in other processes find the turn too. It is
never the truth (that is the store) and never on the way of a token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from uuid import uuid4

from parlour.events.log import Pace, TurnLog
from parlour.events.redis_read import BLOCK_S, IDLE_S, MIRROR_BYTES_MAX, MIRRORS_MAX, Follower
from parlour.events.redis_wire import ANSWER_S, FAILURES, Keys, call, connect
from parlour.events.redis_write import BACKLOG_BYTES_MAX, FLUSH_S, Writer
from parlour.events.shelf import KEEP_BYTES_MAX, KEEP_MAX, KEEP_S, Shelf

COMMAND_CONNECTIONS = 8  # for what readers and stop buttons ask; each call is a millisecond


@dataclass(frozen=True)
class Bounds:
    """What may stay in memory, and how long; for tests of the bounds mostly."""

    keep_s: float = KEEP_S
    keep_max: int = KEEP_MAX
    keep_bytes: int = KEEP_BYTES_MAX
    idle_s: float = IDLE_S
    mirrors_max: int = MIRRORS_MAX
    mirror_bytes: int = MIRROR_BYTES_MAX
    backlog_bytes: int = BACKLOG_BYTES_MAX
    flush_s: float = FLUSH_S


@dataclass(frozen=True)
class Counts:
    """Totals since the start, for metrics, and what is in memory now."""

    rounds: int  # round trips that wrote
    write_failures: int
    read_failures: int
    given_up: int  # turns whose rest is not in Redis
    fenced: int  # turns that a later owner took from this process
    broken: int  # mirrors that could not be continued
    logs: int
    mirrors: int


class RedisEventLog:
    """Turns of this process, replicated; and mirrors of the turns of others."""

    def __init__(self, url: str, *, prefix: str = "parlour", bounds: Bounds | None = None) -> None:
        bounds = bounds or Bounds()
        self._pace = Pace()
        self._shelf = Shelf(
            keep_s=bounds.keep_s, keep_max=bounds.keep_max, keep_bytes=bounds.keep_bytes
        )
        self._handlers: list[Callable[[str], None]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._writing = connect(url, connections=1)
        self._blocking = connect(url, connections=1, answer_s=BLOCK_S + ANSWER_S)
        self._commands = connect(url, connections=COMMAND_CONNECTIONS)
        keys = Keys(prefix)
        self._writer = Writer(
            self._writing,
            keys,
            on_fenced=self._fenced,
            flush_s=bounds.flush_s,
            backlog_bytes=bounds.backlog_bytes,
        )
        self._follower = Follower(
            self._blocking,
            self._commands,
            keys,
            process=uuid4().hex,
            pace=self._pace,
            on_stop=self._stop_own,
            idle_s=bounds.idle_s,
            mirrors_max=bounds.mirrors_max,
            mirror_bytes=bounds.mirror_bytes,
        )

    def create(self, turn: str, *, fence: int = 0) -> TurnLog:
        """The log of a turn that this process owns.

        Whoever takes a turn over comes with a higher `fence`, and puts in first (`extend`) what it
        knows that the turn has said: readers elsewhere go on if that is what they have read.
        """
        log = TurnLog(
            turn,
            self._pace,
            fence=fence,
            on_wake=self._writer.wake,
            on_close=self._shelf.finish,
        )
        self._shelf.put(log)
        self._writer.add(log)
        self._follower.forget(turn)
        return log

    async def attach(self, turn: str, *, after: int = 0, wait_s: float = 0) -> TurnLog | None:
        """Our own log of `turn`, or a mirror; None when Redis has none or does not answer.

        Raises `Overloaded` when this process mirrors as much as it may.
        """
        own = self._shelf.get(turn)
        if own is not None:
            return own
        return await self._follower.attach(turn, after=after, wait_s=wait_s)

    async def request_stop(self, turn: str) -> None:
        """Stop `turn` here or tell its owner: within milliseconds while Redis answers.

        While it does not, the owner learns it from the store.
        """
        own = self._shelf.get(turn)
        if own is not None and not own.closed:  # else it may have gone on elsewhere
            self._stop_own(turn)
            return
        try:
            await self._follower.stop(turn)
        except FAILURES as error:
            self._follower.link.failed(error)

    def on_stop(self, handler: Callable[[str], None]) -> None:
        """Call `handler(turn)` in this process when somebody asks to stop a turn of ours."""
        self._handlers.append(handler)

    @property
    def counts(self) -> Counts:
        """Figures for metrics."""
        return Counts(
            rounds=self._writer.rounds,
            write_failures=self._writer.link.failures,
            read_failures=self._follower.link.failures,
            given_up=self._writer.given_up,
            fenced=self._writer.fenced,
            broken=self._follower.broken,
            logs=len(self._shelf),
            mirrors=len(self._follower.mirrors),
        )

    async def ping(self) -> str:
        """Whether Redis answers; a sentence when it does not."""
        try:
            await call(self._commands, "PING")
        except FAILURES as error:
            return f"Redis does not answer ({type(error).__name__})."
        return ""

    def figures(self) -> dict[str, Callable[[], float]]:
        """`counts`, one by one."""
        return {field.name: partial(self._figure, field.name) for field in fields(Counts)}

    def _figure(self, name: str) -> float:
        return float(getattr(self.counts, name))

    async def start(self) -> None:
        """Begin to write and to read. Redis may be away: it is tried until it is there."""
        self._tasks = [
            asyncio.create_task(self._writer.run(), name="event log: writing"),
            asyncio.create_task(self._follower.run(), name="event log: reading"),
        ]

    async def close(self) -> None:
        """Write what is pending, for two seconds at most, and let go."""
        while running := [task for task in self._tasks if not task.done()]:
            # Again and again: redis-py waits with `asyncio.wait_for`, which in Python 3.11 drops a
            # cancellation that comes when the inner wait is just over.
            for task in running:
                task.cancel()
            await asyncio.wait(running, timeout=0.02)
        self._tasks = []
        await self._writer.drain(ANSWER_S)
        for client in (self._writing, self._blocking, self._commands):
            await client.aclose(close_connection_pool=True)

    def _stop_own(self, turn: str) -> None:
        log = self._shelf.get(turn)
        if log is not None and not log.closed:
            for handler in self._handlers:
                # Not from within: a handler that fails must not end the task that reads.
                asyncio.get_running_loop().call_soon(handler, turn)

    def _fenced(self, log: TurnLog) -> None:
        """Somebody took the turn over: stop ours, and send its readers to the new owner."""
        self._stop_own(log.turn)
        self._shelf.remove(log.turn)
        log.break_off()
