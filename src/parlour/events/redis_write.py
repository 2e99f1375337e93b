"""Write-behind: what turns of this process say goes to Redis, a batch of all turns at a time.

The turn never waits for this. One task per process wakes when something is new, waits a moment for
more to come, and writes all turns in one round trip. Nothing is queued: the log itself is what is
pending, and a turn's place in Redis is one number. While Redis is away that number stands still.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from itertools import islice

from redis.asyncio import Redis

from parlour.events.log import TurnLog
from parlour.events.redis_wire import APPEND, FAILURES, FENCED, Keys, Link, call

FLUSH_S = 0.030  # 20 to 50 ms: readers elsewhere do not see it, and Redis gets 30 writes a second
ROUND_BYTES_MAX = 4 * 1024 * 1024  # of one round trip, so that catching up does not block Redis
ROUND_TURNS_MAX = 500  # likewise; 2 ms of Redis
BACKLOG_BYTES_MAX = 64 * 1024 * 1024  # of finished turns that wait for Redis to come back
GIVEN_UP_MAX = 10_000  # streams to mark as lost when Redis is back; beyond, they just expire


class Replica:
    """How far one turn of this process is in Redis."""

    __slots__ = ("fence", "log", "mark", "turn")

    def __init__(self, log: TurnLog) -> None:
        self.turn = log.turn
        self.fence = log.fence
        self.log: TurnLog | None = log  # None = given up: only a note that the rest is lost
        self.mark = 0  # as in redis_wire: twice the number of events, one more at the end

    @property
    def behind(self) -> bool:
        """Redis lacks something."""
        log = self.log
        return log is None or self.mark < 2 * len(log.payloads) + log.closed

    @property
    def waiting(self) -> int:
        """Bytes that only this replica keeps in memory: of a finished turn."""
        return self.log.size if self.log is not None and self.log.closed else 0

    def batch(self) -> tuple[bytes, bytes]:
        """The two arguments of `APPEND` for what Redis lacks, at most 256 KB of it."""
        log = self.log
        sent = self.mark // 2
        if log is None:
            return b"%d %d 0 lost" % (self.fence, sent), b""
        end = log.end_of_read(sent)
        closed = log.closed and end == len(log.payloads)
        header = b"%d %d %d " % (self.fence, sent, 2 * end + closed)
        return header + (b"closed" if closed else b""), b"\n".join(log.payloads[sent:end])


class Writer:
    """The one task of this process that writes to Redis."""

    def __init__(
        self,
        client: Redis,
        keys: Keys,
        *,
        on_fenced: Callable[[TurnLog], None],
        flush_s: float = FLUSH_S,
        backlog_bytes: int = BACKLOG_BYTES_MAX,
    ) -> None:
        self.link = Link("writing")
        self.given_up = 0  # turns whose rest will never be in Redis
        self.fenced = 0  # turns that a later owner took
        self.rounds = 0  # round trips that worked
        self._client = client
        self._keys = keys
        self._on_fenced = on_fenced
        self._flush_s = flush_s
        self._backlog_bytes = backlog_bytes
        self._replicas: dict[str, Replica] = {}  # of turns that run, or that Redis lacks a part of
        self._dirty: dict[str, Replica] = {}
        self._work = asyncio.Event()

    def add(self, log: TurnLog) -> None:
        """Replicate this log from now on; its owner calls `wake` when it has grown or closed."""
        self._dirty.pop(log.turn, None)
        self._replicas[log.turn] = Replica(log)

    def wake(self, log: TurnLog) -> None:
        """The log has grown or closed. Cheap: it is called for every token."""
        replica = self._replicas.get(log.turn)
        if replica is not None and replica.log is log and replica.behind:
            self._dirty[log.turn] = replica
            self._work.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._work.wait()
            await asyncio.sleep(self._flush_s)
            await asyncio.sleep(await self.round())

    async def drain(self, within_s: float) -> None:
        """Write what is pending; give up after `within_s` or at the first failure."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._dirty and self.link.is_up:
                    await self.round()

    async def round(self) -> float:
        """One round trip for all turns that have something new; how long to wait after it."""
        batch = self._next_batch()
        if not batch:
            self._work.clear()
            return 0
        keys = [self._keys.turn(replica.turn) for replica, _ in batch]
        arguments = [argument for _, pair in batch for argument in pair]
        try:
            reply: bytes = await call(self._client, "EVAL", APPEND, len(keys), *keys, *arguments)
        except FAILURES as error:
            self._bound_backlog()
            return self.link.failed(error)
        self.link.worked()
        self.rounds += 1
        for (replica, _), mark in zip(batch, reply.split(), strict=True):
            self._settle(replica, int(mark))
        if not self._dirty:
            self._work.clear()
        return 0

    def _next_batch(self) -> list[tuple[Replica, tuple[bytes, bytes]]]:
        batch: list[tuple[Replica, tuple[bytes, bytes]]] = []
        size = 0
        for replica in islice(self._dirty.values(), ROUND_TURNS_MAX):
            pair = replica.batch()
            batch.append((replica, pair))
            size += len(pair[1])
            if size >= ROUND_BYTES_MAX:
                break
        return batch

    def _settle(self, replica: Replica, mark: int) -> None:
        if self._replicas.get(replica.turn) is not replica:
            return  # replaced while its batch was on the way
        # Out of the row; whoever has more goes to its end, so that all get their turn.
        self._dirty.pop(replica.turn, None)
        log = replica.log
        if log is None:
            del self._replicas[replica.turn]
        elif mark == FENCED:
            self.fenced += 1
            del self._replicas[replica.turn]
            self._on_fenced(log)
        else:
            replica.mark = mark
            if replica.behind:
                self._dirty[replica.turn] = replica
            elif log.closed:
                del self._replicas[replica.turn]

    def _bound_backlog(self) -> None:
        # A running turn is in memory anyway. A finished one would be kept for Redis alone.
        excess = sum(replica.waiting for replica in self._dirty.values()) - self._backlog_bytes
        if excess > 0:
            for replica in self._dirty.values():
                if replica.waiting:
                    excess -= replica.waiting
                    replica.log = None
                    self.given_up += 1
                    if excess <= 0:
                        break
        if len(self._dirty) > GIVEN_UP_MAX:
            lost = [turn for turn, replica in self._dirty.items() if replica.log is None]
            for turn in lost[: len(self._dirty) - GIVEN_UP_MAX]:
                del self._dirty[turn], self._replicas[turn]
