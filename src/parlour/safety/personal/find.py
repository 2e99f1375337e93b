"""Finds personal data in a text: patterns first, then what only the real thing passes.

A pattern without a checksum needs a word beside it that says what the number is, so that ordinary
figures stay ordinary. A text without a digit or an @ costs next to nothing.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Protocol

from parlour.safety.personal import checksums

KINDS = ("email", "iban", "card", "national_id", "ip", "phone")  # the order decides overlaps

_NEAR = 40  # characters before a number in which the word may stand that says what it is


@dataclass(frozen=True, slots=True)
class Found:
    """One piece of personal data; `start` and `end` are places in the text."""

    kind: str
    start: int
    end: int
    rule: str = ""  # which number it is, for kinds that have several


class Finder(Protocol):
    """Another way to find personal data, beside the patterns."""

    def find(self, text: str) -> list[Found]:
        """What is in the text. May take its time: it is called in a thread."""
        ...


# --- one function for each kind -----------------------------------------------------------------

_EMAIL = re.compile(
    r"(?<![\w.+%'-])[\w.+%'-]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w-])"
)
_CARD = re.compile(r"(?<![\w.,-])[2-6](?:[ -]?\d){12,18}(?![\d-]|[.,]\d)")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?=[ ]?[A-Za-z0-9])", re.IGNORECASE)
_IPV4 = re.compile(
    r"(?<![\w.-])(?<!version )(?<!Version )"
    r"(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}(?![\w-]|\.\w)"
)
_IPV6 = re.compile(
    r"(?<![\w:.])[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]{1,39}(?:\d{1,3}(?:\.\d{1,3}){3})?(?![\w:])"
)
_PHONES = (
    # + or 00 and a country; grouped as people do. A group gives no digit back: with six of them a
    # long number would be tried in thousands of ways.
    re.compile(r"(?<![\w+])(?<!\d )(?:\+|00)[1-9]\d{0,2}(?:[ ./-]?\(?\d{1,5}+\)?){2,6}(?![\d-])"),
    re.compile(r"(?<![\w.-])(?<!\d )\(?[2-9]\d{2}\)?[ .-][2-9]\d{2}[.-]\d{4}(?![\w-]|\.\d)"),
    re.compile(r"(?<![\w.,-])(?<!\d )0[1-9](?:[ .-]\d{2}){4}(?![\w-]|\.\d)"),
    re.compile(
        r"(?<![\w.,/-])(?<!\d )\(?0[1-9]\d{1,4}\)?[ /-]\d{3,4}(?:[ -]?\d{2,5}){1,2}(?![\w/-]|\.\d)"
    ),
)
_PHONE_PLAIN = re.compile(r"(?<![\w.,-])\(?\d(?:[ ./()-]{0,2}\d){6,14}(?![\w-]|\.\d)")
_PHONE_WORD = re.compile(
    r"\b(?:phone|telephone|tel|mobile|cell|fax|whatsapp|call me|telefon|handy|mobil|téléphone|"
    r"portable|teléfono|telefono|móvil|cellulare|telefoon|telefone|telemóvel)\b",
    re.IGNORECASE,
)
# By their first digits: Visa, Mastercard, Amex, Discover, Diners, JCB, UnionPay, Maestro.
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|"
    r"3[47]\d{13}|(?:6011|65\d\d|64[4-9]\d)\d{12}|3(?:0[0-5]|[689]\d)\d{11}|"
    r"35(?:2[89]|[3-8]\d)\d{12}|"
    r"62\d{14,17}|(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{8,15}"
)


def _emails(text: str) -> Iterator[Found]:
    if "@" in text:
        for match in _EMAIL.finditer(text):
            yield Found("email", match.start(), match.end())


def _cards(text: str) -> Iterator[Found]:
    for match in _CARD.finditer(text):
        number = re.sub(r"[ -]", "", match[0])
        if _ISSUERS.fullmatch(number) and checksums.luhn(number) and len(set(number)) > 1:
            yield Found("card", match.start(), match.end())


def _ibans(text: str) -> Iterator[Found]:
    lengths = _lengths()
    for match in _IBAN.finditer(text):
        left = lengths.get(match[0][:2].upper(), 0) - 4
        end = match.end()
        account = match[0].upper()
        while left > 0 and end < len(text):
            character = text[end]
            if character.isascii() and character.isalnum():
                account += character.upper()
                left -= 1
            elif character not in " \u00a0-" or not text[end - 1].isalnum():
                break
            end += 1
        whole = left == 0 and not (end < len(text) and text[end].isalnum())
        if whole and checksums.mod97(account):
            yield Found("iban", match.start(), end)


def _addresses(text: str) -> Iterator[Found]:
    if "." in text:
        for match in _IPV4.finditer(text):
            if _personal(match[0]):
                yield Found("ip", match.start(), match.end())
    if ":" in text:
        for match in _IPV6.finditer(text):
            written = match[0]
            tail = len(written) - len(written.rstrip(":")) if not written.endswith("::") else 0
            written = written[: len(written) - tail]
            if written.count(":") >= 2 and re.search(r"\d", written) and _personal(written):
                yield Found("ip", match.start(), match.end() - tail)


def _personal(address: str) -> bool:
    """An address that can be somebody's: not this machine, nobody's, or a net mask."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    nobody = parsed.is_loopback or parsed.is_unspecified or parsed.is_multicast
    return not nobody and not address.startswith(("255.", "0."))


