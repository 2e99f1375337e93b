"""What stands in a text in an encoding that anybody can undo.

A model that is talked into it spells the system message backwards, letter by letter or in base64.
Undone here is what needs no key and no thought; a language, a rhyme or a cipher is not.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from urllib.parse import unquote

LONG = 15  # characters without a space, of the shortest secret that has none
SPELLED = 11  # single letters, between two that may be part of a word
_HIDDEN = re.compile(r"[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_SPELLED = re.compile(rf"\S(?P<gap>[ \n.,_*|/-])(?:\S(?P=gap)){{{SPELLED},}}\S")
_LONG = re.compile(r"[A-Za-z0-9+/_.:-]{16,}")  # what every encoding of some length has
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}")
_BASE32 = re.compile(r"[A-Z2-7]{24,}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}[:.]?){12,}")
_BITS = re.compile(r"(?:[01]{6,8}\s+){8,}")
_WORDS = re.compile(r"[^\W_]+")
_NO_WORD = {code: None for code in range(128) if not chr(code).isalnum()}


def squeezed(text: str) -> str:
    """Letters and digits alone, in small letters."""
    if text.isascii():  # five times as fast, and looked at with every hundredth token
        return text.translate(_NO_WORD).lower()
    return "".join(_WORDS.findall(text)).lower()


def turned(text: str) -> tuple[str, str]:
    """The text backwards, and with letters 13 places on."""
    return text[::-1], codecs.encode(text, "rot13")


def ordinary(text: str) -> bool:
    """Whether all words are short and few have one letter: then no key stands in a text, nor one
    in an encoding, and nothing is spelled letter by letter. Spares most of the looking."""
    lengths = list(map(len, text.split()))
    return not lengths or (max(lengths) < LONG and lengths.count(1) < SPELLED)


def decoded(text: str, *, calm: bool) -> Iterator[str]:
    """Whatever can be read in a text beside what stands there; mostly nothing.

    `calm`: it is `ordinary`.
    """
    plain = text if text.isascii() else unicodedata.normalize("NFKC", _HIDDEN.sub("", text))
    if "%" in plain:
        plain = unquote(plain)
    if "&" in plain:
        plain = html.unescape(plain)
    if plain != text:
        yield plain
    for run in _BITS.findall(plain + " ") if "0" in plain and "1" in plain else ():
        yield "".join(chr(int(bits, 2)) for bits in run.split())
    if calm if plain is text else ordinary(plain):
        return
    for match in _SPELLED.finditer(plain):
        yield match.group()[::2]
    if _LONG.search(plain):
        yield from _long(plain)


def _long(plain: str) -> Iterator[str]:
    for run in _BASE64.findall(plain):
        digits = run.replace("-", "+").replace("_", "/")
        for at in range(4):  # a run may begin before the encoding does
            part = digits[at:]
            yield _bytes(part + "=" * (-len(part) % 4), base64.b64decode)
    for run in _BASE32.findall(plain):
        yield _bytes(run[: len(run) // 8 * 8], base64.b32decode)
    for run in _HEX.findall(plain):
        yield _bytes(re.sub(r"[:.]", "", run), binascii.unhexlify)


def _bytes(run: str, decode: Callable[[str], bytes]) -> str:
    try:
        return decode(run).decode("latin-1")
    except (binascii.Error, ValueError):
        return ""
