"""Finds orders in text that has no business giving any.

Patterns see the text as a model would: folded to plain letters, invisible characters taken out. A
hit says which rule, never what was written.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from functools import cache
from importlib import resources

CLASSIFIER = "classifier"  # the rule of a hit that no pattern made
TEXT_CHARS_MAX = 200_000  # of one text; what is longer is looked at from both ends
_INVISIBLE = re.compile(
    "[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\U000e0000-\U000e007f]"
)
_TAGS = re.compile("[\U000e0020-\U000e007e]")

Classifier = Callable[[str], bool]  # takes its time; called in a thread


def find_orders(text: str) -> tuple[str, ...]:
    """The ids of the rules that a text breaks, in the order of the data file."""
    if len(text) > TEXT_CHARS_MAX:
        half = TEXT_CHARS_MAX // 2
        text = f"{text[:half]}\n{text[-half:]}"
    folded = _folded(text)
    return tuple(
        rule
        for rule, pattern in _patterns()
        if pattern.search(text if rule == "hidden_characters" else folded)
    )


def _folded(text: str) -> str:
    if text.isascii():
        return text
    # Letters hidden in invisible tags are letters for a model.
    text = _TAGS.sub(lambda m: chr(ord(m[0]) - 0xE0000), text)
    return unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    file = resources.files("parlour.safety.injection").joinpath("patterns.json")
    rules = json.loads(file.read_text("utf-8"))
    return tuple((rule["id"], re.compile(rule["pattern"], re.IGNORECASE)) for rule in rules)
