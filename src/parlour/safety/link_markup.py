"""Links that are written as markup: markdown's brackets, definitions and `<...>`, HTML's tags.

The words of a link stay, its destination only when it is allowed. A picture is shown only from the
host itself; one from elsewhere that a tool gave becomes a link.
"""

from __future__ import annotations

import html
import re
from typing import NamedTuple

from parlour.safety.link_places import Place, Step, gap
from parlour.safety.link_words import read, read_start
from parlour.safety.links import URL_CHARS_MAX, Grounds

LABEL_CHARS_MAX = 96  # of link words that are held back; longer ones are shown with their brackets
TAG_CHARS_MAX = 400

LABEL = rf"(?:\\[^\n]|[^\[\]\\\n]){{0,{LABEL_CHARS_MAX}}}"
_LABEL = re.compile(rf"!?\[({LABEL})")
_SPACE = re.compile(r"[ \t]{0,40}\n?[ \t]{0,40}")
_DEST = re.compile(r"<(?:\\.|[^<>\n\\])*>?|(?:\\.|[^\s()\\<]|\((?:\\.|[^\s()\\])*\))*")
_DEST_OPEN = re.compile(
    r"(?:<(?:\\.|[^<>\n\\])*|(?:\\.|[^\s()\\<]|\((?:\\.|[^\s()\\])*(?:\)|\\?\Z))*)\\?\Z"
)
_TITLE = re.compile(
    r"[ \t]{0,40}\n?[ \t]{0,40}"
    r"(?:(?:\"(?:\\.|[^\"\\]){0,200}\"|'(?:\\.|[^'\\]){0,200}'|\((?:\\.|[^()\\]){0,200}\))\s{0,9})?\)"
)
_TITLE_OPEN = re.compile(
    r"[ \t]{0,40}\n?[ \t]{0,40}"
    r"(?:\"(?:\\.|[^\"\\]){0,200}\\?|'(?:\\.|[^'\\]){0,200}\\?|\((?:\\.|[^()\\]){0,200}\\?"
    r"|(?:\"(?:\\.|[^\"\\]){0,200}\"|'(?:\\.|[^'\\]){0,200}'|\((?:\\.|[^()\\]){0,200}\))\s{0,9})?\Z"
)
_LIKE_AN_ADDRESS = re.compile(r"<?\s*(?:[A-Za-z][A-Za-z0-9+.-]*(?::|&)|[/\\#?.&]|www\.)")
_RUN = re.compile(r"\S+")

_ANGLE = re.compile(r"<(/?[A-Za-z][A-Za-z0-9+.!#$%&'*=?^_`{|}~-]{0,63})")
_WEB_ANGLE = re.compile(r"<(?:https?|ftps?|mailto|tel|sms|xmpp):", re.IGNORECASE)
_IN_ANGLE = re.compile(r"<([^\s<>]*)(>?)")
_TAG = re.compile(
    r"<([A-Za-z][A-Za-z0-9-]*)"
    r"((?:\s+[^\s\"'<>/=]+\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'=<>`]+))*)"
    r"(?:\s+[^\s\"'<>/=]+)?\s*/?>"
)
_TAG_OPEN = re.compile(
    r"<[A-Za-z][A-Za-z0-9-]*"
    r"(?:\s+[^\s\"'<>/=]+\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'=<>`]+))*"
    r"(?:\s+(?:[^\s\"'<>/=]+\s*(?:=\s*(?:\"[^\"]*|'[^']*)?)?)?)?\s*/?\Z"
)
_ATTRIBUTE = re.compile(r"([^\s\"'<>/=]+)\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s\"'=<>`]+)")
_TAGS = frozenset(
    [
        "a",
        "area",
        "applet",
        "audio",
        "base",
        "bgsound",
        "blockquote",
        "body",
        "button",
        "del",
        "embed",
        "form",
        "frame",
        "iframe",
        "image",
        "img",
        "input",
        "ins",
        "link",
        "math",
        "meta",
        "object",
        "portal",
        "q",
        "script",
        "source",
        "style",
        "svg",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "track",
        "tr",
        "use",
        "video",
    ]
)
_ADDRESSES = frozenset(
    [
        "action",
        "archive",
        "background",
        "cite",
        "classid",
        "code",
        "codebase",
        "data",
        "dynsrc",
        "formaction",
        "href",
        "icon",
        "longdesc",
        "lowsrc",
        "manifest",
        "ping",
        "poster",
        "profile",
        "src",
        "srcdoc",
        "srcset",
        "style",
        "usemap",
        "xlink:href",
    ]
)


