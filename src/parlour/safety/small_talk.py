"""Recognises a message that asks for nothing: a greeting, thanks, a farewell.

The words are data (`small_talk.toml`). It is all or nothing: one word more than these, and the
message may ask for something.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import cache
from importlib import resources

CHARS_MAX = 80  # whoever writes more wants something


def is_small_talk(text: str) -> bool:
    """Whether a message consists of such words alone."""
    if len(text) > CHARS_MAX:
        return False
    words = plain(text)
    return bool(words) and _phrases().fullmatch(words) is not None


def plain(text: str) -> str:
    """Letters in small and digits, one space between words, no signs and no pictures."""
    kept = unicodedata.normalize("NFKC", text).casefold().replace("'", "").replace("\u2019", "")
    return " ".join("".join(c if c.isalnum() else " " for c in kept).split())


@cache
def _phrases() -> re.Pattern[str]:
    text = resources.files("parlour.safety").joinpath("small_talk.toml").read_text("utf-8")
    languages: dict[str, list[str]] = tomllib.loads(text)
    known = {plain(phrase) for phrases in languages.values() for phrase in phrases}
    ordered = "|".join(re.escape(phrase) for phrase in sorted(known, key=len, reverse=True))
    return re.compile(rf"(?:{ordered})(?: (?:{ordered}))*")
