"""The queue before the pool: first come, first served, for as long as anybody is served.

Two states look alike from behind a pool that is in use: the database does not answer, or this
process has more turns to start than it has connections for. In the first one people are told
within two seconds; in the second they wait their turn, because it comes. What tells the two apart
is whether connections come back in order.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

WAIT_S = 1.5  # without anybody being served; people are told within 2 s that storage is down
QUEUE_S = 6.0  # in all; below the limit of an operation, which begins in the queue
WAITING_MAX = 2_000


class PoolQueue:
    """Hands out as many places as the pool has connections. Raises `TimeoutError`."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._served_at = 0.0  # monotonic: when a connection last came back in order

    def served(self) -> None:
        """The database has answered somebody."""
        self._served_at = time.monotonic()

    @property
    def stuck(self) -> bool:
        """Nobody has been served lately."""
        return time.monotonic() - self._served_at > WAIT_S

    async def enter(self) -> None:
        """Wait for a place."""
        if self._free > 0:
            self._free -= 1
            return
        if len(self._waiting) >= WAITING_MAX:
            raise TimeoutError("too many wait for the database")
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        until = time.monotonic() + QUEUE_S
        try:
            while not (await asyncio.wait((place,), timeout=WAIT_S))[0]:
                if self.stuck or time.monotonic() > until:
                    place.cancel()
                    raise TimeoutError("no connection to the database became free")
        except asyncio.CancelledError:
            if place.done():
                self.leave()  # it was given in the same moment: pass it on
            place.cancel()
            raise

    def leave(self) -> None:
        """Give the place to the one who has waited longest."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        self._free += 1
