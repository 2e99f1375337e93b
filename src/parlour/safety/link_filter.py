"""Links are grounded as they stream: what nothing but the model has given is shown as words.

A filter of chat/outflow.py. Text passes until a character comes that can give an address away
(`trigger`); from there on it is held only while it is undecided whether an allowed address is being
written, and no longer than the longest allowed one. An address that no allowed one begins like is
known at once: its host is said in words, the rest of it is dropped as it comes.

What is shown does not depend on how the text was cut into pieces, and no beginning of what is
shown has an address in it that is not allowed, for any linker: the words of a link are kept without
their brackets, `https://evil.example/a` becomes `https: evil[.]example/…`, `www.evil.example`
`www[.]evil[.]example`, `eve@evil.example` `eve [at] evil[.]example`, `a.evil.com` `a[.]evil[.]com`.
In code the same holds, but for brackets, tags and e-mail addresses, which are no links there. Where
code begins and ends is guessed; whoever outwits the guess gains a relative link, nothing else.

Invisible characters between ASCII letters are dropped: they only serve to cut an address apart for
this filter and not for its reader.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from parlour.safety.link_markup import LABEL, bracket, closing, tag
from parlour.safety.link_places import (
    Ending,
    Place,
    Step,
    dot,
    email,
    entity,
    gap,
    slashes,
)
from parlour.safety.link_words import MORE, RUN, authority_of, closers_at_end, host_in_words
from parlour.safety.links import URL_CHARS_MAX, Grounds
from parlour.safety.silence import PAUSE_S, STALL_S

BEHIND_CHARS = 128  # of what was shown before; a name before an `@` has 64
AUTHORITY_CHARS_MAX = 300
HELD_CHARS_MAX = 2 * URL_CHARS_MAX + 600  # of anything: words, address, title

_HIDDEN = "\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
TRIGGER = rf"[\[\]<@&`!./~\\{_HIDDEN}]"
# A dot only matters within a name, an exclamation mark before a bracket, both where a piece ends.
_DOT = r"(?<=[A-Za-z0-9_-])\.(?=[A-Za-z0-9-]|\Z)|(?<=[wW])\.|\A\."
_ANY = re.compile(rf"[\[\]<@&`/~\\{_HIDDEN}]|!(?=\[|\Z)|{_DOT}")
_ANY_OR_LINE = re.compile(rf"[\n\[\]<@&`/~\\{_HIDDEN}]|!(?=\[|\Z)|{_DOT}")
_ANY_OR_ANGLE = re.compile(rf"[> \n\t\[\]<@&`/~\\{_HIDDEN}]|!(?=\[|\Z)|{_DOT}")
_IN_CODE = re.compile(rf"[\n/`~\\{_HIDDEN}]|(?<=[wW])\.|\A\.")
_SPACES = (" ", "\n", "\t")
_MARKUP = "[]<@!&"
_HIDDEN_RUN = re.compile(f"[{_HIDDEN}]{{1,16}}")
_TICKS = re.compile(r"`{1,64}|~{1,64}")
_FIRST_LINE = re.compile(r"[^`\n]{0,100}")
_LINE_START = re.compile(r"(?:\A|\n)(?: {0,9}(?:>|[-*+] |\d{1,9}[.)] ))* {0,9}\Z")
_DEST_CHARS = re.compile(r"\\.|[\s\S]")
_TICKS_OR_LINE = re.compile(r"`+|\n")
_WORDS = re.compile(rf"\[{LABEL}(?=\]\()")  # of a link whose destination has begun
_BEGUN = re.compile(r"[/\\@<]|[wW]\.|\]:|\]\(.")  # in what is held: part of an address
LINE_OF_CODE_CHARS_MAX = 160  # within which it has to end to be one


class LinkFilter:
    """The links of one stream of text. `on_hit` is called for each one that was not grounded."""

    trigger = TRIGGER

    def __init__(self, grounds: Grounds, on_hit: Callable[[], None] | None = None) -> None:
        self.held_since: float | None = None
        self._grounds = grounds
        self._on_hit = on_hit
        self._held = ""
        self._behind = ""
        self._code = 0  # backticks that end the line of code; below 0: marks that end the block
        self._mark = "`"
        self._sure = False  # the end of the line of code has been seen
        self._drop = ""  # "host", "url" or "dest"
        self._said_more = False
        self._depth = self._dropped = 0
        self._angle = False
        self._anchors = 0  # dropped, whose ends have to be dropped too

    @property
    def busy(self) -> bool:
        """Text is held or being dropped, or a line of code may end with its line."""
        return bool(self._held or self._drop or self._code > 0 or self._angle)

    @property
    def held_chars(self) -> int:
        """How much of what was fed is not decided yet."""
        return len(self._held)

    def passed(self, text: str) -> None:
        """Remember what stands before the next piece."""
        self._behind = (self._behind + text)[-BEHIND_CHARS:]

    def feed(self, text: str) -> str:
        """More text; returns what may be shown now."""
        if self._held == "." and text[:1] in _SPACES and not self._drop and not self._angle:
            self._held, self.held_since = "", None  # it was the end of a sentence
            self.passed(".")
            return "." + self.feed(text)
        if not self.busy and self._code == 0:
            found = _ANY.search(text)
            if found is None:
                self.passed(text)
                return text
            if found.start() == len(text) - 1 and text[-1] == ".":
                self._held, self.held_since = ".", time.monotonic()  # mostly of a sentence
                self.passed(text[:-1])
                return text[:-1]
        shown = self._run(self._held + text, "")
        if len(self._held) > HELD_CHARS_MAX:
            shown += self._run(self._held, "settle")
        if not self._held:
            self.held_since = None
        elif self.held_since is None:
            self.held_since = time.monotonic()
        return shown

    def settle(self, silent_s: float) -> str:
        """Decide what is held, but not yet what may become an allowed address: of a link only its
        words are shown, in their bracket."""
        before = self._behind[-1:] if self._held.startswith(".") else ""
        hopeful = not self._drop and _BEGUN.search(before + self._held) is not None
        if silent_s >= (STALL_S if hopeful else PAUSE_S):
            return self._settle()
        if self.held_since is None or time.monotonic() - self.held_since < PAUSE_S:
            return ""
        words = _WORDS.match(self._held)
        if words is None or self._drop or self._code or self._angle:
            return ""
        rest = self._held[words.end() :]
        shown = self._run(words.group(), "settle")
        self._held += rest
        return shown

    def _settle(self) -> str:
        self.held_since = None
        return self._run(self._held, "settle")

    def drain(self) -> str:
        """The rest. What stands before the next piece is remembered: faces join their rounds."""
        shown = self._settle() if self._drop else self._run(self._held, "end")
        self.held_since = None
        self._drop, self._code, self._angle, self._anchors = "", 0, False, 0
        return shown

    def _run(self, text: str, ending: Ending) -> str:
        shown: list[str] = []
        at = 0
        while at < len(text) or (ending and self._drop == "host"):
            step = self._step(text, at, ending)
            if step is None:
                break
            if step.shown:
                shown.append(step.shown)
                self._behind = (self._behind + step.shown)[-BEHIND_CHARS:]
            if step.rest:
                text, at = step.rest + text[step.end :], 0
            else:
                at = step.end
            self._note(step)
        self._held = text[at:]
        return "".join(shown)

    def _note(self, step: Step) -> None:
        if step.hit and self._on_hit is not None:
            self._on_hit()
        if step.drop:
            self._drop = step.drop
            self._depth = self._dropped = 0
            self._said_more = False
        self._angle = self._angle or step.angle
        self._anchors += step.opened

    def _step(self, text: str, at: int, ending: Ending) -> Step | None:
        if self._drop:
            return self._dropping(text, at, ending)
        if self._angle and text[at] in "> \n\t":
            self._angle = False
            return Step(at + 1, text[at].strip(">"))
        code = self._code < 0 or (self._code > 0 and self._sure)
        pattern = _IN_CODE if code else _ANY_OR_LINE if self._code else _ANY
        if self._angle:
            pattern = _ANY_OR_ANGLE
        found = pattern.search(text, at)
        if found is None:
            return Step(len(text), text[at:])
        if found.start() > at:
            return Step(found.start(), text[at : found.start()])
        char = text[at]
        if char in "> \n\t" and self._angle:
            return Step(at)
        if char == "\n":
            self._code = min(0, self._code)
            return Step(at + 1, char)
        if self._code > 0 and not code and char in _MARKUP and not self._is_code(text, at, ending):
            return None
        code = self._code < 0 or (self._code > 0 and self._sure)
        ticks = max(0, self._code)
        place = Place(text, at, self._behind, ending, code, ticks, self._grounds, self._plain)
        if code and char in _MARKUP:
            return place.as_it_is()
        handler = _HANDLERS.get(char)
        if handler is not None:
            return self._unless_dropped(place, handler(place))
        return self._ticks(place) if char in "`~" else _hidden(place)

    def _unless_dropped(self, place: Place, step: Step | None) -> Step | None:
        """The end of an anchor stays unless its beginning was dropped."""
        if step is not None and step.opened < 0 and self._anchors == 0:
            return place.as_it_is(step.end - place.at)
        return step

    def _plain(self, text: str) -> str:
        """A finished piece of text by itself, such as the words of a link."""
        return ground(text, self._grounds, self._on_hit)

    # --- what is dropped ---

    def _dropping(self, text: str, at: int, ending: Ending) -> Step | None:
        if self._drop == "dest":
            return self._drop_dest(text, at, ending)
        match = RUN.match(text, at)
        run = match.group() if match else ""
        end = at + len(run)
        over = text[end:] not in {"", "\\"}
        ended = bool(ending) or over
        if self._drop == "host" and not run and over:
            self._drop = ""  # two slashes, and nothing that could be a host
            return Step(at + 1, f" {text[at]}")
        if self._drop == "host":
            return self._say_host(run, at, ended=ended)
        core = len(run) - closers_at_end(run)
        goes_on = run[:core].strip("/:") != "" and not self._said_more
        if goes_on:
            self._said_more = True
            return Step(at, MORE)
        if not ended:
            return Step(at + core) if core else None
        if over:
            self._drop = ""
        return Step(len(text) if not over else end, run[core:])

    def _say_host(self, run: str, at: int, *, ended: bool) -> Step | None:
        authority, length = authority_of(run)
        complete = length < len(run) or len(authority) > AUTHORITY_CHARS_MAX
        if not (complete or ended):
            return None
        if length == len(run):
            closers = closers_at_end(authority)
            authority = authority[: len(authority) - closers]
            length -= closers
        self._drop, self._said_more = "url", False
        return Step(at + length, host_in_words(authority))

    def _drop_dest(self, text: str, at: int, ending: Ending) -> Step | None:
        """Up to the bracket that closes the destination, the end of its line, or long enough."""
        for match in _DEST_CHARS.finditer(text, at):
            char = match.group()
            if char == "\\" and not ending:  # the next piece says what it escapes
                return Step(match.start()) if match.start() > at else None
            self._dropped += 1
            self._depth += (char == "(") - (char == ")")
            if char == "\n" or self._dropped > URL_CHARS_MAX:
                self._drop = ""
                return Step(match.start())
            if self._depth < 0:
                self._drop = ""
                return Step(match.end())
        return Step(len(text))

    # --- code ---

    def _is_code(self, text: str, at: int, ending: Ending) -> bool:
        """Find out whether what looks like a line of code is one; False: more text is needed."""
        for match in _TICKS_OR_LINE.finditer(text, at, at + LINE_OF_CODE_CHARS_MAX):
            ends_here = match.end() == len(text) and not ending
            if match.group() == "\n" or (len(match.group()) == self._code and not ends_here):
                self._sure = match.group() != "\n"
                self._code = self._code if self._sure else 0
                return True
        if len(text) - at < LINE_OF_CODE_CHARS_MAX and not ending:
            return False
        self._code = 0
        return True

    def _ticks(self, place: Place) -> Step | None:
        """Backticks or tildes: code begins or ends."""
        match = _TICKS.match(place.text, place.at)
        run = match.group() if match else "`"
        end = place.at + len(run)
        if end == len(place.text) and len(run) < 64 and not place.ending:
            return None
        if self._code:
            ends = len(run) == self._code if self._code > 0 else len(run) >= -self._code
            if ends and run[0] == self._mark:
                self._code = 0
            return place.as_it_is(len(run))
        block = len(run) >= 3 and _LINE_START.search(self._behind) is not None
        if block and run[0] == "`":  # its first line has no other backtick
            line = _FIRST_LINE.match(place.text, end)
            if line is not None and line.end() == len(place.text) and not place.ending:
                return None
            block = line is None or place.text[line.end() : line.end() + 1] != "`"
        if block:
            self._code, self._mark = -len(run), run[0]
        elif run[0] == "`":
            self._code, self._mark, self._sure = len(run), "`", False
        return place.as_it_is(len(run))


_HANDLERS: dict[str, Callable[[Place], Step | None]] = {
    "[": bracket,
    "!": bracket,
    "]": closing,
    "<": tag,
    "@": email,
    ".": dot,
    "/": slashes,
    "\\": slashes,
    "&": entity,
}


def _hidden(place: Place) -> Step | None:
    """Invisible characters: gone between ASCII characters, else as they are."""
    match = _HIDDEN_RUN.match(place.text, place.at)
    end = match.end() if match else place.at + 1
    before = place.behind[-1:]
    if end - place.at == 16:
        return Step(end, gap(place))
    if not ("!" <= before <= "~"):
        return place.as_it_is(end - place.at)
    after = place.text[end : end + 1]
    if not after:
        return place.wait_or(place.as_it_is(end - place.at))
    return Step(end, gap(place)) if "!" <= after <= "~" else place.as_it_is(end - place.at)


def ground(text: str, grounds: Grounds, on_hit: Callable[[], None] | None = None) -> str:
    """A whole text with its links grounded: a title, a notice, the words of a link."""
    links = LinkFilter(grounds, on_hit)
    return links.feed(text) + links.drain()
