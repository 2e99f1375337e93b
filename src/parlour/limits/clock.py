"""What time it is for limits: the database's clock, carried on by the monotonic one.

The wall clock of this machine is never asked, so setting it gives nobody a new day. Processes that
share a database agree.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from parlour.limits.levels import Moment

SYNC_S = 300.0  # monotonic clocks drift by some parts in a million, and sleep with the machine


class Clock:
    """One for the process."""

    def __init__(
        self,
        read: Callable[[], Awaitable[float]],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`read` asks the database for seconds since 1970."""
        self._read = read
        self._monotonic = monotonic
        self._base = 0.0
        self._synced: float | None = None

    async def now(self) -> Moment:
        """The time; asks the database at first, and then every five minutes."""
        if self._synced is None or self._monotonic() - self._synced > SYNC_S:
            self.sync(await self._read())
        return self._moment()

    def sync(self, seconds: float) -> Moment:
        """The database has just said what time it is."""
        self._base, self._synced = seconds, self._monotonic()
        return self._moment()

    def _moment(self) -> Moment:
        assert self._synced is not None  # noqa: S101  # by `now` or `sync`
        return Moment(self._base + self._monotonic() - self._synced)
