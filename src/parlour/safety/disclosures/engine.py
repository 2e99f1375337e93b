"""Which rules hold for a person now, and what they are told.

The place is what the host's token says, else what the workspace says; where neither says one that
is known, every rule holds. All rules that match are shown together (a union); a workspace can add
to them and has no way to take one away. Equal texts are said once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from parlour.domain import Principal
from parlour.errors import ConfigurationError
from parlour.policy import Policies
from parlour.safety.disclosures.rules import EVERYWHERE, FALLBACK, Rule, RuleBook, in_language
from parlour.store.audit import canonical

SITUATIONS_MAX = 2_048  # remembered answers; a situation is rarely a person's own
# A day begins first at UTC+14 and ends last at UTC-12; a rule holds while it is its day anywhere.
FIRST, LAST = timedelta(hours=14), timedelta(hours=-12)
SPLIT = re.compile(r"[\s,;]+")

Now = Callable[[], datetime]


def utc_now() -> datetime:
    """The time, as every clock here tells it."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Line:
    """One text and the rules that ask for it. `lang` is the language it is really in."""

    text: str
    lang: str
    rules: tuple[tuple[str, int], ...]  # id and version
    placement: tuple[str, ...]

    @property
    def text_sha256(self) -> str:
        """The hash by which a receipt names the words."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Disclosure:
    """All that a person is told in one situation.

    `edition` names exactly these rules, versions and words: a receipt is for an edition. After
    `interval_s` of active time it is shown again; None = once.
    """

    edition: str
    locale: str
    place: str  # as it was known; empty = every rule
    lines: tuple[Line, ...]
    interval_s: float | None = None
    answers: tuple[str, ...] = ()  # names of the texts that are said to who asks

    @property
    def text(self) -> str:
        """Everything in one piece, for faces that have one line for it."""
        return " ".join(line.text for line in self.lines)


@dataclass(frozen=True, slots=True)
class _Situation:
    """What decides, and nothing about the person beyond it."""

    workspace: str
    surface: str
    place: str
    locale: str
    claims: frozenset[str]
    days: tuple[date, date]  # the latest and the earliest that it is anywhere now


@dataclass(slots=True)
class _Text:
    """A text while it is gathered."""

    words: Mapping[str, str]
    rules: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    placement: dict[str, None] = field(default_factory=dict[str, None])


class Disclosures:
    """The engine. One for the process; it remembers, but holds no state."""

    def __init__(self, book: RuleBook, policies: Policies, *, clock: Now = utc_now) -> None:
        self.book = book
        self._policies = policies
        self._clock = clock
        self._claims = frozenset(claim for rule in book.rules for claim in rule.claims)
        self._remembered = lru_cache(SITUATIONS_MAX)(self._in)

    def check(self, workspaces: tuple[str, ...]) -> None:
        """Raise `ConfigurationError` for a policy that names a use or a place that nobody knows."""
        for workspace in ("", *workspaces):
            policy = self._policies.of(workspace).disclosure
            section = f"workspaces.{workspace}" if workspace else "policy"
            for use in policy.uses:
                if use not in self.book.uses:
                    raise ConfigurationError(
                        f"`{section}.disclosure.uses` has {use!r}, which no rule knows. Known are: "
                        f"{', '.join(sorted(self.book.uses))}."
                    )
            if policy.jurisdiction and self._reach(_place(policy.jurisdiction)) is None:
                raise ConfigurationError(
                    f"`{section}.disclosure.jurisdiction` is {policy.jurisdiction!r}, which is no "
                    "place that the rules know. Use codes of ISO 3166 or the name of an area."
                )

    def of(self, principal: Principal, surface: str) -> Disclosure:
        """What `principal` is told at `surface` now."""
        policy = self._policies.of(principal.workspace).disclosure
        now = self._clock()
        return self._remembered(
            _Situation(
                workspace=principal.workspace,
                surface=surface,
                place=_place(principal.jurisdiction or policy.jurisdiction),
                locale=principal.locale or FALLBACK,
                claims=frozenset(c for c in self._claims if principal.claims.get(c)),
                days=((now + FIRST).date(), (now + LAST).date()),
            )
        )

    def answer(self, principal: Principal, surface: str, language: str) -> str:
        """What is said to somebody who asks, in that language, whether a human answers."""
        names = self.of(principal, surface).answers
        return " ".join(in_language(self.book.texts[name], language)[0] for name in names)

    def _in(self, situation: _Situation) -> Disclosure:
        policy = self._policies.of(situation.workspace).disclosure
        reach = self._reach(situation.place)
        rules = [
            rule
            for rule in self.book.rules
            if _holds(rule, situation.days)
            and (reach is None or rule.jurisdiction == EVERYWHERE or rule.jurisdiction in reach)
            and _matches(rule.surfaces, {situation.surface})
            and _matches(rule.uses, set(policy.uses))
            and _matches(rule.claims, situation.claims)
        ]
        intervals = [rule.interval_minutes for rule in rules]
        texts = self._gather(rules)
        for name, own in sorted(policy.add.items()):
            if _matches(own.surfaces, {situation.surface}):
                said = _Text(own.text, [(f"workspace:{name}", own.version)], dict.fromkeys(_OWN))
                texts.append(said)
                intervals.append(own.interval_minutes)
        lines = tuple(_line(said, situation.locale) for said in texts)
        minutes = [interval for interval in intervals if interval]
        asked = {rule.answers or rule.says for rule in rules if _ASKED in rule.placement}
        return Disclosure(
            edition=_edition(lines),
            locale=situation.locale,
            place=situation.place if reach is not None else "",
            lines=lines,
            interval_s=min(minutes) * 60.0 if minutes else None,
            answers=tuple(name for name in self.book.texts if name in asked),
        )

    def _gather(self, rules: list[Rule]) -> list[_Text]:
        """The texts that are shown beforehand or beside, in the order of the book."""
        texts: dict[str, _Text] = {}
        shown = [rule for rule in rules if set(rule.placement) & set(_OWN)]
        for name in self.book.texts:
            for rule in shown:
                if rule.says == name:
                    said = texts.setdefault(name, _Text(self.book.texts[name]))
                    said.rules.append((rule.id, rule.version))
                    said.placement.update(dict.fromkeys(rule.placement))
        return list(texts.values())

    def _reach(self, places: str) -> frozenset[str] | None:
        """All places whose rules can reach somebody in one of `places`; None = all there are."""
        reach: set[str] = set()
        for place in places.split():
            within = self.book.places.within(place)
            if within is None:
                return None
            reach |= within
        return frozenset(reach) or None


_ASKED = "on_request"
_OWN = ("before_first_message", "in_header")  # where a workspace's own text stands


def _place(said: str) -> str:
    """One or several codes as they are written in the data."""
    return " ".join(sorted({part.replace("_", "-") for part in SPLIT.split(said.upper()) if part}))


def _holds(rule: Rule, days: tuple[date, date]) -> bool:
    latest, earliest = days
    ended = rule.effective_to is not None and rule.effective_to < earliest
    return rule.status == "in_force" and rule.effective_from <= latest and not ended


def _matches(wanted: tuple[str, ...], given: set[str] | frozenset[str]) -> bool:
    return not wanted or not given.isdisjoint(wanted)


def _line(said: _Text, locale: str) -> Line:
    text, lang = in_language(said.words, locale)
    return Line(text, lang, tuple(said.rules), tuple(said.placement))


def _edition(lines: tuple[Line, ...]) -> str:
    named = [[line.rules, line.text, line.lang] for line in lines]
    return f"d_{hashlib.sha256(canonical(named).encode()).hexdigest()[:32]}"
