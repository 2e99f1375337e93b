"""Circuit breakers: a route that keeps failing is left alone for a while, and then tried once.

    closed -> (3 failures in a row) -> open for 60 s -> one trial -> closed, or open again

The state is this process's own and costs a call nothing. With Redis (breaker_redis.py) failures of
all processes count together, an opened breaker is known everywhere within about a second, and one
process tries for all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

Word = Literal["closed", "open", "trial"]


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """`failures_max` in a row open it for `open_s`; a trial that never ends is over after
    `trial_s`."""

    failures_max: int = 3
    open_s: float = 60.0
    trial_s: float = 60.0


class Peers(Protocol):
    """What the breakers of several processes tell one another. Calls never raise, and only `tries`
    waits."""

    def failed(self, route: str) -> None:
        """A call on the route failed here."""
        ...

    def succeeded(self, route: str) -> None:
        """A call on the route succeeded here, after failures."""
        ...

    def gave_up(self, route: str) -> None:
        """The trial that was ours told nothing."""
        ...

    async def tries(self, route: str) -> bool:
        """Take the trial for this process; False while another one has it."""
        ...


@dataclass(slots=True)
class _Breaker:
    failures: int = 0
    open_until: float = 0.0
    trial_until: float = 0.0  # somebody is trying


class Breakers:
    """The breakers of all routes, by the route's digest. One for the process."""

    def __init__(
        self,
        limits: BreakerLimits | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[str, Word], None] = lambda _route, _word: None,
    ) -> None:
        self.limits = limits or BreakerLimits()
        self.peers: Peers | None = None
        self._clock = clock
        self._on_change = on_change
        self._breakers: dict[str, _Breaker] = {}

    def look(self, route: str) -> tuple[Word, float]:
        """Its state, and in how many seconds it may be called; changes nothing."""
        breaker = self._breakers.get(route)
        if breaker is None or breaker.failures < self.limits.failures_max:
            return "closed", 0.0
        now = self._clock()
        if now < breaker.open_until:
            return "open", breaker.open_until - now
        if now < breaker.trial_until:
            return "open", breaker.trial_until - now
        return "trial", 0.0

    def enter(self, route: str) -> Word:
        """Begin a call: `closed`, or `trial` for the one that may; else `open`."""
        word, _ = self.look(route)
        if word == "trial":
            self._breakers[route].trial_until = self._clock() + self.limits.trial_s
        return word

    async def first(self, route: str) -> bool:
        """Whether the trial that was just entered is the only one, among all processes.

        When it is not, the route stays open here until the others tell how theirs ended.
        """
        try:
            return self.peers is None or await self.peers.tries(route)
        except asyncio.CancelledError:
            self.leave(route)
            raise

    def leave(self, route: str) -> None:
        """A trial ended without telling anything, for example because it was stopped."""
        breaker = self._breakers.get(route)
        if breaker is not None and breaker.trial_until:
            breaker.trial_until = 0.0
            if self.peers:
                self.peers.gave_up(route)

    def succeeded(self, route: str) -> None:
        """The route answered in full."""
        breaker = self._breakers.get(route)
        if breaker is None or not breaker.failures:
            return
        if breaker.failures >= self.limits.failures_max:
            self._on_change(route, "closed")
        del self._breakers[route]
        if self.peers:
            self.peers.succeeded(route)

    def failed(self, route: str) -> None:
        """The route failed in a way that says something about it."""
        breaker = self._breakers.setdefault(route, _Breaker())
        breaker.failures += 1
        breaker.trial_until = 0.0
        if breaker.failures >= self.limits.failures_max:
            self._open(route, breaker, self.limits.open_s)
        if self.peers:
            self.peers.failed(route)

    def heard(self, route: str, failures: int, open_s: float) -> None:
        """What all processes together know: their failures in a row, and how long it stays open."""
        if failures <= 0:
            if route in self._breakers:
                self._on_change(route, "closed")
                del self._breakers[route]
            return
        breaker = self._breakers.setdefault(route, _Breaker())
        breaker.failures = max(breaker.failures, failures)
        if open_s > 0:
            self._open(route, breaker, open_s)

    def known(self) -> tuple[str, ...]:
        """Routes that have failed and not yet succeeded."""
        return tuple(self._breakers)

    def _open(self, route: str, breaker: _Breaker, open_s: float) -> None:
        now = self._clock()
        if now >= breaker.open_until:
            self._on_change(route, "open")
        breaker.open_until = max(breaker.open_until, now + open_s)
