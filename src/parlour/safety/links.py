"""Which links a turn may show: those that something other than the model has given.

`Grounds` collects the addresses of one conversation: from tool results, page context, documents,
the product's own words and the allow-list of the workspace. `allows` compares whole addresses,
character by character, in the spellings below and no others: an address that differs in anything
was made up. What is not allowed is shown as words (safety/link_filter.py).

Spellings of one address: as given; with `&amp;` or `\\/` undone; with or without a slash at its
end; on the host's own address also as a path alone, and a path also with the host before it.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

URL_CHARS_MAX = 2_000  # longer addresses are not links for us
GROUNDS_MAX = 20_000  # addresses of one conversation; more are not taken
TEXT_CHARS_MAX = 4_000_000  # of one text that is searched for addresses
NEVER = ("javascript", "data", "vbscript", "blob", "filesystem", "view-source", "about")
CLOSERS = "!\"'),.:;?_~*"  # what linkers leave out at the end of a bare address

_REST = r"[^\s\"'<>\\^`{|}\x00-\x1f]"
_ABSOLUTE = re.compile(rf"://{_REST}+")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}\Z")
_BARE_WWW = re.compile(rf"www\.{_REST}+")
_PATH = re.compile(rf"/[A-Za-z0-9_~%.-]{_REST}*")
_BEFORE_PATH = "\"'(=>|, \n\t"
_DOMAIN = re.compile(r"@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_LOCAL = re.compile(r"[A-Za-z0-9._%+-]{1,64}\Z")
_JOINED = re.compile(r",(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_PLAIN = re.compile(r"[A-Za-z0-9\-._~:/?#!$&'()*+,;=%@]*")
_DOTS = re.compile(r"/(?:\.|%2e){1,2}(?:[/?#]|$)", re.IGNORECASE)


class Grounds:
    """The addresses that one turn may show as links. `origins` are the host's own, for paths."""

    def __init__(self, *, allow: Sequence[str] = (), origins: Iterable[str] = ()) -> None:
        self._allow = tuple(entry for entry in allow if entry)
        self._origins = tuple({origin.rstrip("/") for origin in origins if origin})
        self._urls: set[str] = set()
        self._emails: set[str] = set()
        self._sorted: list[str] | None = []
        self._pending: list[str] = []  # texts that nobody has asked about yet

    def add(self, found: Any) -> None:
        """Take the addresses of a text, or of all strings within a JSON value."""
        if isinstance(found, str):
            self._pending.append(found)
        elif isinstance(found, dict):
            for value in cast("dict[str, Any]", found).values():
                self.add(value)
        elif isinstance(found, list | tuple | set):
            for value in cast("Iterable[Any]", found):
                self.add(value)

    def add_emails(self, text: str) -> None:
        """Take e-mail addresses alone, from words that may not bring links (the user's own)."""
        for match in _DOMAIN.finditer(text):
            local = _LOCAL.search(text[max(0, match.start() - 64) : match.start()])
            if local is not None:
                self._emails.add((local.group() + match.group()).lower())

    def allows(self, address: str) -> bool:
        """Whether this very address may be a link."""
        self._look()
        if address in self._urls:
            return True
        scheme, _, rest = address.partition(":")
        if scheme.lower() == "mailto":
            return rest.lower() in self._emails
        return any(_within(entry, address) for entry in self._allow)

    def allows_email(self, address: str) -> bool:
        """Whether this e-mail address was given."""
        self._look()
        return address.lower() in self._emails

    def knows_host(self, host: str) -> bool:
        """Whether something has given an address on this very host, or it is the host's own."""
        if any(origin.endswith(f"://{host}") for origin in self._origins):
            return True
        starts = (f"https://{host}", f"http://{host}")
        return any(self.allows(start) or self.may_become(f"{start}/") for start in starts)

    def may_become(self, start: str) -> bool:
        """Whether some address that begins with `start` is allowed."""
        self._look()
        if self._sorted is None:
            self._sorted = sorted(self._urls)
        at = bisect_left(self._sorted, start)
        if at < len(self._sorted) and self._sorted[at].startswith(start):
            return True
        if start[:7].lower() == "mailto:"[: len(start)]:
            rest = start[7:].lower()
            return any(email.startswith(rest) for email in self._emails)
        return any(
            entry.startswith(start) or _within(entry, start, open_end=True) for entry in self._allow
        )

    def is_own(self, address: str) -> bool:
        """Whether an address is the host's own: a path, or on one of its origins."""
        if address.startswith("/"):
            return not address.startswith(("//", "/\\"))
        return any(address.startswith(f"{origin}/") for origin in self._origins)

    def _look(self) -> None:
        """Search what was added, now that somebody asks: most answers have no address in them."""
        while self._pending and len(self._urls) < GROUNDS_MAX:
            self._add_text(self._pending.pop())

    def _add_text(self, text: str) -> None:
        text = text[:TEXT_CHARS_MAX]
        if "\\/" in text:
            text = text.replace("\\/", "/")
        if "\\u0026" in text:
            text = text.replace("\\u0026", "&")
        self.add_emails(text)
        for address in _found(text):
            self._add_address(address)
            if len(self._urls) > GROUNDS_MAX:
                return

    def _add_address(self, address: str) -> None:
        for given in {address, html.unescape(address)}:
            for spelled in _endings(given):
                scheme = spelled.partition(":")[0].lower()
                fits = 1 < len(spelled) <= URL_CHARS_MAX and _PLAIN.fullmatch(spelled)
                if fits and scheme not in NEVER:
                    self._add_spellings(spelled)

    def _add_spellings(self, address: str) -> None:
        spellings = {address}
        for origin in self._origins:
            if address.startswith("/"):
                spellings.add(origin + address)
            elif address.startswith(f"{origin}/"):
                spellings.add(address[len(origin) :])
        for spelled in tuple(spellings):
            if "?" not in spelled and "#" not in spelled:
                spellings.add(spelled.rstrip("/") if spelled.endswith("/") else f"{spelled}/")
        spellings -= {"", "/"}
        if not spellings <= self._urls:
            self._urls |= spellings
            self._sorted = None


