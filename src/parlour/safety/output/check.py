"""Judges text that a model has said. Pure, and cheap enough for every hundredth token.

What somebody can encode (in base64, in another language, one letter a line) passes here: this keeps
accidents and plain attacks out, and is not the only guard (docs/explanation/safety.md).
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources

from parlour.safety.personal.find import find

SHINGLE = 8  # words in a row that only somebody who has the prompt says
OVERLAP = 400  # characters looked at again with the next piece: longer than any pattern's start
_PLAIN = str.maketrans(dict.fromkeys(string.punctuation, " "))


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
        ends = [shingle.split() for shingle in self._shingles]
        self._firsts = {words[0] for words in ends}
        self._lasts = {words[-1] for words in ends}
        self._values = tuple(value for value in values if len(value) >= 8)

    def breach(
        self, text: str, *, personal: tuple[str, ...], secrets: bool, prompt: bool
    ) -> Breach | None:
        """The first thing in a text that must not be said; None when there is none."""
        if secrets:
            rule = secret(text)
            if rule:
                return Breach("secret", rule)
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
        words, firsts, lasts = _words(text), self._firsts, self._lasts
        return any(
            first in firsts
            and last in lasts
            and " ".join(words[at : at + SHINGLE]) in self._shingles
            for at, (first, last) in enumerate(zip(words, words[SHINGLE - 1 :], strict=False))
        )


def shingles(text: str) -> Iterable[str]:
    """All runs of `SHINGLE` words."""
    words = _words(text)
    return (" ".join(words[at : at + SHINGLE]) for at in range(len(words) - SHINGLE + 1))


def _words(text: str) -> list[str]:
    return text.lower().translate(_PLAIN).split()


def secret(text: str) -> str:
    """The rule of the first secret in a text; empty when there is none."""
    for rule, hints, pattern in _secrets():
        # Looking for a few letters costs a hundredth of what a pattern does.
        if any(hint in text for hint in hints) and pattern.search(text):
            return rule
    return ""


@cache
def _secrets() -> tuple[tuple[str, tuple[str, ...], re.Pattern[str]], ...]:
    file = resources.files("parlour.safety.output").joinpath("secrets.json")
    return tuple(
        (rule["id"], tuple(rule["hints"]), re.compile(rf"(?<![A-Za-z0-9])(?:{rule['pattern']})"))
        for rule in json.loads(file.read_text("utf-8"))
    )
