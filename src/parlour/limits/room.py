"""Room for turns: a bounded number at once, a short bounded wait, then a refusal."""

from __future__ import annotations

import asyncio

from parlour.errors import Overloaded


class Room:
    """Counts the turns that run in this process."""

    def __init__(self, *, turns_max: int, wait_s: float) -> None:
        self._free = turns_max
        self._wait_s = wait_s
        self._waiting: asyncio.Queue[asyncio.Future[None]] = asyncio.Queue(maxsize=turns_max)

    async def enter(self) -> None:
        """Take a place. Raises `Overloaded` after `wait_s` without one."""
        if self._free > 0:
            self._free -= 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            self._waiting.put_nowait(place)
            await asyncio.wait_for(place, self._wait_s)
        except (TimeoutError, asyncio.QueueFull):
            raise Overloaded(
                "All places for answers are taken at the moment. Please try again in a few seconds."
            ) from None
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave()  # it was given in the same moment: pass it on
            raise

    def leave(self) -> None:
        """Give the place back, to the one who has waited longest."""
        while not self._waiting.empty():
            place = self._waiting.get_nowait()
            if not place.done():
                place.set_result(None)
                return
        self._free += 1
