"""The event log of a single process: a dictionary, bounded in time and number."""

from __future__ import annotations

import time
from collections.abc import Callable

from parlour.events.log import Pace, TurnLog


class MemoryEventLog:
    """Keeps running turns, and finished ones for `keep_s` (at most `keep_max` of them)."""

    def __init__(self, *, keep_s: float = 60, keep_max: int = 1_000) -> None:
        self._keep_s = keep_s
        self._keep_max = keep_max
        self._pace = Pace()
        self._logs: dict[str, TurnLog] = {}
        self._handlers: list[Callable[[str], None]] = []

    def create(self, turn: str) -> TurnLog:
        """The log of a turn that this process owns."""
        self._forget_finished()
        log = self._logs[turn] = TurnLog(turn, self._pace)
        return log

    async def attach(self, turn: str) -> TurnLog | None:
        """The turn's log, while it runs and shortly after."""
        return self._logs.get(turn)

    async def request_stop(self, turn: str) -> None:
        """All turns are here: tell the handlers."""
        for handler in self._handlers:
            handler(turn)

    def on_stop(self, handler: Callable[[str], None]) -> None:
        """Call `handler(turn)` when somebody asks to stop a turn."""
        self._handlers.append(handler)

    async def start(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Nothing is pending."""

    def _forget_finished(self) -> None:
        # Insertion order is age, so the walk ends at the first log that stays.
        horizon = time.monotonic() - self._keep_s
        too_many = len(self._logs) - self._keep_max
        for turn, log in list(self._logs.items()):
            if not log.closed:
                continue
            if log.closed_at > horizon and too_many <= 0:
                break
            del self._logs[turn]
            too_many -= 1
