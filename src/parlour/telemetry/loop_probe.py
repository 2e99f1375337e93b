"""How late the event loop is: one timer a second, and how much later than that it ran."""

from __future__ import annotations

import asyncio
import time

from prometheus_client import Gauge

EVERY_S = 1.0


class LoopProbe:
    """Sets a gauge to the lag of the last second's timer, in seconds."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def start(self) -> None:
        """Begin to measure the running loop."""
        self._due = time.monotonic() + EVERY_S
        self._timer = asyncio.get_running_loop().call_later(EVERY_S, self._measure)

    def stop(self) -> None:
        """Measure no more."""
        if self._timer:
            self._timer.cancel()

    def _measure(self) -> None:
        self._gauge.set(max(0.0, time.monotonic() - self._due))
        self.start()
