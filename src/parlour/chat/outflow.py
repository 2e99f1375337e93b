"""What the model says passes a chain of filters before it is said.

A filter may hold text back until it knows what it is (a link that is only half there), change it,
or drop it. Nearly every piece concerns no filter: it has none of the characters that they wait for
(`trigger`), and passes with one look. Filters hold text, never timers: what is held is decided by
the next piece, by `drain` at the end of a round, or by `settle` when a model falls silent in the
middle of it (chat/settling.py asks, for all turns at once). A chain says so when it begins to hold
(`on_held`), on the way of the few pieces that concern a filter.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence
from functools import lru_cache
from time import monotonic
from typing import Protocol

from parlour.safety.silence import PAUSE_S, STALL_S

PASSED_PIECES = 64  # that a filter may look back on; a name before an `@` has at most so many


class OutFilter(Protocol):
    """One filter of one stream of text (the answer of a turn, or its reasoning).

    What it lets through must not depend on how the text was cut into pieces.
    """

    @property
    def trigger(self) -> str:
        """A regular expression, searched in each piece: a match means that the filter wants it.

        One class of characters (`[<>@]`) costs 80 ns a piece, and so do several filters that each
        have one; alternatives cost five times as much. An empty one wants, and costs, every piece.
        """
        ...

    @property
    def held_since(self) -> float | None:
        """When (monotonic) the oldest text was held that is still held; None = nothing is held."""
        ...

    @property
    def busy(self) -> bool:
        """It wants the next piece whatever is in it: text is held, or being dropped."""
        ...

    def passed(self, text: str) -> None:
        """This went by, after what was fed before, while the filter was not busy."""
        ...

    def feed(self, text: str) -> str:
        """More text; returns what may be shown now."""
        ...

    def settle(self, silent_s: float) -> str:
        """Nothing has come for so long: decide what must not wait any longer; more text follows.

        Asked too when the oldest text that is held has waited for `PAUSE_S`.
        """
        ...

    def drain(self) -> str:
        """The rest: nothing follows. The filter is as new afterwards."""
        ...


@lru_cache(maxsize=16)
def _search(triggers: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{trigger})" for trigger in triggers))


class Outflow:
    """A chain of filters, in the order in which text passes them."""

    __slots__ = ("_busy", "_filters", "_heard_at", "_keep", "_on_held", "_passed", "_wanted")

    def __init__(
        self, filters: Sequence[OutFilter], on_held: Callable[[], None] | None = None
    ) -> None:
        self._filters = tuple(filters)
        self._on_held = on_held
        self._heard_at = 0.0  # monotonic; when the last piece came that a filter wanted
        self._wanted = _search(tuple(f.trigger for f in filters)).search
        self._busy = any(each.busy for each in self._filters)
        self._passed: deque[str] = deque(maxlen=PASSED_PIECES)
        self._keep = self._passed.append

    def feed(self, text: str) -> str:
        """More text; returns what may be shown now. This runs for every token."""
        if self._busy or self._wanted(text) is not None:
            return self._feed(text)
        self._keep(text)
        return text

    def settle(self, now: float) -> str:
        """Decide what has waited for too long at `now` (monotonic); more text follows."""
        if not self._busy:  # mostly what waited was decided by the next piece
            return ""
        return self._end(now - self._heard_at)

    def drain(self) -> str:
        """The rest, at the end of a round."""
        return self._end(None)

    def due(self, now: float) -> float | None:
        """When to settle what is still held at `now`; None = nothing is, or no time decides it."""
        since = self.held_since
        if since is None:
            return None
        times = (since + PAUSE_S, self._heard_at + PAUSE_S, self._heard_at + STALL_S)
        return min((at for at in times if at > now), default=None)

    @property
    def held_since(self) -> float | None:
        """When the oldest text was held that is still held; None = nothing is."""
        if not self._busy:
            return None
        return min((at for f in self._filters if (at := f.held_since) is not None), default=None)

    def _feed(self, text: str) -> str:
        self._tell_passed()
        busy = False
        for each in self._filters:
            if text:
                text = each.feed(text)
            busy = busy or each.busy
        self._busy = busy
        if busy:
            self._heard_at = monotonic()
            if self._on_held is not None:
                self._on_held()
        return text

    def _end(self, silent_s: float | None) -> str:
        """Settle after a silence, or drain without one."""
        self._tell_passed()
        text, busy = "", False
        for each in self._filters:
            text = each.feed(text) if text else ""
            text += each.drain() if silent_s is None else each.settle(silent_s)
            busy = busy or each.busy
        self._busy = busy
        return text

    def _tell_passed(self) -> None:
        if self._passed:
            passed = "".join(self._passed)
            self._passed.clear()
            for each in self._filters:
                each.passed(passed)


class _Silence:
    """Lets nothing through."""

    trigger = ""
    held_since = None
    busy = True

    def passed(self, text: str) -> None:
        """Nothing passes."""

    def feed(self, text: str) -> str:
        """Nothing is shown."""
        del text
        return ""

    def settle(self, silent_s: float) -> str:
        """Nothing is held."""
        del silent_s
        return ""

    def drain(self) -> str:
        """Nothing is held."""
        return ""


def silence() -> Outflow:
    """A chain that lets nothing through."""
    return Outflow([_Silence()])
