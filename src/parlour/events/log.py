"""The event log: what a turn has said so far, and cursors that read it.

A turn appends; readers are cursors, not queues: a reader that is slow, gone or late costs the turn
nothing. This file owns the part in this process (`TurnLog`, `Cursor`, `Pace`) and the port
(`EventLog`) with its two implementations, memory.py and redis.py.

This is the path of a token. Per token it does one append and one plain call for each reader;
no task, queue or lock (docs/adr/0005-cursors-not-queues.md).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from parlour.events.types import Event, encode

BUSY_SHARE = 0.6  # of one core; above it, joining writes saves more than it delays
TICK_S = 0.020  # the shared flush when busy: below what an eye notices
SAMPLE_S = 0.25  # how often the load of the loop is measured
READ_BYTES_MAX = 256 * 1024  # what one read hands out, so a late reader cannot take it all at once


class UnknownPosition(Exception):
    """A reader asked to continue after an event that this log has never had."""


class Pace:
    """When to wake readers: at once while the process is light, on one shared tick when busy."""

    def __init__(self, *, tick_s: float = TICK_S, busy_share: float = BUSY_SHARE) -> None:
        self._tick_s = tick_s
        self._busy_share = busy_share
        self._busy = False
        self._dirty: list[TurnLog] = []
        self._sampled_at = 0.0
        self._cpu_at = 0.0

    def flush(self, log: TurnLog, *, now: bool = False) -> None:
        """Tell the readers of `log` that there is more, now or on the next tick."""
        at = time.monotonic()
        if at - self._sampled_at > SAMPLE_S:
            self._sample(at)
        if now or not self._busy:
            log.wake()
            return
        if not self._dirty:
            asyncio.get_running_loop().call_later(self._tick_s, self._tick)
        self._dirty.append(log)

    def _tick(self) -> None:
        dirty, self._dirty = self._dirty, []
        for log in dirty:
            log.wake()

    def _sample(self, at: float) -> None:
        cpu = time.thread_time()
        self._busy = (cpu - self._cpu_at) / (at - self._sampled_at) > self._busy_share
        self._sampled_at, self._cpu_at = at, cpu


class TurnLog:
    """The events of one turn in this process, as JSON; event `seq` is `payloads[seq - 1]`."""

    __slots__ = ("_cursors", "_dirty", "_pace", "closed", "closed_at", "payloads", "size", "turn")

    def __init__(self, turn: str, pace: Pace) -> None:
        self.turn = turn
        self.payloads: list[bytes] = []
        self.size = 0  # bytes of all payloads
        self.closed = False  # after the terminal event: nothing follows
        self.closed_at = 0.0  # monotonic
        self._pace = pace
        self._cursors: list[Cursor] = []
        self._dirty = False

    def append(self, event: Event) -> int:
        """Add one event and return its sequence number. Readers see it after `flush`."""
        payload = encode(event)
        self.payloads.append(payload)
        self.size += len(payload)
        return len(self.payloads)

    def extend(self, payloads: list[bytes]) -> None:
        """Add events that are JSON already, as a mirror of another process does."""
        self.payloads += payloads
        self.size += sum(map(len, payloads))

    def flush(self, *, now: bool = False) -> None:
        """Let readers have what was appended. Once per read from upstream, not per token."""
        if not self._dirty:
            self._dirty = True
            self._pace.flush(self, now=now)
        elif now:
            self.wake()

    def close(self) -> None:
        """No event follows. Readers end once they have read all."""
        self.closed = True
        self.closed_at = time.monotonic()
        self.wake()

    def wake(self) -> None:
        """Wake every reader with a plain call."""
        self._dirty = False
        for cursor in self._cursors:
            cursor.wake()

    def cursor(self, after: int = 0) -> Cursor:
        """A reader that continues after event `after` (0 = from the start).

        Raises `UnknownPosition` when the log has no event `after`: the caller says so to its
        client (`reset`), and never replays silently.
        """
        if not 0 <= after <= len(self.payloads):
            raise UnknownPosition(f"{self.turn}:{after}")
        cursor = Cursor(self, after)
        self._cursors.append(cursor)
        return cursor

    def drop(self, cursor: Cursor) -> None:
        """Forget a reader."""
        if cursor in self._cursors:
            self._cursors.remove(cursor)

    @property
    def readers(self) -> int:
        """How many are reading now."""
        return len(self._cursors)


class Cursor:
    """One reader's place in a turn's log. Use as a context manager, so that it is forgotten."""

    __slots__ = ("_waiter", "log", "seq")

    def __init__(self, log: TurnLog, seq: int) -> None:
        self.log = log
        self.seq = seq  # of the last event taken
        self._waiter: asyncio.Future[None] | None = None

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *_: object) -> None:
        self.log.drop(self)
        self.wake()

    def take(self) -> list[bytes]:
        """All events since the last take, at most 256 KB of them (but at least one)."""
        payloads = self.log.payloads
        start, end = self.seq, len(payloads)
        if start == end:
            return []
        batch = payloads[start:end]
        if self.log.size > READ_BYTES_MAX:
            size = 0
            for count, payload in enumerate(batch, 1):
                size += len(payload)
                if size >= READ_BYTES_MAX:
                    del batch[count:]
                    break
        self.seq = start + len(batch)
        return batch

    @property
    def ended(self) -> bool:
        """All is read and nothing follows."""
        return self.log.closed and self.seq == len(self.log.payloads)

    async def wait(self) -> None:
        """Return when there may be more, or when somebody calls `wake`."""
        if self.seq < len(self.log.payloads) or self.log.closed:
            return
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def wake(self) -> None:
        """End the current wait."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class EventLog(Protocol):
    """Where turns log, and where readers find a turn, in this process or in another."""

    def create(self, turn: str) -> TurnLog:
        """The log of a turn that this process owns."""
        ...

    async def attach(self, turn: str) -> TurnLog | None:
        """A log to read `turn` from; None when nobody keeps one (ask the store)."""
        ...

    async def request_stop(self, turn: str) -> None:
        """Tell whichever process owns `turn` to stop it."""
        ...

    def on_stop(self, handler: Callable[[str], None]) -> None:
        """Call `handler(turn)` in this process when somebody asks to stop a turn."""
        ...

    async def start(self) -> None:
        """Connect and begin background work."""
        ...

    async def close(self) -> None:
        """Write what is pending and let go."""
        ...
