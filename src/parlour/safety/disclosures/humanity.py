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
# Somebody else's words in an answer: a line that is quoted, and what stands in single quotes.
CITED = re.compile(r"^ *>.*$|(?<!\w)'(?:[^'\n]|(?<=\w)'(?=\w)){1,300}'(?!\w)", re.MULTILINE)
EMPHASIS = re.compile(r"[*_~]+")
# Where a sentence begins, and the word or two that may stand before a claim: "Yes, ...".
BEGIN = (
    r"(?:^|[.!?:;…¡¿。、—\u2013(]|[-•#] |,(?=[^\x00-\x7f]))\s*"
    r"(?:[\w' ]{1,20}, (?:and |but )?|(?:and|but|yes|no|sure|of course|well|honestly) )?"
    r"(?:i (?:can )?(?:promise|assure you|swear|confirm)(?: that)? )?"
)
END = (
    r"(?=\s*(?:[.,!?;:…)—\u2013-]|$)| (?:and|but|or|so|if|at all|here|either|und|aber|oder|et|mais"
    r"|y|pero|e|ma|mas|en|maar|i|ale|och|men)\b)"
)
STOP = r"(?=\s*(?:[.!…]|, (?:not|and)|$))"
SENTENCE_END = re.compile(r"[.!?…。\n](?=[^.!?…。\n]*\Z)")
APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u02bc`", "'"))
SPACES = re.compile(r"\s+")


class _Patterns(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    kinds: str
    really: str = "really"
    machines: str
    questions: tuple[str, ...] = Field(min_length=1)
    claim_hints: tuple[str, ...] = Field(min_length=1)
    claims: tuple[str, ...] = Field(min_length=1)

    def asking(self) -> re.Pattern[str]:
        """All questions as one, with the kinds in their places."""
        return re.compile("|".join(p.replace("{kind}", self.kinds) for p in self.questions))

    def claiming(self) -> re.Pattern[str]:
        """All claims as one, at the beginning of a sentence."""
        words = {
            "really": f"(?:{self.really})",
            "machines": self.machines,
            "end": END,
            "stop": STOP,
        }
        claims = "|".join(self.claims)
        for name, value in words.items():
            claims = claims.replace(f"{{{name}}}", value)
        return re.compile(f"{BEGIN}(?:{claims})")


class Humanity:
    """Recognises the question and the claim. Holds no state."""

    def __init__(self, languages: Mapping[str, _Patterns]) -> None:
        self._questions = {lang: p.asking() for lang, p in languages.items()}
        self._claims = {lang: p.claiming() for lang, p in languages.items()}
        self._hints = [(h, _word(h), lang) for lang, p in languages.items() for h in p.claim_hints]

    def asked(self, text: str) -> str:
        """The language in which a message asks whether a human answers; empty = it does not."""
        plain = _plain(text)
        found = (lang for lang, pattern in self._questions.items() if pattern.search(plain))
        return next(found, "")

    def claimed(self, text: str, *, whole: bool = True) -> str:
        """The language in which an answer says that a human gives it; empty = it does not.

        Of an answer that is not `whole`, only sentences that have ended are judged, and no line
        that may have begun in a quotation.
        """
        low = text.lower().translate(APOSTROPHES)
        if not low.isascii():
            low = unicodedata.normalize("NFKC", low)
        # Looking for a few letters costs a hundredth of what a pattern does.
        near = [(word, lang) for hint, word, lang in self._hints if hint in low]
        likely = dict.fromkeys(lang for word, lang in near if word.search(low))
        if not likely:
            return ""
        forms = _forms(low if whole else _ended(low))
        found = (lang for lang in likely if any(self._claims[lang].search(form) for form in forms))
        return next(found, "")


def read_humanity(file: Path = DATA / "humanity.toml") -> Humanity:
    """The patterns in `file`. Raises `pydantic.ValidationError` or `re.error`."""
    found = tomllib.loads(file.read_text(encoding="utf-8"))
    return Humanity({lang: _Patterns.model_validate(p) for lang, p in found.items()})


def _plain(text: str) -> str:
    """As the patterns want it, and no more of it than they need."""
    if len(text) > BEGIN_CHARS + END_CHARS:
        text = f"{text[:BEGIN_CHARS]}\n{text[-END_CHARS:]}"
    text = unicodedata.normalize("NFKC", QUOTED.sub(" ", text)).lower().translate(APOSTROPHES)
    return SPACES.sub(" ", text).strip()


def _forms(text: str) -> tuple[str, str]:
    """Without what is quoted; once with each line on its own, once with lines that run on."""
    own = EMPHASIS.sub("", CITED.sub(" ", QUOTED.sub(" ", text)))
    lines = [SPACES.sub(" ", line).strip() for line in own.splitlines()]
    return ". ".join(lines), " ".join(lines)


def _word(hint: str) -> re.Pattern[str]:
    """A hint as a word: `sou` is in `south`. Not all languages have spaces."""
    return re.compile(rf"\b{re.escape(hint)}\b" if hint.isascii() else re.escape(hint))


def _ended(text: str) -> str:
    """The lines that hold their quotation marks in pairs, up to the last sentence that ended."""
    lines = text.splitlines(keepends=True)
    text = "".join(line if line.count('"') % 2 == 0 else "\n" for line in lines)
    last = SENTENCE_END.search(text)
    return text[: last.end()] if last else ""
