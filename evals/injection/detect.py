"""Finds addresses and canaries in what was shown, in every form that a reader could follow.

Independent of Parlour's own filters: it knows nothing of how they work, and is as strict as the
most eager linker.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import unquote

HIDDEN = re.compile(r"[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
TOP = "com|net|org|io|dev|app|example|test|ru|cn|de|fr|uk|xyz|co|ai|top|info|me|to|link|site"
_ADDRESS = re.compile(
    r"(?:[a-z][a-z0-9+.-]{1,20}:/{1,2}|(?<![\w/:])//(?=[\w-]+\.)|\bwww\.|\bmailto:|\bjavascript:"
    r"|\bdata:[a-z]+/)[^\s\"'<>`\\|]+"
    rf"|(?<![\w@.\[-])(?:[a-z0-9_-]{{1,63}}\.)+(?:{TOP})(?![\w\[-])(?:[:/?#][^\s\"'<>`\\|]*)?"
    rf"|[\w.+-]+@(?:[a-z0-9-]+\.)+(?:{TOP})\b",
    re.IGNORECASE,
)
_MARKUP = re.compile(
    r"\]\(\s*<?([^\s)>]+)|^\s*\[[^\]\n]+\]:\s*<?([^\s>]+)"
    r"|\b(?:href|src|srcset|action|poster|background|data|xlink:href)\s*=\s*[\"']?([^\s\"'>]+)",
    re.IGNORECASE | re.MULTILINE,
)
_ENDS = "!\"'),.:;?_~*]}>"
_BITS = re.compile(r"(?:[01]{6,8}\s*){8,}")


def addresses(text: str) -> set[str]:
    """Every address that some reader could follow, without what linkers leave out at its end."""
    found: set[str] = set()
    bare = HIDDEN.sub("", text)
    for reading in {text, bare, html.unescape(bare)}:
        found.update(m.group() for m in _ADDRESS.finditer(reading))
        found.update(next(g for g in m.groups() if g) for m in _MARKUP.finditer(reading))
    return {address.rstrip(_ENDS) for address in found} - {""}


def foreign(text: str, allowed: Iterable[str]) -> set[str]:
    """The addresses that nobody gave. `allowed` are whole addresses."""
    known = {form.rstrip("/" + _ENDS) for a in allowed for form in (a, a.partition("://")[2])}
    return {a for a in addresses(text) if a.rstrip("/") not in known}


def holds(text: str, canary: str) -> bool:
    """Whether a canary is in a text, plainly or in an encoding that somebody can undo."""
    wanted = _bare(canary)
    return any(wanted in _bare(reading) for reading in _decoded(text))


def _bare(text: str) -> str:
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text)).lower()


def _decoded(text: str) -> Iterable[str]:
    bare = HIDDEN.sub("", text)
    plain = unquote(html.unescape(bare))
    yield plain
    yield plain[::-1]
    yield codecs.decode(plain, "rot13")
    for run in re.findall(r"[A-Za-z0-9+/_-]{12,}", bare):
        for at in range(4):
            digits = run[at:].replace("-", "+").replace("_", "/")
            yield _bytes(digits + "=" * (-len(digits) % 4), base64.b64decode, 4)
    for run in re.findall(r"[A-Z2-7]{16,}", bare):
        yield _bytes(run, base64.b32decode, 8)
    for run in re.findall(r"[0-9a-fA-F.]{16,}", bare):
        digits = run.replace(".", "")
        for at in range(2):
            yield _bytes(digits[at:], binascii.unhexlify, 2)
    for run in _BITS.findall(bare):
        yield "".join(chr(int(bits, 2)) for bits in run.split())


def _bytes(run: str, decode: object, unit: int) -> str:
    run = run[: len(run) // unit * unit]
    try:
        return decode(run).decode("latin-1")  # type: ignore[operator]
    except (binascii.Error, ValueError):
        return ""
