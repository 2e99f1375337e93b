"""Mirrors: turns of other processes, copied from Redis for readers in this one.

One task per process follows all mirrored turns, and the requests to stop one of ours, with a single
blocking XREAD. All readers of a turn share its mirror. A mirror is dense or it is broken: where
something is missing it ends with `LogBroken`, and readers are told to start again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis

from parlour.errors import Overloaded
from parlour.events.log import Pace, TurnLog
from parlour.events.redis_wire import ANSWER_S, FAILURES, Entry, Keys, Link, call

BLOCK_S = 5.0  # of one read; nothing depends on it but the forgetting of mirrors
PAUSE_S = 0.010  # between reads, so that many turns arrive together
COUNT = 100  # entries of one stream in one read
IDLE_S = 10.0  # a mirror without readers stays so long: a page that reconnects finds it
MIRRORS_MAX = 1_000
MIRROR_BYTES_MAX = 256 * 1024 * 1024  # of all mirrors
STOPS_MAX = 10_000  # requests kept for processes that are cut off for a moment

Reply = list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]


class Mirror:
    """The copy of one turn, and the place in its stream."""

    __slots__ = ("idle_at", "log", "place", "waiting")

    def __init__(self, log: TurnLog) -> None:
        self.log = log
        self.place = b"0-0"
        self.waiting = 0  # callers of `attach` that wait for its first events
        self.idle_at: float | None = None  # monotonic, since when nobody reads it

    def take(self, entry: Entry) -> bool:
        """Add what an entry brings; False when it does not continue what is here.

        An entry may bring again what is here already: after an outage, or from a later owner.
        Then it must say the same, and a later owner must know all that was said.
        """
        log = self.log
        here = len(log.payloads)
        end = entry.at - 1 + len(entry.events)
        if entry.at > here + 1 or entry.end == "lost":
            return False
        if end < here and (entry.end or entry.fence != log.fence):
            return False
        known = here - entry.at + 1
        if log.payloads[entry.at - 1 : end] != entry.events[:known]:
            return False
        log.fence = entry.fence
        log.extend(entry.events[known:])
        if entry.end:
            log.close()
        return True


class Follower:
    """The one task of this process that reads from Redis."""

    def __init__(
        self,
        blocking: Redis,
        client: Redis,
        keys: Keys,
        *,
        process: str,
        pace: Pace,
        on_stop: Callable[[str], None],
        idle_s: float = IDLE_S,
        mirrors_max: int = MIRRORS_MAX,
        mirror_bytes: int = MIRROR_BYTES_MAX,
    ) -> None:
        self.link = Link("reading")
        self.broken = 0  # mirrors that could not be continued
        self.mirrors: dict[str, Mirror] = {}  # by the key of the stream
        self._blocking = blocking
        self._client = client
        self._keys = keys
        self._pace = pace
        self._on_stop = on_stop
        self._idle_s = idle_s
        self._mirrors_max = mirrors_max
        self._mirror_bytes = mirror_bytes
        # From the start: a request for a turn that is not ours means nothing, and none is missed.
        self._stop_place = b"0-0"
        self._bell = keys.process(process)
        self._bell_place = b"0-0"
        self._asking: asyncio.Task[set[str]] | None = None

    async def attach(self, turn: str, *, after: int, wait_s: float) -> TurnLog | None:
        """The mirror of `turn`, made when there is none; see `EventLog.attach`."""
        key = self._keys.turn(turn)
        mirror = self.mirrors.get(key)
        if mirror is None:
            self._make_room()
            mirror = self.mirrors[key] = Mirror(TurnLog(turn, self._pace))
        mirror.waiting += 1
        try:
            if not mirror.log.payloads:
                if self._asking is None:
                    self._asking = asyncio.create_task(self._ask(), name="event log: asking")
                there = key in await asyncio.shield(self._asking)
                wait_s = max(wait_s, ANSWER_S if there else 0)
            await reach(mirror.log, max(after, 1), within_s=wait_s)
        finally:
            mirror.waiting -= 1
            if not mirror.log.payloads and not mirror.waiting:
                self._drop(key)
        return mirror.log if mirror.log.payloads and not mirror.log.broken else None

    def forget(self, turn: str) -> None:
        """This process owns the turn now: whoever reads its mirror is sent to the real log."""
        mirror = self.mirrors.get(self._keys.turn(turn))
        if mirror is not None:
            self._break(self._keys.turn(turn), mirror)

    async def stop(self, turn: str) -> None:
        """Ask the owner of `turn`, wherever it is, to stop it."""
        await call(
            self._client, "XADD", self._keys.stop, "MAXLEN", "~", STOPS_MAX, "*", "turn", turn
        )

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                reply = await self._read()
            except FAILURES as error:
                await asyncio.sleep(self.link.failed(error))
                continue
            self.link.worked()
            for stream, entries in reply:
                self._take(stream.decode(), entries)
            self._sweep()
            read = [len(entries) for stream, entries in reply if stream.decode() != self._bell]
            if read and max(read) < COUNT:  # nothing more is waiting
                await asyncio.sleep(PAUSE_S)

    async def _read(self) -> Reply:
        places = {self._keys.stop: self._stop_place, self._bell: self._bell_place}
        places |= {key: m.place for key, m in self.mirrors.items() if not m.log.closed}
        block_ms = int(1_000 * BLOCK_S)
        head = ("XREAD", "COUNT", COUNT, "BLOCK", block_ms, "STREAMS")
        reply: Any = await call(self._blocking, *head, *places.keys(), *places.values())
        return reply or []

    async def _ask(self) -> set[str]:
        """Make the running read begin anew, with all new mirrors; which of their streams exist."""
        await asyncio.sleep(0)  # whoever comes in this moment is asked for in the same round trip
        self._asking = None
        keys = [key for key, mirror in self.mirrors.items() if not mirror.log.payloads]
        try:
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.xadd(self._bell, {"": ""}, maxlen=1, approximate=False)
                pipe.expire(self._bell, 3_600)
                for key in keys:
                    pipe.exists(key)
                answers = await pipe.execute()
        except FAILURES as error:
            self.link.failed(error)  # and the running read begins anew by itself
            return set()
        return {key for key, exists in zip(keys, answers[2:], strict=True) if exists}

    def _take(self, key: str, entries: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        if key == self._keys.stop:
            self._stop_place = entries[-1][0]
            for _, fields in entries:
                self._on_stop(fields.get(b"turn", b"").decode())
        elif key == self._bell:
            self._bell_place = entries[-1][0]
        elif mirror := self.mirrors.get(key):
            mirror.place = entries[-1][0]
            if all(mirror.take(Entry.read(*entry)) for entry in entries):
                mirror.log.flush()
            else:
                self._break(key, mirror)

    def _break(self, key: str, mirror: Mirror) -> None:
        self.broken += 1
        self._drop(key)
        mirror.log.break_off()

    def _drop(self, key: str) -> None:
        self.mirrors.pop(key, None)

    def _sweep(self) -> None:
        """Drop mirrors that nobody has read for a while."""
        now = time.monotonic()
        for key, mirror in list(self.mirrors.items()):
            if mirror.log.readers or mirror.waiting:
                mirror.idle_at = None
            elif mirror.idle_at is None:
                mirror.idle_at = now
            elif now - mirror.idle_at > self._idle_s:
                self._drop(key)

    def _make_room(self) -> None:
        size = sum(mirror.log.size for mirror in self.mirrors.values())
        if len(self.mirrors) < self._mirrors_max and size < self._mirror_bytes:
            return
        for key, mirror in list(self.mirrors.items()):
            if not mirror.log.readers and not mirror.waiting:
                self._drop(key)
                return
        raise Overloaded("Too many answers are being followed here. Please try again in a moment.")


async def reach(log: TurnLog, seq: int, *, within_s: float) -> None:
    """Wait until `log` has event `seq` or gets no more; return in any case after `within_s`."""
    if len(log.payloads) >= seq or log.closed or within_s <= 0:
        return
    with contextlib.suppress(TimeoutError), log.cursor() as cursor:
        async with asyncio.timeout(within_s):
            while len(log.payloads) < seq and not log.closed and not log.broken:
                cursor.seq = len(log.payloads)
                await cursor.wait()
