"""The event log of a single process: nothing leaves it."""

from __future__ import annotations

from collections.abc import Callable

from parlour.events.log import Pace, TurnLog
from parlour.events.shelf import KEEP_BYTES_MAX, KEEP_MAX, KEEP_S, Shelf


class MemoryEventLog:
    """Keeps running turns, and finished ones for `keep_s` (at most `keep_max`, `keep_bytes`)."""

    def __init__(
        self,
        *,
        keep_s: float = KEEP_S,
        keep_max: int = KEEP_MAX,
        keep_bytes: int = KEEP_BYTES_MAX,
    ) -> None:
        self._pace = Pace()
        self._shelf = Shelf(keep_s=keep_s, keep_max=keep_max, keep_bytes=keep_bytes)
        self._handlers: list[Callable[[str], None]] = []

    def create(self, turn: str, *, fence: int = 0) -> TurnLog:
        """The log of a turn that this process owns."""
        log = TurnLog(turn, self._pace, fence=fence, on_close=self._shelf.finish)
        self._shelf.put(log)
        return log

    async def attach(self, turn: str, *, after: int = 0, wait_s: float = 0) -> TurnLog | None:
        """The turn's log, while it runs and shortly after. All is here, so nothing to wait for."""
        return self._shelf.get(turn)

    async def request_stop(self, turn: str) -> None:
        """All turns are here: tell the handlers."""
        for handler in self._handlers:
            handler(turn)

    def on_stop(self, handler: Callable[[str], None]) -> None:
        """Call `handler(turn)` when somebody asks to stop a turn."""
        self._handlers.append(handler)

    async def ping(self) -> str:
        """There is no way that could be wrong."""
        return ""

    def figures(self) -> dict[str, Callable[[], float]]:
        """Nothing leaves this process, so nothing is counted."""
        return {}

    async def start(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Nothing is pending."""
