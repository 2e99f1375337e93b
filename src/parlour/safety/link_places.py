"""What stands at one place of a text that may be an address: a step per way of writing one.

Each function looks at the text from a character that can give an address away and says how far the
text is decided and what is shown for it, or None: more text is needed. Decisions hang on
characters alone, never on how the text was cut.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Literal, NamedTuple

from parlour.safety.link_words import (
    AT,
    HOST_CHARS_MAX,
    RUN,
    closers_at_end,
    read,
    read_start,
    spell,
)
from parlour.safety.links import Grounds

# Top-level names after which eager linkers take `name.tld/path` for an address. No file endings.
TLDS = frozenset(
    [
        "com",
        "org",
        "net",
        "edu",
        "gov",
        "mil",
        "int",
        "io",
        "dev",
        "app",
        "ai",
        "co",
        "info",
        "biz",
        "me",
        "tv",
        "xyz",
        "site",
        "online",
        "shop",
        "store",
        "tech",
        "link",
        "page",
        "cloud",
        "click",
        "top",
        "club",
        "live",
        "eu",
        "de",
        "uk",
        "fr",
        "nl",
        "ru",
        "cn",
        "jp",
        "br",
        "es",
        "ch",
        "at",
        "be",
        "se",
        "no",
        "pl",
        "ca",
        "au",
        "example",
        "test",
        "invalid",
        "localhost",
    ]
)

_SCHEME = re.compile(r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{0,39}\\?:(/?)\Z")
_NO_HOST = re.compile(r"(?:\\?/)*[!\"'),.:;?_~*]*")
_LONE_SLASH = re.compile(r"(?:\A|[^A-Za-z0-9:/\\])[/\\]\Z")
_TWO_SLASHES = re.compile(r"(?:\\?/|\\)(?:\\?/|\\)")
_NAME = re.compile(r"(?<![A-Za-z0-9._@:/-])[A-Za-z0-9._-]+\.([A-Za-z]+)(?::\d{1,5})?\Z")
_GOES_ON = re.compile(r"[A-Za-z0-9_~%?#=&-]")
_PATH_OR_PORT = re.compile(r"(?:\\?/|[:?#])[A-Za-z0-9_~%?#=&-]")
_LOCAL = re.compile(r"([A-Za-z0-9._%+-]{1,64})\\?\Z")
_DOMAIN = re.compile(r"@[A-Za-z0-9-]+(?:\.[A-Za-z0-9][A-Za-z0-9-]*)*\.?")
_WWW = re.compile(r"(?<![A-Za-z0-9])[wW]{3}\\?\Z")
# What stands before a dot and may begin a host. Behind `@` it belongs to an e-mail address.
_SO_FAR = re.compile(r"(?<![A-Za-z0-9_@.-])(?:[A-Za-z0-9_-]{1,63}\.){0,8}[A-Za-z0-9_-]{1,63}\Z")
_HOST = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{1,9});")
_ENTITY_START = re.compile(r"&(?:#(?:[0-9]{0,7}|[xX][0-9a-fA-F]{0,6})|[A-Za-z]{0,9})?\Z")
_UNDONE = re.compile(r"[A-Za-z0-9:/.@\\]")  # entities for these only serve to hide an address
_ENDS_FOR_ALL = re.compile(r"[\s<]")  # a bare address, for every linker
_UNDECIDED = re.compile(r"[\"\]][.,;:!?)]{0,2}|`+")
_LAST_QUOTE = re.compile(r"[\"\]][.,;:!?)]{0,2}")
_TICKS = re.compile(r"`*")
_QUOTE_ENDS = re.compile(r"[\"\]][.,;:!?)]{0,2}\s")

Ending = Literal["", "settle", "end"]


class Step(NamedTuple):
    """`text` is decided up to `end`, and `shown` stands for it.

    `drop` says that what follows is an address that is not shown: "host" (its host is said in
    words), "url" (an ellipsis) or "dest" (nothing, up to the bracket that ends it). `rest` is put
    in the place of what was decided and looked at again. `hit` counts a link that nothing gave.
    """

    end: int
    shown: str = ""
    drop: Literal["", "host", "url", "dest"] = ""
    rest: str = ""
    hit: bool = False
    opened: int = 0  # an anchor was dropped (1), or its end (-1)
    angle: bool = False  # the `>` that follows belongs to an address that is not shown


class Place(NamedTuple):
    """A character at `at` in a text, and the last characters that were shown before it.

    `ending`: empty while more text may come; "settle" when it must be decided although more may
    come, "end" when nothing comes.
    """

    text: str
    at: int
    behind: str
    ending: Ending
    code: bool  # where brackets, tags and e-mail addresses are no links
    ticks: int  # so many backticks would end what may be a line of code
    grounds: Grounds
    plain: Callable[[str], str]  # makes a finished piece of text safe

    def char(self, ahead: int = 1) -> str:
        """The character so far ahead; empty when it has not come."""
        place = self.at + ahead
        return self.text[place : place + 1]

    def as_it_is(self, length: int = 1) -> Step:
        """Nothing but text."""
        end = self.at + length
        return Step(end, self.text[self.at : end])

    def wait_or(self, step: Step) -> Step | None:
        """More text is needed; `step` when there will be none."""
        return step if self.ending else None


def address(place: Place, before: str, foreign: Step) -> Step | None:
    """A bare address: `before` of it has been shown, the rest begins at this place.

    `foreign` is the step when nothing has given it.
    """
    match = RUN.match(place.text, place.at)
    if match is None:
        return Step(place.at + 1, f" {place.text[place.at]}")
    run, end = match.group(), match.end()
    tail = place.text[end:]  # one more character tells how an escape or a quotation goes on
    ended = tail not in {"", "\\"} and (place.ending != "" or not _UNDECIDED.fullmatch(tail))
    if ended or place.ending == "end":
        if _NO_HOST.fullmatch(run) and (not tail or tail[0] in ' \n\t`"<'):
            return place.as_it_is(len(run))  # speaks of addresses, and is none
        return _grounded(place, before, run) or foreign
    if not place.ending and _NO_HOST.fullmatch(run):
        return None
    if place.ending or not _may_be_grounded(place.grounds, before, run):
        return foreign
    return None


def _may_be_grounded(grounds: Grounds, before: str, run: str) -> bool:
    start = before + read_start(run)
    if any(grounds.may_become(full) for full in _full(start)):
        return True
    closers = closers_at_end(start)
    return any(allows_bare(grounds, start[: len(start) - k]) for k in range(1, closers + 1))


def _grounded(place: Place, before: str, run: str) -> Step | None:
    whole = before + read(run)
    for closers in range(closers_at_end(whole) + 1):
        found = whole[: len(whole) - closers]
        if allows_bare(place.grounds, found):
            end = place.at + len(run)
            # What some linkers would take into the address is kept apart from it.
            in_code = place.code and place.text[end : end + 1].isascii()
            gap = "" if in_code or _ends_here(place, end) else " "
            return Step(end, found[len(before) :] + gap + whole[len(found) :])
    return None


def allows_bare(grounds: Grounds, found: str) -> bool:
    """Whether an address is allowed, which may leave its scheme out."""
    return any(grounds.allows(full) for full in _full(found))


def _full(found: str) -> tuple[str, ...]:
    if found.startswith("//"):
        return (f"https:{found}", f"http:{found}")
    if ":" in found.partition("/")[0]:
        return (found,)
    return (found, f"https://{found}", f"http://{found}")


def _ends_here(place: Place, end: int) -> bool:
    text = place.text
    return (
        end >= len(text)
        or (place.ticks > 0 and _ticks_at(text, end) == place.ticks)
        or _ENDS_FOR_ALL.match(text, end) is not None
        or _QUOTE_ENDS.match(text, end) is not None
        or (place.ending == "end" and _LAST_QUOTE.fullmatch(text, end) is not None)
    )


def email(place: Place) -> Step | None:
    """`@` within an e-mail address; renderers make it a link that opens a letter."""
    local = _LOCAL.search(place.behind)
    if local is None or place.code:
        return place.as_it_is()
    match = _DOMAIN.match(place.text, place.at)
    if match is None:
        return place.as_it_is() if place.char() else place.wait_or(place.as_it_is())
    domain = match.group()[1:].rstrip(".")
    if match.end() == len(place.text) and not place.ending:
        too_long = len(domain) > HOST_CHARS_MAX
        return Step(place.at + 1, AT, hit=True) if too_long else None
    end = place.at + 1 + len(domain)
    if len(domain) > HOST_CHARS_MAX:
        return Step(place.at + 1, AT, hit=True)
    if not _is_domain(domain):
        return place.as_it_is(end - place.at)
    if place.grounds.allows_email(f"{local[1]}@{domain}"):
        return place.as_it_is(end - place.at)
    return Step(end, AT + spell(domain), hit=True)


def _is_domain(name: str) -> bool:
    last = name.rpartition(".")
    return bool(last[0]) and last[2][:1].isalpha()


def _ticks_at(text: str, at: int) -> int:
    match = _TICKS.match(text, at)
    return len(match.group()) if match else 0


def dot(place: Place) -> Step | None:
    """`.` after `www`, or within what may be a host."""
    www = _WWW.search(place.behind[-5:])
    if www is None:
        return _bare_host(place)
    if not place.char():
        paused = place.ending == "settle"  # a host may follow
        return place.wait_or(Step(place.at + 1, ". ") if paused else place.as_it_is())
    if not place.char().isalnum():
        return place.as_it_is()
    return address(place, www.group(), Step(place.at, "[.]", drop="host", hit=True))


def _bare_host(place: Place) -> Step | None:
    """`.` in a host without a scheme.

    `name.tld` alone is how products are called, and a word. What goes on, with a path or with a
    third label, can carry something away: it is an address, for eager linkers.
    """
    # From the last space on: to look at all that was shown costs seven times as much.
    word = place.behind.rfind(" ") + 1
    before = None if place.code or place.ticks else _SO_FAR.search(place.behind, word)
    match = _HOST.match(place.text, place.at + 1)
    if before is None or match is None:
        undecided = before is not None and not place.char()
        return place.wait_or(place.as_it_is()) if undecided else place.as_it_is()
    end, tail = match.end(), place.text[match.end() :]
    if tail in ("", ".", "/", ":", "?", "#", "\\", "\\/") and not place.ending:
        return None if end - place.at <= HOST_CHARS_MAX else place.as_it_is()
    host = f"{before.group()}.{match.group()}"
    if host.rpartition(".")[2].lower() not in TLDS or tail[:1] == "@":
        return place.as_it_is()
    goes_on = _PATH_OR_PORT.match(tail) is not None
    if not goes_on and (host.count(".") < 2 or place.grounds.knows_host(host)):
        return place.as_it_is(end - place.at)
    words = f"[.]{spell(match.group())}"
    return address(place, before.group(), Step(end, words, drop="url" if goes_on else "", hit=True))


def slashes(place: Place) -> Step | None:
    """`/` or `\\`, which are the same to browsers: after a scheme, before a host, after one."""
    text, at, after = place.text, place.at, place.char()
    if text[at] == "\\" and after == "`":
        return place.as_it_is(2)  # no code begins here
    scheme = _SCHEME.search(place.behind[-42:])
    if not after or (after == "\\" and len(text) == at + 2):
        paused = scheme is not None and place.ending == "settle"
        return place.wait_or(Step(at + 1, " ") if paused else place.as_it_is())
    two = _TWO_SLASHES.match(text, at)
    if scheme is not None and (two is not None or scheme[1]):
        before = scheme.group().replace("\\", "")
        return address(place, before, Step(at, " ", drop="host", hit=True))
    if _LONE_SLASH.search(place.behind[-2:]):  # the first of two was shown before a pause
        return _host(place, at + 1)
    if two is None:
        if text[at] == "\\" and after == "/":
            after = place.char(2)
            if not after and not place.ending:
                return None
        name = None if place.code or place.ticks else _NAME.search(place.behind)
        if name is None or name[1].lower() not in TLDS or not _GOES_ON.match(after):
            return place.as_it_is()
        return address(place, name.group(), Step(at, " ", drop="url", hit=True))
    before = place.behind[-1:]
    if before.isalnum() or before in (":", "/", "\\"):
        return place.as_it_is()
    return _host(place, two.end())


def _host(place: Place, start: int) -> Step | None:
    """A host right after two slashes."""
    match = _HOST.match(place.text, start)
    end = match.end() if match else start
    as_it_is = place.as_it_is(start - place.at)
    foreign = Step(place.at, gap(place), drop="host", hit=True)
    if place.text[end:] in ("", ".") and end - start <= HOST_CHARS_MAX:
        if not place.ending:
            return None
        if place.ending == "settle":
            return foreign if match else Step(start, as_it_is.shown + " ")
    last = match.group().rpartition(".") if match else ("", "", "")
    if not last[0] or last[2].lower() not in TLDS:
        return as_it_is
    return address(place, "", foreign)


ADDRESS_BEFORE = re.compile(r"(?:[:/]/|[wW]\.|@)\S*\Z")


def gap(place: Place) -> str:
    """Keeps what follows something dropped out of an address that stands right before it."""
    if place.behind.endswith(("/", "\\", ":", "@", ".")):
        return " "
    return " " if ADDRESS_BEFORE.search(place.behind) else ""


def entity(place: Place) -> Step | None:
    """`&...;` for a character that would not need it: undone, and looked at again."""
    match = _ENTITY.match(place.text, place.at)
    if match is None:
        begins = _ENTITY_START.match(place.text, place.at)
        return place.wait_or(place.as_it_is()) if begins else place.as_it_is()
    char = html.unescape(match.group())
    if _UNDONE.fullmatch(char):
        return Step(match.end(), rest=char)
    return place.as_it_is()
