"""The logs that a process keeps: all that run, and finished ones for a while.

Bounded in age, number and bytes, because a reader that comes late can always ask the store.
"""

from __future__ import annotations

import time
from collections import OrderedDict

from parlour.events.log import TurnLog

KEEP_S = 60.0  # a page that lost its connection is back by then
KEEP_MAX = 1_000
KEEP_BYTES_MAX = 64 * 1024 * 1024


class Shelf:
    """Finished logs stay for `keep_s`, at most `keep_max` of them and `keep_bytes` in all."""

    def __init__(
        self,
        *,
        keep_s: float = KEEP_S,
        keep_max: int = KEEP_MAX,
        keep_bytes: int = KEEP_BYTES_MAX,
    ) -> None:
        self._keep_s = keep_s
        self._keep_max = keep_max
        self._keep_bytes = keep_bytes
        self._running: dict[str, TurnLog] = {}
        self._finished: OrderedDict[str, TurnLog] = OrderedDict()  # the first closed comes first
        self._bytes = 0  # of finished logs

    def __len__(self) -> int:
        return len(self._running) + len(self._finished)

    def put(self, log: TurnLog) -> None:
        """Keep a running log. It takes the place of another log of the same turn."""
        self.remove(log.turn)
        self._running[log.turn] = log
        self._forget()

    def get(self, turn: str) -> TurnLog | None:
        """The log of `turn`, running or finished."""
        return self._running.get(turn) or self._finished.get(turn)

    def finish(self, log: TurnLog) -> None:
        """The log is closed: keep it for a while, if it is whole. For `TurnLog(on_close=...)`."""
        if self._running.get(log.turn) is log:
            del self._running[log.turn]
            if log.broken:
                return
            self._finished[log.turn] = log
            self._bytes += log.size
            self._forget()

    def remove(self, turn: str) -> TurnLog | None:
        """Forget a log at once."""
        log = self._finished.pop(turn, None)
        if log is not None:
            self._bytes -= log.size
            return log
        return self._running.pop(turn, None)

    def _forget(self) -> None:
        # Each log is walked over once when it goes, so this is constant time per turn.
        horizon = time.monotonic() - self._keep_s
        while self._finished:
            oldest = next(iter(self._finished.values()))
            if (
                oldest.closed_at > horizon
                and len(self._finished) <= self._keep_max
                and self._bytes <= self._keep_bytes
            ):
                return
            self._finished.popitem(last=False)
            self._bytes -= oldest.size