class _Dest(NamedTuple):
    """What stands between the brackets of a link: "open", "link", "foreign" or "text"."""

    state: str
    address: str = ""
    end: int = 0  # after the closing bracket of a link
    start: int = 0


def bracket(place: Place) -> Step | None:
    """`[words](destination)`, `![words](source)`, `[label]: destination`; or only brackets."""
    text, at = place.text, place.at
    image = text[at] == "!"
    if image and place.char() != "[":
        return place.as_it_is() if place.char() else place.wait_or(place.as_it_is())
    opening = 2 if image else 1
    match = _LABEL.match(text, at)
    label = match[1] if match else ""
    close = at + opening + len(label)
    rest = text[close : close + 2]
    if rest in ("", "\\", "]"):
        return place.wait_or(place.as_it_is(opening))
    if not rest.startswith("](") and not rest.startswith("]:"):
        return place.as_it_is(opening)
    if rest == "]:":
        return _definition(place, close, label, note=label.startswith("^"))
    dest = _dest(place, close + 2)
    if dest.state == "open":
        return None
    if dest.state == "text":
        return place.as_it_is(opening)
    words = place.plain(label)
    if dest.state == "foreign":
        return Step(dest.start, words, drop="dest", hit=True)
    shows = image and place.grounds.is_own(dest.address)
    if not words and not shows:
        words = "…"
    return Step(dest.end, f"{'!' if shows else ''}[{words}]({_written(dest.address)})")


def closing(place: Place) -> Step | None:
    """`](` or `]:` whose opening bracket has been shown already."""
    after = place.char()
    if not after:
        return place.wait_or(place.as_it_is())
    if after == ":":
        note = "[^" in place.behind[place.behind.rfind("[") :][:2]
        return _definition(place, place.at, "", note=note)
    if after != "(":
        return place.as_it_is()
    dest = _dest(place, place.at + 2)
    if dest.state == "open":
        return None
    if dest.state == "text":
        return place.as_it_is()
    if dest.state == "foreign":
        return Step(dest.start, "]", drop="dest", hit=True)
    return Step(dest.end, f"]({_written(dest.address)})")


def _written(address: str) -> str:
    """An address as a markdown destination."""
    return f"<{address}>" if re.search(r"[()\\]", address) else address


def _dest(place: Place, start: int) -> _Dest:
    text = place.text
    space = _SPACE.match(text, start)
    begin = space.end() if space else start
    if begin == len(text):
        return _Dest("text" if place.ending else "open")
    match = _DEST.match(text, begin)
    raw = match.group() if match else ""
    looks = _LIKE_AN_ADDRESS.match(raw) is not None
    foreign = _Dest("foreign", start=begin)
    if len(raw) > URL_CHARS_MAX:
        return foreign
    if _DEST_OPEN.match(text, begin):
        if looks and not _may_become(place.grounds, text[begin:]):
            return foreign
        return (foreign if looks else _Dest("text")) if place.ending else _Dest("open")
    end = begin + len(raw)
    title = _TITLE.match(text, end)
    if title is None:
        if not place.ending and _TITLE_OPEN.match(text, end):
            return _Dest("open")
        return foreign if looks else _Dest("text")
    address = read(raw[1:-1] if raw.startswith("<") else raw).strip()
    if place.grounds.allows(address):
        return _Dest("link", address, title.end())
    return foreign


def _may_become(grounds: Grounds, raw: str) -> bool:
    return grounds.may_become(read_start(raw.removeprefix("<")).strip())


