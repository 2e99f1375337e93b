"""Judges text that a model has said. Pure, and cheap enough for every hundredth token.

What somebody can encode (in base64, in another language, one letter a line) passes here: this keeps
accidents and plain attacks out, and is not the only guard (docs/explanation/safety.md).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources

from parlour.safety.personal.find import find

SHINGLE = 8  # words in a row that only somebody who has the prompt says
OVERLAP = 400  # characters looked at again with the next piece: longer than any pattern's start
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Breach:
    """What was found: the check and its rule, both stable words; never the text itself."""

    check: str
    rule: str


class OutputCheck:
    """All checks on what is said. One for the process.

    `prompts` are texts whose words must not be said; `values` are secrets known to the deployment.
    """

    def __init__(self, *, prompts: Iterable[str] = (), values: Iterable[str] = ()) -> None:
        self._shingles = {shingle for text in prompts for shingle in shingles(text)}
        self._values = tuple(value for value in values if len(value) >= 8)

    def breach(
        self, text: str, *, personal: tuple[str, ...], secrets: bool, prompt: bool
    ) -> Breach | None:
        """The first thing in a text that must not be said; None when there is none."""
        if secrets:
            found = _secrets().search(text)
            if found:
                return Breach("secret", found.lastgroup or "")
            if any(value in text for value in self._values):
                return Breach("secret", "own_secret")
        if personal:
            hits = find(text, personal)
            if hits:
                return Breach("personal", hits[0].rule or hits[0].kind)
        if prompt and self._shingles and self._says_prompt(text):
            return Breach("prompt", "system_prompt")
        return None

    def _says_prompt(self, text: str) -> bool:
        words = _WORD.findall(text.lower())
        # Every second place: eight words in a row are found at the latest with the ninth.
        return any(
            " ".join(words[at : at + SHINGLE]) in self._shingles
            for at in range(0, len(words) - SHINGLE + 1, 2)
        )


def shingles(text: str) -> Iterable[str]:
    """All runs of `SHINGLE` words."""
    words = _WORD.findall(text.lower())
    return (" ".join(words[at : at + SHINGLE]) for at in range(len(words) - SHINGLE + 1))


@cache
def _secrets() -> re.Pattern[str]:
    file = resources.files("parlour.safety.output").joinpath("secrets.json")
    rules = json.loads(file.read_text("utf-8"))
    patterns = (f"(?P<{rule['id']}>{rule['pattern']})" for rule in rules)
    return re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(patterns)})")
