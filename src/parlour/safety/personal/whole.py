"""Keeps placeholders whole in what a model says, and out of addresses.

Values are put back event by event, in front of each reader, so no event may end within a
placeholder. And a value must not leave in a link: a text that a model has read could ask it for
`https://elsewhere.example/?q=[CARD_1]`, and the reader's click would carry the number away.
"""

from __future__ import annotations

import re
from time import monotonic

from parlour.safety.personal.masks import PLACEHOLDER
from parlour.safety.silence import STALL_S

HIDDEN = "hidden"  # what stands for a placeholder within an address
_HALF = re.compile(r"\\$|\\?\[(?:[A-Z]{1,6}(?:_(?:[1-9]\d{0,3})?)?)?\\?$")
_WORD_MAX = 2_000  # characters of one word that are remembered; addresses are shorter
_SPACE = re.compile(r"\s")


class WholePlaceholders:
    """An `OutFilter`: holds back half a placeholder, at most sixteen characters."""

    trigger = r"[\[\\]"

    def __init__(self) -> None:
        self._held = ""
        self._before = ""  # what was shown last, for the word that a placeholder stands in
        self.held_since: float | None = None

    @property
    def busy(self) -> bool:
        """Half a placeholder is held."""
        return bool(self._held)

    def passed(self, text: str) -> None:
        """Remember what stands before the next piece."""
        self._before = (self._before + text)[-_WORD_MAX:]

    def feed(self, text: str) -> str:
        """More text; returns what may be shown now."""
        if not self._held and "[" not in text and "\\" not in text:
            self.passed(text)
            return text
        text, self._held = self._held + text, ""
        half = _HALF.search(text)
        if half:
            self._held = text[half.start() :]
            self.held_since = self.held_since or monotonic()
            text = text[: half.start()]
        else:
            self.held_since = None
        return self._said(text)

    def settle(self, silent_s: float) -> str:
        """Nothing has followed for so long that it is no placeholder."""
        return self.drain_held() if silent_s >= STALL_S else ""

    def drain(self) -> str:
        """The rest."""
        rest = self.drain_held()
        self._before = ""
        return rest

    def drain_held(self) -> str:
        """Say what is held."""
        held, self._held, self.held_since = self._held, "", None
        return self._said(held)

    def _said(self, text: str) -> str:
        pieces: list[str] = []
        at = 0
        for match in PLACEHOLDER.finditer(text):
            before = text[at : match.start()]
            self.passed(before)
            pieces += (before, HIDDEN if "://" in _last_word(self._before) else match[0])
            self.passed("_")
            at = match.end()
        self.passed(text[at:])
        return "".join((*pieces, text[at:]))


def _last_word(text: str) -> str:
    return _SPACE.split(text)[-1]