def _definition(place: Place, close: int, label: str, *, note: bool) -> Step | None:
    """`[label]: destination`. Apart from its colon it defines nothing."""
    text = place.text
    if note:
        return place.as_it_is(close + 2 - place.at)
    space = _SPACE.match(text, close + 2)
    begin = space.end() if space else close + 2
    match = _RUN.match(text, begin)
    raw, end = (match.group(), match.end()) if match else ("", begin)
    address = read(raw.removeprefix("<").removesuffix(">"))
    if end == len(text) and not place.ending:
        if not raw or (len(raw) <= URL_CHARS_MAX and _may_become(place.grounds, raw)):
            return None
        address = ""
    opening = text[place.at : close].partition("[")[:2] if close > place.at else ("", "")
    words = "".join(opening) + place.plain(label)
    if address and place.grounds.allows(address):
        return Step(end, f"{words}]: {_written(address)}")
    return Step(close + 2, f"{words}] :")


def tag(place: Place) -> Step | None:
    """`<address>`, `<a href=...>`, `<img src=...>` and their like."""
    text, at = place.text, place.at
    apart = Step(at + 1, "< ")  # with a space after it, it begins nothing
    match = _ANGLE.match(text, at)
    if match is None:
        return place.as_it_is() if place.char() not in ("", "/") else place.wait_or(apart)
    name, end = match[1].lower(), match.end()
    if end == len(text) and not place.ending:
        return None if len(name) < 64 else apart
    after = text[end : end + 1]
    if after in (":", "@"):
        return _angle(place, apart)
    if name.startswith("/"):
        ends = name == "/a" and after == ">"
        return Step(end + 1, gap(place), opened=-1) if ends else place.as_it_is()
    if name not in _TAGS:
        return place.as_it_is()
    whole = _TAG.match(text, at)
    if whole is not None and whole.end() - at <= TAG_CHARS_MAX:
        return _whole_tag(place, whole)
    more = len(text) - at <= TAG_CHARS_MAX and _TAG_OPEN.match(text, at)
    return place.wait_or(apart) if more else apart


def _angle(place: Place, apart: Step) -> Step | None:
    """`<scheme:address>` or `<name@domain>`."""
    match = _IN_ANGLE.match(place.text, place.at)
    inside, closed = match.groups() if match else ("", "")
    web = _WEB_ANGLE.match(place.text, place.at) or "@" in inside.partition(":")[0]
    foreign = Step(place.at + 1, gap(place), angle=True) if web else apart
    is_open = not closed and place.at + 1 + len(inside) == len(place.text)
    if is_open and not place.ending:
        may = place.grounds.may_become(inside) or place.grounds.may_become(f"mailto:{inside}")
        return None if may and len(inside) <= URL_CHARS_MAX else foreign
    given = place.grounds.allows(inside) or place.grounds.allows_email(inside)
    if closed and given:
        return place.as_it_is(len(inside) + 2)
    return foreign


def _whole_tag(place: Place, match: re.Match[str]) -> Step:
    name, end = match[1].lower(), match.end()
    attributes = {
        key.lower(): html.unescape(value.strip("\"'"))
        for key, value in _ATTRIBUTE.findall(match[2])
    }
    carries = any(key in _ADDRESSES or key.startswith("on") for key in attributes)
    if name == "a":
        href = attributes.get("href", "")
        if place.grounds.allows(href):
            return Step(end, f'<a href="{html.escape(href)}">')
        return Step(end, gap(place), opened=1, hit="href" in attributes)
    if name in ("img", "image"):
        source, words = attributes.get("src", ""), place.plain(attributes.get("alt", ""))
        if place.grounds.is_own(source) and place.grounds.allows(source):
            return Step(end, f'<img src="{html.escape(source)}" alt="{html.escape(words)}">')
        return Step(end, gap(place) + words, hit=carries)
    if not carries:
        return place.as_it_is(end - place.at)
    return Step(end, gap(place), hit=True)
