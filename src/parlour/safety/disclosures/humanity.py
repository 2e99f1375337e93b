"""How people ask whether they talk to a human, and how a model says that it is one.

The patterns are data (`data/humanity.toml`), by language. What stands in quotation marks or code is
somebody else's question. The answer is not the model's: `engine.Disclosures.answer` has the words.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from parlour.safety.disclosures.rules import DATA

BEGIN_CHARS, END_CHARS = 1_000, 500  # where such a question stands in a long message
QUOTED = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]*`|\"[^\"\n]{1,300}\"|“[^”\n]{1,300}”|„[^“”\n]{1,300}[“”]"
    r"|«[^»\n]{1,300}»|「[^」\n]{1,300}」|『[^』\n]{1,300}』",
    re.DOTALL,
)
APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u02bc`", "'"))
SPACES = re.compile(r"\s+")


class _Patterns(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    kinds: str
    questions: tuple[str, ...] = Field(min_length=1)
    claims: tuple[str, ...] = Field(min_length=1)

    def compiled(self, patterns: tuple[str, ...]) -> re.Pattern[str]:
        """All of them as one, with the kinds in their places."""
        return re.compile("|".join(p.replace("{kind}", self.kinds) for p in patterns))


class Humanity:
    """Recognises the question and the claim. Holds no state."""

    def __init__(self, languages: Mapping[str, _Patterns]) -> None:
        self._questions = {lang: p.compiled(p.questions) for lang, p in languages.items()}
        self._claims = {lang: p.compiled(p.claims) for lang, p in languages.items()}

    def asked(self, text: str) -> str:
        """The language in which a message asks whether a human answers; empty = it does not."""
        return _first(self._questions, text)

    def claimed(self, text: str) -> str:
        """The language in which an answer says that a human gives it; empty = it does not."""
        return _first(self._claims, text)


def read_humanity(file: Path = DATA / "humanity.toml") -> Humanity:
    """The patterns in `file`. Raises `pydantic.ValidationError` or `re.error`."""
    found = tomllib.loads(file.read_text(encoding="utf-8"))
    return Humanity({lang: _Patterns.model_validate(p) for lang, p in found.items()})


def _first(patterns: Mapping[str, re.Pattern[str]], text: str) -> str:
    plain = _plain(text)
    return next((lang for lang, pattern in patterns.items() if pattern.search(plain)), "")


def _plain(text: str) -> str:
    """As the patterns want it, and no more of it than they need."""
    if len(text) > BEGIN_CHARS + END_CHARS:
        text = f"{text[:BEGIN_CHARS]}\n{text[-END_CHARS:]}"
    text = unicodedata.normalize("NFKC", QUOTED.sub(" ", text)).lower().translate(APOSTROPHES)
    return SPACES.sub(" ", text).strip()
