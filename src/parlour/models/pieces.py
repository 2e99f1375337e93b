"""A long text that comes in small pieces, kept small: thousands of streams are open at once.

A short piece costs sixteen times its length as a string of its own.
"""

from __future__ import annotations

from collections.abc import Callable

FOLD = 400  # bytes that become one piece: about a hundred tokens


def weight(text: str) -> int:
    """About its bytes in UTF-8, and rather too many, at no cost."""
    return len(text) if text.isascii() else 3 * len(text)


class Pieces:
    """Add pieces; `join` gives the text so far."""

    __slots__ = ("_folded", "_recent", "_room", "on_fold")

    def __init__(self) -> None:
        self._recent: list[str] = []
        self._folded: list[str] = []
        self._room = FOLD
        self.on_fold: Callable[[], None] | None = None  # called after each fold, so not per piece

    def add(self, piece: str) -> None:
        """One more piece at the end. This runs for every read from upstream."""
        recent = self._recent
        recent.append(piece)
        self._room -= weight(piece)
        if self._room <= 0:
            self._room = FOLD
            self._folded.append("".join(recent))
            recent.clear()
            if self.on_fold is not None:
                self.on_fold()

    def join(self) -> str:
        """All of it."""
        return "".join(self._folded) + "".join(self._recent)

    def newest(self, before: int) -> str:
        """What was folded last, and up to `before` characters that stand before it."""
        *_, older, last = ["", *self._folded]
        return older[-before:] + last

    def clear(self) -> None:
        """Forget it."""
        self._recent.clear()
        self._folded.clear()
        self._room = FOLD

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._recent or self._folded)
