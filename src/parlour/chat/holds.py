"""Filters that hold an answer back until somebody has judged it. See chat/outflow.py for the chain.

Held here is never decided by silence: `settle` shows nothing, for only the judge lets go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from parlour.models.pieces import FOLD, weight
from parlour.safety.output.check import OVERLAP

NEVER = "[\0]"  # a trigger that no text has: NUL is refused at the edge


class Hold:
    """Holds everything until it is opened; while it is open, everything passes."""

    trigger = NEVER

    def __init__(self) -> None:
        self.opened_at: float | None = None
        self._held: list[str] = []

    def open(self) -> None:
        """Let go: what is held goes with the next piece, or when somebody drains."""
        self.opened_at = monotonic()

    def close(self) -> None:
        """Hold from here on."""
        self.opened_at = None

    @property
    def held_since(self) -> float | None:
        """Only what may go is overdue."""
        return self.opened_at if self._held else None

    @property
    def busy(self) -> bool:
        """Every piece is wanted until it is open and empty."""
        return self.opened_at is None or bool(self._held)

    def passed(self, text: str) -> None:
        """It does not look back."""

    def feed(self, text: str) -> str:
        """More text."""
        self._held.append(text)
        return self._let_go()

    def settle(self, silent_s: float) -> str:
        """What is held, once it is open, however short the silence."""
        del silent_s
        return self._let_go()

    def _let_go(self) -> str:
        if self.opened_at is None:
            return ""
        text = "".join(self._held)
        self._held.clear()
        return text

    def drain(self) -> str:
        """As `settle`: the end of a round opens nothing."""
        return self._let_go()


class Blocks:
    """Lets text go in blocks that have been judged, for readers from whom nothing can be withdrawn.

    The last characters of a block wait for the next one, so that nothing passes in two halves.
    `allowed` says whether a text may be shown; it does what is to be done when not.
    """

    trigger = NEVER
    busy = True
    held_since = None

    def __init__(self, allowed: Callable[[str], bool]) -> None:
        self._allowed = allowed
        self._held: list[str] = []
        self._room = FOLD  # of the block that has begun
        self._over = False

    def passed(self, text: str) -> None:
        """It does not look back."""

    def feed(self, text: str) -> str:
        """More text; a judged block now and then."""
        self._held.append(text)
        self._room -= weight(text)
        if self._room > 0:
            return ""
        self._room = FOLD
        return self._judged(keep=OVERLAP)

    def settle(self, silent_s: float) -> str:
        """Silence decides nothing."""
        del silent_s
        return ""

    def drain(self) -> str:
        """The rest, if it may be shown."""
        return self._judged(keep=0)

    def _judged(self, *, keep: int) -> str:
        text = "".join(self._held)
        self._held.clear()
        if self._over or not text:
            return ""
        if not self._allowed(text):
            self._over = True
            return ""
        shown = text[: len(text) - keep] if keep else text
        if len(shown) < len(text):
            self._held.append(text[len(shown) :])
        return shown


@dataclass(slots=True)
class Case:
    """What is being judged of one turn."""

    holds: tuple[Hold, ...] = ()  # for the verdict on the question
    answer_holds: tuple[Hold, ...] = ()  # for the verdict on a whole answer
    verdict: asyncio.Task[None] | None = None
    orders: tuple[str, ...] = ()  # rules that the question hit
    over: bool = False  # a verdict against: what is left of the turn is its sentence
