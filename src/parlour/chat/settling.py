"""Text that a filter holds back while its model is silent: decided in time, for all turns at once.

A model can fall silent in the middle of what a filter waits for the end of. Nothing would come then
to decide it, so somebody has to look: one timer for the process, and none while nothing is held.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Protocol

from parlour.safety.silence import PAUSE_S

STEP_S = 0.02  # between two looks, however many turns are due one after the other


class Holding(Protocol):
    """Whoever may hold text back."""

    def settle(self, now: float) -> float | None:
        """Decide what has waited for too long at `now` (monotonic). When there will be more to
        decide; None = nothing is held."""
        ...


class Settling:
    """Looks after whoever holds text. One for the process."""

    def __init__(self) -> None:
        self._holding: dict[Holding, None] = {}  # in the order in which they came
        self._timer: asyncio.TimerHandle | None = None
        self._at = 0.0  # monotonic; when the timer is due

    def watch(self, holding: Holding) -> None:
        """Text is held here from now on. Whoever is watched already may come again."""
        if holding not in self._holding:
            self._holding[holding] = None
            self._look_in(PAUSE_S)

    @property
    def held(self) -> int:
        """How many are looked after now; none = no timer runs."""
        return len(self._holding)

    def _look_in(self, wait_s: float) -> None:
        at = monotonic() + wait_s
        if self._timer is not None:
            if self._at <= at:  # nearly always: every end of a sentence comes here
                return
            self._timer.cancel()
        self._at = at
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._look)

    def _look(self) -> None:
        self._timer = None
        now = monotonic()
        due = [(holding, holding.settle(now)) for holding in self._holding]
        self._holding = {holding: None for holding, at in due if at is not None}
        if self._holding:
            soonest = min(at for _, at in due if at is not None)
            self._look_in(max(STEP_S, soonest - now))