def _phones(text: str) -> Iterator[Found]:
    for pattern in _PHONES:
        for match in pattern.finditer(text):
            if 8 <= sum(map(str.isdecimal, match[0])) <= 15:
                yield Found("phone", match.start(), match.end())
    for word in _PHONE_WORD.finditer(text):
        match = _PHONE_PLAIN.search(text, word.end(), word.end() + _NEAR)
        if match:
            yield Found("phone", match.start(), match.end())


# What a formatted number is made of. Ordinary text has few such runs; only they are looked at.
_RUN = re.compile(r"(?<!\w)[A-Z]{0,6} ?\d[0-9A-Z ./+-]{6,40}")
_NEVER = r"(?!)"


@dataclass(frozen=True, slots=True)
class _Number:
    """A national number as the data file has it."""

    id: str
    check: Callable[[str], bool]
    formatted: re.Pattern[str]
    plain: re.Pattern[str] | None
    words: tuple[str, ...]


def _numbers(text: str) -> Iterator[Found]:
    lower = text.lower()
    for run in _RUN.finditer(text):
        for number in _national():
            for match in number.formatted.finditer(text, run.start(), run.end() + 2):
                if number.check(match[0]):
                    yield Found("national_id", match.start(), match.end(), number.id)
    for number in _national():
        if number.plain and any(word in lower for word in number.words):
            for match in number.plain.finditer(text):
                before = lower[max(0, match.start() - _NEAR) : match.start()]
                if _named(before, number.words) and number.check(match[0]):
                    yield Found("national_id", match.start(), match.end(), number.id)


def _named(before: str, words: tuple[str, ...]) -> bool:
    return any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", before) for word in words)


@cache
def _lengths() -> dict[str, int]:
    return json.loads(_file("lengths.json"))


@cache
def _national() -> tuple[_Number, ...]:
    return tuple(_number(entry) for entry in json.loads(_file("national.json")))


def _number(entry: Mapping[str, Any]) -> _Number:
    def compiled(pattern: str) -> re.Pattern[str]:
        return re.compile(rf"(?<![\w.-]){pattern}(?![\w-]|\.\w)")

    scheme, last = checksums.SCHEMES[entry["scheme"]], int(entry.get("last", 0))

    def check(written: str) -> bool:
        bare = re.sub(r"[^0-9A-Z]", "", written.upper())
        return len(set(bare)) > 1 and scheme(bare[-last:], entry)

    return _Number(
        id=str(entry["id"]),
        check=check,
        formatted=compiled(entry.get("formatted", _NEVER)),
        plain=compiled(entry["plain"]) if "plain" in entry else None,
        words=tuple(entry["words"]),
    )


def _file(name: str) -> str:
    return resources.files("parlour.safety.personal").joinpath(name).read_text("utf-8")


_FIND: dict[str, Callable[[str], Iterator[Found]]] = {
    "email": _emails,
    "iban": _ibans,
    "card": _cards,
    "national_id": _numbers,
    "ip": _addresses,
    "phone": _phones,
}
# What has no such run of digits and letters has no number of any kind; most sentences have none.
# Both begin with a digit, so that the search leaps from one to the next.
_NUMBER = re.compile(r"\d(?:[ \u00a0./()-]{0,2}\d|[A-Z]){5}|\d\d[a-z]{4}\d")


def find(text: str, kinds: Iterable[str], more: Iterable[Found] = ()) -> list[Found]:
    """The personal data of these kinds in a text, in order of place, without overlaps.

    `more` is what another finder found; the patterns win where both say something.
    """
    wanted = set(kinds)
    hits: list[Found] = []
    numbers = _NUMBER.search(text) is not None
    for kind in KINDS:
        if kind in wanted and (numbers or kind in ("email", "ip")):
            hits += _FIND[kind](text)
    hits += [found for found in more if found.kind in wanted]
    if not hits:
        return hits
    used = bytearray(len(text))
    taken: list[Found] = []
    for hit in hits:  # in the order of KINDS: a card is not a telephone number
        if not any(used[hit.start : hit.end]):
            used[hit.start : hit.end] = b"\1" * (hit.end - hit.start)
            taken.append(hit)
    return sorted(taken, key=lambda hit: hit.start)
