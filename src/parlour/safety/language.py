"""Looks whether an answer is in the language of its question: pure, and only where that is plain.

By the letters where they are of different scripts, else by the small words of seven languages. Who
asks for a translation gets one, so this is for counting, never for withholding an answer.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections import Counter
from functools import cache
from importlib import resources

CHARS_MAX = 600  # of each text that are looked at
LETTERS_MIN = 8  # of a script, before a text is said to be written in it
WORDS_MIN = 3  # small words of a language, and twice as many as of the next one
_WORD = re.compile(r"[^\W\d_]+")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
# Japanese is written in three; what is Chinese and what is Japanese is not told apart.
_ONE = {"HIRAGANA": "CJK", "KATAKANA": "CJK"}


def other_language(question: str, answer: str) -> bool:
    """Whether the two are plainly in different languages."""
    asked, said = _plain(question), _plain(answer)
    if not (asked.isascii() and said.isascii()):
        scripts = _script(asked), _script(said)
        if "" not in scripts and scripts[0] != scripts[1]:
            return True
    languages = _language(asked), _language(said)
    return "" not in languages and languages[0] != languages[1]


def _plain(text: str) -> str:
    return _CODE.sub(" ", text[: 2 * CHARS_MAX])[:CHARS_MAX].lower()


def _script(text: str) -> str:
    """The script of most letters; empty where there are few."""
    names = Counter(
        unicodedata.name(letter, "").split(" ")[0] for letter in text if letter.isalpha()
    )
    scripts: Counter[str] = Counter()
    for name, count in names.items():
        scripts[_ONE.get(name, name)] += count
    (script, count), *_ = scripts.most_common(1) or [("", 0)]
    return script if count >= LETTERS_MIN else ""


def _language(text: str) -> str:
    """The language of most small words; empty where it is not plain."""
    words = _words()
    found = Counter(language for word in _WORD.findall(text) for language in words.get(word, ()))
    (first, most), (_, next_most) = [*found.most_common(2), ("", 0), ("", 0)][:2]
    return first if most >= WORDS_MIN and most >= 2 * next_most else ""


@cache
def _words() -> dict[str, tuple[str, ...]]:
    text = resources.files("parlour.safety").joinpath("language_words.toml").read_text("utf-8")
    languages: dict[str, list[str]] = tomllib.loads(text)
    found: dict[str, tuple[str, ...]] = {}
    for language, words in languages.items():
        for word in words:
            found[word] = (*found.get(word, ()), language)
    return found
