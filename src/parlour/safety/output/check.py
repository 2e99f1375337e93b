"""Judges text that a model has said. Pure, and cheap enough for every hundredth token.

Encodings that anybody can undo are undone (undone.py). What is said in another language or in other
words passes here: this keeps accidents and plain attacks out, and is not the only guard
(docs/explanation/safety.md).
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources

from parlour.safety.disclosures.humanity import Humanity
from parlour.safety.output.undone import decoded, ordinary, squeezed, turned
from parlour.safety.personal.find import find

SHINGLE = 8  # words in a row that only somebody who has the prompt says
OVERLAP = 400  # characters looked at again with the next piece: longer than any pattern's start
_PLAIN = str.maketrans(dict.fromkeys(string.punctuation, " "))
RUN = 40  # letters in a row that only somebody says who has the prompt, however they are spaced
STEP = 6  # of the letters that are looked at; runs of RUN + STEP are found for sure
_CODE = re.compile(r"(?=\S*[A-Za-z])(?=\S*\d)[A-Za-z0-9][A-Za-z0-9_-]{8,}[A-Za-z0-9]")


@dataclass(frozen=True, slots=True)
class Breach:
    """What was found: the check and its rule, both stable words; never the text itself.

    `language` is that of a claim to be human.
    """

    check: str
    rule: str
    language: str = ""


class OutputCheck:
    """All checks on what is said. One for the process.

    `prompts` are texts whose words must not be said, nor the codes in them (ten characters or more,
    with letters and digits); `values` are secrets known to the deployment; `humanity` knows how a
    model says that it is human.
    """

    def __init__(
        self,
        *,
        prompts: Iterable[str] = (),
        values: Iterable[str] = (),
        humanity: Humanity | None = None,
    ) -> None:
        prompts = tuple(prompts)
        self._humanity = humanity
        self._shingles = {shingle for text in prompts for shingle in shingles(text)}
        self._runs = {
            run
            for text in map(squeezed, prompts)
            for letters in (text, *turned(text))
            for run in _runs(letters, 1)
        }
        codes = {squeezed(code) for text in prompts for code in _CODE.findall(text)}
        self._codes = tuple(form for code in codes for form in (code, *turned(code)))
        split = [shingle.split() for shingle in self._shingles]
        self._ends = {(words[0], words[-1]) for words in split}
        self._values = tuple(value for value in values if len(value) >= 8)

    def breach(
        self, text: str, *, personal: tuple[str, ...], secrets: bool, prompt: bool
    ) -> Breach | None:
        """The first thing in a text that must not be said; None when there is none."""
        calm = ordinary(text)
        if secrets:
            rule = secret(text, calm=calm)
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
        return self._encoded(text, secrets=secrets, prompt=prompt, calm=calm)

    def claim(self, text: str, *, whole: bool) -> Breach | None:
        """A claim to be human in an answer, or in a part of it that may begin and end anywhere."""
        language = self._humanity.claimed(text, whole=whole) if self._humanity else ""
        return Breach("humanity", "claimed", language) if language else None

    def _encoded(self, text: str, *, secrets: bool, prompt: bool, calm: bool) -> Breach | None:
        """The same in what can be read in a text: a secret, or the letters of the prompt."""
        for reading in turned(text) if secrets else ():
            rule = secret(reading, calm=calm)
            if rule and rule != "url_password":  # any address has one backwards
                return Breach("secret", rule)
        if prompt and self._shingles and self._has_letters(text):
            return Breach("prompt", "system_prompt")
        for reading in decoded(text, calm=calm):
            rule = secret(reading) if secrets else ""
            if rule:
                return Breach("secret", rule)
            if secrets and any(value in reading for value in self._values):
                return Breach("secret", "own_secret")
            if prompt and self._shingles and self._has_letters(reading):
                return Breach("prompt", "system_prompt")
        return None

    def _has_letters(self, text: str) -> bool:
        """Whether the letters of the prompt are in a text, in a row, or one of its codes is."""
        letters = squeezed(text)
        if any(code in letters for code in self._codes):
            return True
        return not self._runs.isdisjoint(_runs(letters, STEP))

    def _says_prompt(self, text: str) -> bool:
        words, ends = _words(text), self._ends
        likely = [
            at
            for at, both in enumerate(zip(words, words[SHINGLE - 1 :], strict=False))
            if both in ends
        ]
        return any(" ".join(words[at : at + SHINGLE]) in self._shingles for at in likely)


def _runs(letters: str, step: int) -> list[str]:
    return [letters[at : at + RUN] for at in range(0, len(letters) - RUN + 1, step)]


def shingles(text: str) -> Iterable[str]:
    """All runs of `SHINGLE` words."""
    words = _words(text)
    return (" ".join(words[at : at + SHINGLE]) for at in range(len(words) - SHINGLE + 1))


def _words(text: str) -> list[str]:
    return text.lower().translate(_PLAIN).split()


def secret(text: str, *, calm: bool = False) -> str:
    """The rule of the first secret in a text; empty when there is none.

    A `calm` text has no word as long as a secret without a space.
    """
    for hint, rule, pattern in _spaced_secrets() if calm else _secrets():
        # Looking for a few letters costs a hundredth of what a pattern does.
        if hint in text and pattern.search(text):
            return rule
    return ""


@cache
def _secrets() -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    """Hint, rule and pattern, one row for each hint of a rule."""
    file = resources.files("parlour.safety.output").joinpath("secrets.json")
    return tuple(
        (hint, rule["id"], re.compile(rf"(?<![A-Za-z0-9])(?:{rule['pattern']})"))
        for rule in json.loads(file.read_text("utf-8"))
        for hint in rule["hints"]
    )


@cache
def _spaced_secrets() -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    """Those that have spaces in them."""
    return tuple(row for row in _secrets() if " " in row[0])