def _found(text: str) -> Iterator[str]:
    """The addresses in a text, as long as they can be."""
    for match in _ABSOLUTE.finditer(text):
        scheme = _SCHEME.search(text[max(0, match.start() - 32) : match.start()])
        if scheme is not None:
            yield from _JOINED.split(scheme.group() + match.group())
    for match in _BARE_WWW.finditer(text):
        if not text[max(0, match.start() - 1) : match.start()].isalnum():
            yield match.group()
    for match in _PATH.finditer(text):
        if match.start() == 0 or text[match.start() - 1] in _BEFORE_PATH:
            yield match.group()


def origin_of(address: str) -> str:
    """`https://host:port` of an address; empty when it has none."""
    parts = urlsplit(address)
    web = parts.scheme in {"http", "https"} and parts.netloc
    return f"{parts.scheme}://{parts.netloc}" if web else ""


def _within(entry: str, address: str, *, open_end: bool = False) -> bool:
    """Whether `address` is `entry` or lies below it, with nothing that reads in two ways.

    With `open_end` the address is only a beginning, so that its last step may still go on.
    """
    if address == entry:
        return True
    base = entry if entry.endswith(("/", "?", "#", "=")) else entry + "/"
    below = address.startswith((base, f"{entry}?", f"{entry}#"))
    if not below or len(address) > URL_CHARS_MAX:
        return False
    rest = address[len(entry) :]
    if open_end:
        rest = rest.rpartition("/")[0] + "/"
    return _PLAIN.fullmatch(address) is not None and "@" not in rest and not _DOTS.search(rest)


def _endings(address: str) -> set[str]:
    """Where an address may end: a sentence, a bracket or a list may go on right after it."""
    depth = 0
    for place, char in enumerate(address):
        depth += (char == "(") - (char == ")")
        if depth < 0:
            address = address[:place]
            break
    endings = {address}
    while address and address[-1] in CLOSERS:
        address = address[:-1]
        if address.count("(") == address.count(")"):
            endings.add(address)
    return endings
