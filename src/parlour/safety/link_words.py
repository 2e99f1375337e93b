"""Addresses as renderers read them, and as words that no renderer makes a link of.

The words of an address are its host with bracketed dots and, when it went on, an ellipsis:
`https://evil.example/a?b` becomes `https: evil[.]example/…`. No linker takes that for a link, it
needs no language, and what may have been hidden in the path is gone.
"""

from __future__ import annotations

import html
import re

from parlour.safety.links import CLOSERS

HOST_CHARS_MAX = 253
MORE = "/…"
AT = " [at] "

# A run of address characters as raw text: with markdown's escapes, without what ends an address
# for everybody. Brackets end it, because they are markdown's.
RUN = re.compile(r"(?:\\[!-/:-@\[-`{-~]|[A-Za-z0-9\-._~:/?#@!$&'()*+,;=%])+")
_HIDING = re.compile(
    r"\\([!-/:-@\[-`{-~])|&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z0-9]{1,31});"
)
_DECIDED = re.compile(r"(?:\\[!-/:-@\[-`{-~]|[^\\&]|\\(?!\Z)|&(?!#?[A-Za-z0-9]{0,31}\Z))*")
_AUTHORITY = re.compile(r"(?:\\?/|\\\\)*((?:\\[^/?#\\]|[^/?#\\])*)")
_PORT = re.compile(r":\d*\Z")
_NOT_HOST = re.compile(r"[^A-Za-z0-9.-]+")


def read(raw: str) -> str:
    """Raw markdown text as its reader sees it: escapes and entities undone, once."""
    if "\\" not in raw and "&" not in raw:
        return raw
    return _HIDING.sub(lambda found: found[1] or html.unescape(found.group()), raw)


def read_start(raw: str) -> str:
    """The same for text that goes on: an escape or entity that is half there is left out."""
    decided = _DECIDED.match(raw)
    return read(decided.group() if decided else "")


def spell(host: str) -> str:
    """A host in words."""
    return _NOT_HOST.sub("", host)[:HOST_CHARS_MAX].strip(".-").replace(".", "[.]")


def authority_of(run: str) -> tuple[str, int]:
    """The raw authority of a run that begins after a scheme, and where in the run it ends."""
    match = _AUTHORITY.match(run)
    return (match[1], match.end()) if match else ("", 0)


def host_in_words(authority: str) -> str:
    """The host of a raw authority (`user:word@host:port`) in words."""
    return spell(_PORT.sub("", read(authority).rpartition("@")[2]))


def closers_at_end(raw: str) -> int:
    """How many characters at the end of a run are punctuation of the sentence around it."""
    rest = raw.rstrip(CLOSERS)
    escapes = len(rest) - len(rest.rstrip("\\"))
    return max(0, len(raw) - len(rest) - escapes % 2)  # an escape keeps what it escapes
