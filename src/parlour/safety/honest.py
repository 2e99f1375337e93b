"""Looks whether an answer is honest about the tools it had: pure, and only as far as code can tell.

It does not understand the answer. `admits` knows words with which failures are admitted;
`made_up` knows which figures stand nowhere else. Both are for telling and counting, never for
withholding an answer.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib import resources

DIGITS_MIN = 3  # of a figure that is looked for: 1, 12 and their like are everywhere
FIGURES_MAX = 50  # that are looked for in one answer

_FIGURE = re.compile(r"(?<![\w.,])\d(?:[\d.,'\u00a0\u202f\u2009]*\d)?(?![\w])")
_MARKS = re.compile(r"[.,'\u00a0\u202f\u2009]")


def admits(text: str) -> bool:
    """Whether an answer has any word with which a failure is admitted."""
    small = text.lower()
    return any(word in small for word in _failure_words())


def made_up(answer: str, sources: Iterable[str]) -> int:
    """How many of the answer's figures stand in none of the texts, however they are written."""
    figures = {m.group(0) for m in _FIGURE.finditer(answer)}
    open_figures = [f for f in figures if len(_MARKS.sub("", f)) >= DIGITS_MIN][:FIGURES_MAX]
    if not open_figures:
        return 0
    texts = tuple(sources)
    return sum(not any(form in text for text in texts for form in _forms(f)) for f in open_figures)


def _forms(figure: str) -> set[str]:
    """A figure as others write it: `2,340` is also 2340, 2.340, 2 340 and the like."""
    forms = {figure, _MARKS.sub("", figure)}
    whole, mark, part = figure.rpartition("." if figure.rfind(".") > figure.rfind(",") else ",")
    if not mark:
        whole, part = figure, ""
    forms.add(_MARKS.sub("", whole) + ("." + part if part else ""))
    digits = _MARKS.sub("", figure)
    if digits.isdecimal():
        grouped = f"{int(digits):,}"
        forms |= {grouped, grouped.replace(",", "."), grouped.replace(",", " ")}
    return forms


@cache
def _failure_words() -> tuple[str, ...]:
    text = resources.files("parlour.safety").joinpath("failure_words.toml").read_text("utf-8")
    languages: dict[str, list[str]] = tomllib.loads(text)
    return tuple(word for words in languages.values() for word in words)
