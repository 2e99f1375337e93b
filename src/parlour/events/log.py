"""The event log: what a turn has said so far, and cursors that read it.

A turn appends; readers are cursors, not queues: a reader that is slow, gone or late costs the turn
nothing. This file owns the part in this process (`TurnLog`, `Cursor`, `Pace`) and the port
(`EventLog`) with its two implementations, memory.py and redis.py.

This is the path of a token. Per token it does one append and one plain call for each reader;
no task, queue or lock (docs/adr/0005-cursors-not-queues.md).

Two ways in which a reader cannot go on, and one answer to both (`reset`, then read from the start):
it asks for an event that the log never had (`UnknownPosition`), or the log itself cannot be
continued without a gap (`LogBroken`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from parlour.events.payloads import Payloads
from parlour.events.types import Event, encode

BUSY_SHARE = 0.35  # of one core; above it, joining writes saves more than it delays
CALM_SHARE = 0.2  # below it, at once again; apart from BUSY_SHARE, because joining lowers the load
TICK_S = 0.040  # the shared flush when busy: a little more than a fast model's pace, so it joins
FULL_SHARE = 0.7  # when the core is nearly full: half as long again, which is still fluent reading
FULL_TICKS = 1.5
SAMPLE_S = 0.25  # how often the load of the loop is measured
READ_BYTES_MAX = 256 * 1024  # what one read hands out, so a late reader cannot take it all at once


class UnknownPosition(Exception):
    """A reader asked to continue after an event that this log has never had."""


class LogBroken(UnknownPosition):
    """This copy of a log cannot be continued without a gap: attach again, or ask the store."""


class Pace:
    """When to wake readers: at the end of this pass of the loop while the process is light, on one
    shared tick when it is busy. All together, because a reader on another core that is awake for
    one write need not be woken for the next, and that is what a write costs most."""

    def __init__(
        self,
        *,
        tick_s: float = TICK_S,
        busy_share: float = BUSY_SHARE,
        calm_share: float = CALM_SHARE,
    ) -> None:
        self._tick_s = tick_s
        self._apart_s = tick_s * 0.9  # a log that is woken no more often has nothing to join
        self._busy_share = busy_share
        self._calm_share = calm_share
        self._busy = False
        self._full = False
        self._dirty: list[TurnLog] = []
        self._soon: list[TurnLog] = []
        self._sampled_at = 0.0
        self._cpu_at = 0.0

    def flush(self, log: TurnLog, *, now: bool = False) -> None:
        """Tell the readers of `log` that there is more, now or on the next tick."""
        at = monotonic()
        if at - self._sampled_at > SAMPLE_S:
            self._sample(at)
        if now:
            log.woken_at = at
            log.wake()
        elif not self._busy or at - log.woken_at >= self._apart_s:
            if not self._soon:
                asyncio.get_running_loop().call_soon(self._wake_soon)
            self._soon.append(log)
        else:
            self._later(log)

    def _later(self, log: TurnLog) -> None:
        if not self._dirty:
            tick_s = self._tick_s * (FULL_TICKS if self._full else 1)
            asyncio.get_running_loop().call_later(tick_s, self._tick)
        self._dirty.append(log)

    def _wake_soon(self) -> None:
        logs, self._soon = self._soon, []
        self._wake(logs)

    def _tick(self) -> None:
        logs, self._dirty = self._dirty, []
        self._wake(logs)

    def _wake(self, logs: list[TurnLog]) -> None:
        at = monotonic()
        for log in logs:
            if log.dirty:  # not woken in between
                log.woken_at = at
                log.wake()

    def _sample(self, at: float) -> None:
        # The time of this thread, which is the loop's: other threads have time of their own.
        cpu = time.thread_time()
        share = (cpu - self._cpu_at) / (at - self._sampled_at)
        self._busy = share > (self._calm_share if self._busy else self._busy_share)
        self._full = share > FULL_SHARE
        self._sampled_at, self._cpu_at = at, cpu


class TurnLog:
    """The events of one turn in this process, as JSON; event `seq` is `payloads[seq - 1]`.

    `fence` tells apart the processes that worked on one turn, one after the other: the higher
    number is the later one. `on_wake` and `on_close` are plain calls for whoever keeps the log;
    the second is made when it is broken off, too.
    """

    __slots__ = (
        "_cursors",
        "_on_close",
        "_on_wake",
        "_pace",
        "broken",
        "closed",
        "closed_at",
        "dirty",
        "fence",
        "payloads",
        "size",
        "turn",
        "woken_at",
    )

    def __init__(
        self,
        turn: str,
        pace: Pace,
        *,
        fence: int = 0,
        on_wake: Callable[[TurnLog], None] | None = None,
        on_close: Callable[[TurnLog], None] | None = None,
    ) -> None:
        self.turn = turn
        self.fence = fence
        self.payloads = Payloads()
        self.size = 0  # bytes of all payloads
        self.closed = False  # after the terminal event: nothing follows
        self.closed_at = 0.0  # monotonic
        self.broken = False  # a copy that cannot be continued
        self.dirty = False  # something was appended that readers were not woken for
        self.woken_at = 0.0  # monotonic; by the pace
        self._pace = pace
        self._cursors: list[Cursor] = []
        self._on_wake = on_wake
        self._on_close = on_close

    def append(self, event: Event) -> int:
        """Add one event and return its sequence number. Readers see it after `flush`."""
        return self.append_json(encode(event))

    def append_json(self, payload: bytes) -> int:
        """Add one event that is JSON already, as `append` does."""
        self.payloads.append(payload)
        self.size += len(payload)
        return len(self.payloads)

    def extend(self, payloads: list[bytes]) -> None:
        """Add events that are JSON already, as a mirror of another process does."""
        self.payloads.extend(payloads)
        self.size += sum(map(len, payloads))

    def flush(self, *, now: bool = False) -> None:
        """Let readers have what was appended. Once per read from upstream, not per token."""
        if not self.dirty:
            self.dirty = True
            self._pace.flush(self, now=now)
        elif now:
            self.wake()

    def close(self) -> None:
        """No event follows. Readers end once they have read all. A second call does nothing."""
        if self.closed:
            return
        self.closed = True
        self.closed_at = monotonic()
        self.wake()
        if self._on_close is not None:
            self._on_close(self)

    def break_off(self) -> None:
        """This copy cannot be continued: readers get what it has, then `LogBroken`."""
        self.broken = True
        self.wake()
        if self._on_close is not None:
            self._on_close(self)

    def wake(self) -> None:
        """Wake every reader with a plain call."""
        self.dirty = False
        self.payloads.fold()
        for cursor in self._cursors:
            if cursor.on_more is None or not cursor.on_more():
                cursor.wake()
        if self._on_wake is not None:
            self._on_wake(self)

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
        # A new list, so that a reader may leave while `wake` walks the old one.
        self._cursors = [other for other in self._cursors if other is not cursor]

    def end_of_read(self, start: int) -> int:
        """Where a read that begins at index `start` stops: 256 KB later, but after at least one."""
        payloads = self.payloads
        end = len(payloads)
        if self.size <= READ_BYTES_MAX or end - start < 2:
            return end
        room = READ_BYTES_MAX
        for index in range(start, end):
            room -= len(payloads[index])
            if room < 0:
                return max(index, start + 1)
        return end

    @property
    def readers(self) -> int:
        """How many are reading now."""
        return len(self._cursors)


class Cursor:
    """One reader's place in a turn's log. Use as a context manager, so that it is forgotten.

    `on_more` is a plain call for a reader that can take what is new without being waited for; it
    answers whether it did, and must not raise.
    """

    __slots__ = ("_waiter", "log", "on_more", "seq")

    def __init__(self, log: TurnLog, seq: int) -> None:
        self.log = log
        self.seq = seq  # of the last event taken
        self.on_more: Callable[[], bool] | None = None
        self._waiter: asyncio.Future[None] | None = None

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *_: object) -> None:
        self.log.drop(self)
        self.wake()

    def take(self) -> list[bytes]:
        """All events since the last take, at most 256 KB of them (but at least one).

        Raises `LogBroken` once all is taken from a log that cannot be continued.
        """
        log = self.log
        start = self.seq
        if start == len(log.payloads):
            if log.broken:
                raise LogBroken(f"{log.turn}:{start}")
            return []
        self.seq = end = log.end_of_read(start)
        return log.payloads.between(start, end)

    @property
    def waiting(self) -> bool:
        """Somebody is in `wait`."""
        return self._waiter is not None and not self._waiter.done()

    @property
    def ended(self) -> bool:
        """All is read and nothing follows."""
        return self.log.closed and self.seq == len(self.log.payloads)

    async def wait(self) -> None:
        """Return when there may be more, or when somebody calls `wake`."""
        log = self.log
        if self.seq < len(log.payloads) or log.closed or log.broken:
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

    def create(self, turn: str, *, fence: int = 0) -> TurnLog:
        """The log of a turn that this process owns; `fence` is above that of any former owner."""
        ...

    async def attach(self, turn: str, *, after: int = 0, wait_s: float = 0) -> TurnLog | None:
        """A log to read `turn` from; None when nobody keeps one (ask the store).

        What another process wrote a moment ago may still be on its way: for a turn that is known
        to run, `wait_s` waits so long for it to appear and to hold event `after`.
        """
        ...

    async def request_stop(self, turn: str) -> None:
        """Tell whichever process owns `turn` to stop it."""
        ...

    def on_stop(self, handler: Callable[[str], None]) -> None:
        """Call `handler(turn)` in this process when somebody asks to stop a turn."""
        ...

    async def ping(self) -> str:
        """What is wrong with the way to other processes; empty when nothing is."""
        ...

    def figures(self) -> dict[str, Callable[[], float]]:
        """What an operator may ask at any time, by name; empty when there is nothing to ask."""
        ...

    async def start(self) -> None:
        """Connect and begin background work."""
        ...

    async def close(self) -> None:
        """Write what is pending and let go."""
        ...
