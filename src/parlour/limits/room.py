"""Room for turns: a bounded number at once, a short bounded wait, then a refusal; fair to all.

No workspace may fill the room: a tenth of the places is always left to others, so the turns of a
crowd in one workspace do not stand before the door of another. A place that becomes free goes to
the workspace that runs the fewest, and within it to who has waited longest.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque

from parlour.errors import Overloaded

SHARE_MAX = 0.9  # of the places, for one workspace
WAITING_MAX = 2_000  # of one workspace; who waits costs little, however few may run


class Room:
    """Counts the turns that run in this process."""

    def __init__(self, *, turns_max: int, wait_s: float, waiting_max: int = WAITING_MAX) -> None:
        self._free = turns_max
        self._wait_s = wait_s
        self._waiting_max = waiting_max
        self._share_max = max(1, int(turns_max * SHARE_MAX))
        self._running: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    async def enter(self, workspace: str) -> None:
        """Take a place. Raises `Overloaded` after `wait_s` without one."""
        if self._free > 0 and self._running[workspace] < self._share_max:
            self._take(workspace)
            return
        line = self._waiting.setdefault(workspace, deque())
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            if len(line) >= self._waiting_max:
                raise TimeoutError
            line.append(place)
            await asyncio.wait_for(place, self._wait_s)
        except TimeoutError:
            raise Overloaded(
                "All places for answers are taken at the moment. Please try again in a few seconds."
            ) from None
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave(workspace)  # it was given in the same moment: pass it on
            raise

    def leave(self, workspace: str) -> None:
        """Give the place back, to a workspace that waits and runs the fewest."""
        self._free += 1
        self._running[workspace] -= 1
        if not self._running[workspace]:
            del self._running[workspace]
        able = [name for name in self._waiting if self._running[name] < self._share_max]
        for name in sorted(able, key=self._running.__getitem__):
            if self._give(name):
                return

    def _give(self, workspace: str) -> bool:
        """A place to who has waited longest there; False when nobody waits any more."""
        line = self._waiting[workspace]
        while line:
            place = line.popleft()
            if not place.done():
                self._take(workspace)
                place.set_result(None)
                return True
        del self._waiting[workspace]
        return False

    def _take(self, workspace: str) -> None:
        self._free -= 1
        self._running[workspace] += 1
