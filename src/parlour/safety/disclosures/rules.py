"""The rules as data: read once, checked, frozen. What they mean is in engine.py.

`data/rules/` holds a file for each rule, `data/texts.toml` the words, `data/places.toml` where
people can be. A new law is a new file; nothing here or elsewhere in the code names a jurisdiction.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

DATA = Path(__file__).parent / "data"
EVERYWHERE = "*"
FALLBACK = "en"  # every text has it

Placement = Literal["before_first_message", "in_header", "on_request"]
Words = Annotated[dict[str, str], Field(min_length=1)]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rule(_Data):
    """One duty to tell people something.

    `uses`, `claims` and `surfaces` narrow it: each that is not empty has to match with one of its
    words. `uses` is what a workspace says its assistant is for, `claims` what the host's token says
    of the person, `surfaces` where they talk. `version` grows whenever people have to see it again.
    `interval_minutes` of active time later it is shown again. Dates are days where the person is.
    """

    id: str
    version: int = Field(ge=1)
    jurisdiction: str
    status: Literal["in_force", "proposed", "repealed"]
    effective_from: date
    effective_to: date | None = None  # the last day
    surfaces: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    placement: tuple[Placement, ...] = Field(min_length=1)
    interval_minutes: int | None = Field(None, ge=1)
    says: str
    answers: str = ""  # said to who asks; empty = what it says anyway
    source: str = Field(min_length=1)
    reviewer: str
    note: str = ""


class Places(_Data):
    """Countries, areas of several of them, and parts of single ones."""

    countries: frozenset[str]
    areas: dict[str, frozenset[str]]
    parts: dict[str, frozenset[str]]

    def within(self, place: str) -> frozenset[str] | None:
        """Every place whose rules can reach a person at `place`; None when it is not known.

        What lies around it, and what lies in it: somebody in a country may be in any of its parts.
        """
        country, _, part = place.partition("-")
        if place in self.areas:
            members = self.areas[place]
            return frozenset({place}) | members | self._parts_of(members)
        if country not in self.countries:
            return None
        around = {name for name, members in self.areas.items() if country in members}
        known = self.parts.get(country)
        if part and (known is None or part in known):
            return frozenset({place, country} | around)
        return frozenset({country} | around) | self._parts_of({country})

    def _parts_of(self, countries: frozenset[str] | set[str]) -> frozenset[str]:
        return frozenset(
            f"{country}-{part}" for country in countries for part in self.parts.get(country, ())
        )


class RuleBook(_Data):
    """All rules, the words they say, and the places they hold in."""

    rules: tuple[Rule, ...]
    texts: dict[str, Words]  # in the order in which several stand together
    places: Places

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, words in self.texts.items():
            if FALLBACK not in words:
                raise ValueError(f"the text {name!r} is not there in {FALLBACK!r}")
        ids = [rule.id for rule in self.rules]
        if len(ids) != len(set(ids)):
            raise ValueError("two rules have the same id")
        for rule in self.rules:
            for said in {rule.says, rule.answers or rule.says} - self.texts.keys():
                raise ValueError(f"rule {rule.id!r} says {said!r}, which is no text")
            if rule.jurisdiction != EVERYWHERE and self.places.within(rule.jurisdiction) is None:
                raise ValueError(f"rule {rule.id!r} is for {rule.jurisdiction!r}, an unknown place")
        return self

    @cached_property
    def uses(self) -> frozenset[str]:
        """Every use that some rule asks for."""
        return frozenset(use for rule in self.rules for use in rule.uses)


def read_rules(folder: Path = DATA) -> RuleBook:
    """The rules in `folder`. Raises `pydantic.ValidationError` when they do not fit together."""
    return RuleBook(
        rules=tuple(Rule(**_toml(file)) for file in sorted((folder / "rules").glob("*.toml"))),
        texts=_toml(folder / "texts.toml"),
        places=Places(**_toml(folder / "places.toml")),
    )


def in_language(words: Mapping[str, str], locale: str) -> tuple[str, str]:
    """The text nearest to a locale (of `de-AT`: `de-at`, `de`, English), and its language."""
    wanted = locale.lower().replace("_", "-")
    while wanted:
        for language, text in words.items():
            if language.lower() == wanted:
                return text, language
        wanted = wanted.rpartition("-")[0]
    return words[FALLBACK], FALLBACK


def _toml(file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text(encoding="utf-8"))
