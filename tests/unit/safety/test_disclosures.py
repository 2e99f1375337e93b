"""Which rules hold where and when: a golden table, and what no setting can change."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import parlour
from parlour.domain import Principal, UserId, WorkspaceId
from parlour.errors import ConfigurationError
from parlour.policy import Policies, Policy, changed
from parlour.safety.disclosures.engine import Disclosure, Disclosures
from parlour.safety.disclosures.rules import DATA, Places, RuleBook, in_language, read_rules

BOOK = read_rules()
ANN = Principal(WorkspaceId("acme"), UserId("ann"))
SURFACES = ("chat", "api", "openai", "terminal")


def at(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def engine(now: datetime, book: RuleBook = BOOK, **policy: Any) -> Disclosures:
    it = changed(Policy(), {"disclosure": policy})
    return Disclosures(book, Policies(it), clock=lambda: now)


def rules(disclosure: Disclosure) -> set[str]:
    return {rule for line in disclosure.lines for rule, _ in line.rules}


# place, what the assistant is for, day (noon, UTC) -> the rules beyond "always", hours between
GOLDEN: list[tuple[str, tuple[str, ...], str, set[str], float | None]] = [
    # The Union: from 2 August 2026, in each member, in its regions, and not beside it.
    ("EU", (), "2026-07-30", set(), None),
    ("EU", (), "2026-08-02", {"eu-ai-act-50"}, None),
    ("DE", (), "2026-08-02", {"eu-ai-act-50"}, None),
    ("FR", (), "2030-01-01", {"eu-ai-act-50"}, None),
    ("RE", (), "2026-08-02", {"eu-ai-act-50"}, None),
    ("de-BY", (), "2026-08-02", {"eu-ai-act-50"}, None),
    ("CH", (), "2026-08-02", set(), None),
    ("GB", (), "2026-08-02", set(), None),
    # California: bots that sell since 2019, companions since 2026, and an assistant at work never.
    ("US-CA", (), "2026-11-01", set(), None),
    ("US-CA", ("sales",), "2019-06-29", set(), None),
    ("US-CA", ("sales",), "2019-07-01", {"us-ca-sb-1001"}, None),
    ("US-CA", ("election",), "2026-11-01", {"us-ca-sb-1001"}, None),
    ("US-CA", ("companion",), "2025-12-30", set(), None),
    ("US-CA", ("companion",), "2026-01-01", {"us-ca-sb-243"}, None),
    # New York: companions, every three hours.
    ("US-NY", ("companion",), "2025-11-03", set(), None),
    ("US-NY", ("companion",), "2025-11-05", {"us-ny-gbl-1702"}, 3),
    ("us_ny", ("companion",), "2025-11-05", {"us-ny-gbl-1702"}, 3),
    ("US-NY", (), "2026-11-01", set(), None),
    ("US-ME", (), "2025-08-30", set(), None),
    ("US-ME", (), "2025-09-01", {"us-me-1500-dd"}, None),
    # Utah: on request for everybody, up front for regulated occupations.
    ("US-UT", (), "2026-11-01", set(), None),
    ("US-UT", ("regulated_occupation",), "2026-11-01", {"us-ut-occupations"}, None),
    # Colorado: the first act was repealed before it began, the second begins in 2027.
    ("US-CO", ("consequential",), "2026-07-15", set(), None),
    ("US-CO", ("consequential",), "2026-12-30", set(), None),
    ("US-CO", ("consequential",), "2027-01-01", {"us-co-sb-26-189"}, None),
    ("US-CO", (), "2027-01-01", set(), None),
    ("KR", (), "2026-01-20", set(), None),
    ("KR", (), "2026-01-22", {"kr-ai-basic-act"}, None),
    ("CN", (), "2025-08-30", set(), None),
    ("CN", (), "2025-09-01", {"cn-labelling"}, None),
    # A country whose parts have rules, without the part: any of them may hold.
    ("US", (), "2026-11-01", {"us-me-1500-dd"}, None),
    ("US-ZZ", (), "2026-11-01", {"us-me-1500-dd"}, None),
    ("US", ("companion",), "2026-11-01", {"us-me-1500-dd", "us-ca-sb-243", "us-ny-gbl-1702"}, 3),
    # Two places at once: both.
    ("DE, US-ME", (), "2026-11-01", {"eu-ai-act-50", "us-me-1500-dd"}, None),
    # Not known: all that there is.
    *(
        (
            unknown,
            (),
            "2026-11-01",
            {"eu-ai-act-50", "us-me-1500-dd", "kr-ai-basic-act", "cn-labelling"},
            None,
        )
        for unknown in ("", "Mars", "UK", "DE, Mars", "☃", "-", "*")
    ),
]


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize(("place", "uses", "day", "expected", "hours"), GOLDEN)
def test_golden(  # the table above, at every surface
    place: str,
    uses: tuple[str, ...],
    day: str,
    expected: set[str],
    hours: float | None,
    surface: str,
) -> None:
    told = engine(at(day) + timedelta(hours=12), uses=uses).of(
        replace(ANN, jurisdiction=place), surface
    )
    assert rules(told) == {"always"} | expected
    assert told.interval_s == (hours * 3600 if hours else None)


def test_the_token_decides_before_the_workspace() -> None:
    it = engine(at("2026-11-01"), jurisdiction="KR")
    assert rules(it.of(ANN, "chat")) == {"always", "kr-ai-basic-act"}
    assert rules(it.of(replace(ANN, jurisdiction="CN"), "chat")) == {"always", "cn-labelling"}


def test_minors_in_a_companion_are_reminded_every_three_hours() -> None:
    it = engine(at("2026-11-01"), uses=["companion"])
    child = replace(ANN, jurisdiction="US-CA", claims={"minor": True})
    told = it.of(child, "chat")
    assert rules(told) == {"always", "us-ca-sb-243", "us-ca-sb-243-minors"}
    assert told.interval_s == 3 * 3600
    assert it.of(replace(child, claims={"minor": False}), "chat").interval_s is None


def test_a_rule_holds_while_its_day_is_anywhere() -> None:
    ann = replace(ANN, jurisdiction="FR")
    begins = at("2026-08-02") - timedelta(hours=14)  # midnight on Kiritimati
    before = engine(begins - timedelta(seconds=1)).of(ann, "chat")
    assert "eu-ai-act-50" not in rules(before)
    assert "eu-ai-act-50" in rules(engine(begins).of(ann, "chat"))
    ended = BOOK.model_copy(
        update={
            "rules": tuple(
                rule.model_copy(update={"effective_to": date(2026, 8, 31)}) for rule in BOOK.rules
            )
        }
    )
    ends = at("2026-09-01") + timedelta(hours=12)  # midnight on Baker Island
    assert "eu-ai-act-50" in rules(engine(ends - timedelta(seconds=1), ended).of(ann, "chat"))
    assert rules(engine(ends, ended).of(ann, "chat")) == set()


def test_a_rule_for_one_surface_holds_there_alone() -> None:
    narrowed = tuple(
        rule.model_copy(update={"surfaces": ("openai",)}) if rule.id == "eu-ai-act-50" else rule
        for rule in BOOK.rules
    )
    it = engine(at("2026-11-01"), BOOK.model_copy(update={"rules": narrowed}))
    ann = replace(ANN, jurisdiction="DE")
    assert rules(it.of(ann, "chat")) == {"always"}
    assert rules(it.of(ann, "openai")) == {"always", "eu-ai-act-50"}


# --- words ---


def test_equal_words_are_said_once_for_all_rules_that_ask_for_them() -> None:
    told = engine(at("2026-11-01")).of(ANN, "chat")
    assert len(told.lines) == 1
    assert len(told.lines[0].rules) == 5


@pytest.mark.parametrize(
    ("locale", "lang", "begins"),
    [
        ("de", "de", "Sie sprechen"),
        ("de-AT", "de", "Sie sprechen"),
        ("DE_ch", "de", "Sie sprechen"),
        ("zh-Hant-TW", "zh", "您正在"),
        ("fr-CA", "fr", "Vous parlez"),
        ("tlh", "en", "You are talking"),
        ("", "en", "You are talking"),
        ("../../etc", "en", "You are talking"),
    ],
)
def test_words_are_in_the_nearest_language(locale: str, lang: str, begins: str) -> None:
    line = engine(at("2026-11-01")).of(replace(ANN, locale=locale), "chat").lines[0]
    assert (line.lang, line.text[: len(begins)]) == (lang, begins)


def test_an_exact_locale_is_nearer_than_its_language() -> None:
    words = {"en": "e", "pt": "p", "pt-BR": "b"}
    assert in_language(words, "pt-br") == ("b", "pt-BR")
    assert in_language(words, "pt-PT") == ("p", "pt")


# --- editions ---


def test_an_edition_changes_with_rules_versions_words_and_language() -> None:
    now = at("2026-11-01")
    base = engine(now).of(ANN, "chat").edition
    assert engine(now).of(ANN, "chat").edition == base
    newer = tuple(
        rule.model_copy(update={"version": 2}) if rule.id == "always" else rule
        for rule in BOOK.rules
    )
    texts = {**BOOK.texts, "assistant": {**BOOK.texts["assistant"], "en": "An AI answers."}}
    others = {
        "version": engine(now, BOOK.model_copy(update={"rules": newer})).of(ANN, "chat"),
        "words": engine(now, BOOK.model_copy(update={"texts": texts})).of(ANN, "chat"),
        "place": engine(now).of(replace(ANN, jurisdiction="DE"), "chat"),
        "language": engine(now).of(replace(ANN, locale="de"), "chat"),
        "own": engine(now, add={"own": {"text": {"en": "Ours."}}}).of(ANN, "chat"),
    }
    editions = {name: told.edition for name, told in others.items()}
    assert len({base, *editions.values()}) == 6, editions


# --- a workspace adds and never removes ---


def test_a_workspace_adds_its_own_text_in_its_languages() -> None:
    own = {"text": {"en": "Ours.", "de": "Unseres."}, "interval_minutes": 30, "surfaces": ["chat"]}
    it = engine(at("2026-11-01"), add={"house": own})
    told = it.of(replace(ANN, locale="de"), "chat")
    assert told.lines[-1].text == "Unseres."
    assert told.lines[-1].rules == (("workspace:house", 1),)
    assert told.interval_s == 30 * 60
    assert "Unseres." not in it.of(replace(ANN, locale="de"), "api").text


WORDS = st.text(min_size=1, max_size=8).filter(str.strip)
POLICIES = st.fixed_dictionaries(
    {
        "uses": st.lists(st.sampled_from(sorted(BOOK.uses)), max_size=3),
        "add": st.dictionaries(WORDS, st.fixed_dictionaries({"text": st.just({"en": "x"})})),
    }
)


@given(
    policy=POLICIES,
    place=st.sampled_from(sorted(BOOK.places.countries)) | st.text(max_size=6),
    surface=st.sampled_from(SURFACES),
    days=st.integers(0, 4_000),
)
def test_no_policy_takes_a_rule_away(
    policy: dict[str, Any], place: str, surface: str, days: int
) -> None:
    now = at("2020-02-01") + timedelta(days=days)
    ann = replace(ANN, jurisdiction=place)
    assert rules(engine(now).of(ann, surface)) <= rules(engine(now, **policy).of(ann, surface))
    assert engine(now, **policy).of(ann, surface).text


def test_a_workspace_keeps_what_the_defaults_add() -> None:
    default = changed(Policy(), {"disclosure": {"add": {"a": {"text": {"en": "A"}}}}})
    acme = changed(default, {"disclosure": {"add": {"b": {"text": {"en": "B"}}}}})
    told = Disclosures(BOOK, Policies(default, {"acme": acme})).of(ANN, "chat")
    assert [line.text for line in told.lines[1:]] == ["A", "B"]


@pytest.mark.parametrize(
    ("policy", "said"),
    [({"uses": ["companyon"]}, "companyon"), ({"jurisdiction": "Atlantis"}, "Atlantis")],
)
def test_a_policy_that_names_what_nobody_knows_is_refused(policy: Any, said: str) -> None:
    acme = changed(Policy(), {"disclosure": policy})
    with pytest.raises(ConfigurationError, match=rf"workspaces\.acme\.disclosure\.\w+.*{said}"):
        Disclosures(BOOK, Policies(Policy(), {"acme": acme})).check(("acme",))


def test_an_own_text_without_english_is_refused() -> None:
    with pytest.raises(ValidationError, match="`en`"):
        changed(Policy(), {"disclosure": {"add": {"x": {"text": {"de": "Nur deutsch."}}}}})


# --- the data ---


def test_every_rule_has_its_source_and_a_text_in_english() -> None:
    assert all(rule.source and BOOK.texts[rule.says]["en"] for rule in BOOK.rules)
    assert {rule.id for rule in BOOK.rules} == {f.stem for f in (DATA / "rules").glob("*.toml")}


@pytest.mark.parametrize(
    "change",
    [
        {"says": "nothing"},
        {"jurisdiction": "Atlantis"},
        {"status": "perhaps"},
        {"placement": ()},
        {"version": 0},
        {"unknown": 1},
    ],
)
def test_data_that_does_not_fit_is_refused(change: dict[str, Any]) -> None:
    first = BOOK.rules[0].model_dump() | change
    with pytest.raises(ValidationError):
        RuleBook.model_validate({**BOOK.model_dump(), "rules": [first]})


def test_the_always_rule_has_no_end_and_no_condition() -> None:
    [always] = [rule for rule in BOOK.rules if rule.id == "always"]
    assert (always.jurisdiction, always.effective_to) == ("*", None)
    assert not (always.surfaces)
    assert not (always.uses)
    assert not (always.claims)


# --- no code path names a jurisdiction ---


def names_of(places: Places) -> set[str]:
    parts = {f"{country}-{part}" for country, all_of in places.parts.items() for part in all_of}
    return places.countries | set(places.areas) | parts


def literals(root: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield file.name, node.value


def test_no_code_names_a_jurisdiction() -> None:
    named = {rule.jurisdiction for rule in BOOK.rules} - {"*"} | {rule.id for rule in BOOK.rules}
    parts = {name for name in names_of(BOOK.places) if "-" in name}
    names = named - {"always"} | set(BOOK.places.areas) | parts
    root = Path(parlour.__file__).parent
    assert [found for found in literals(root) if found[1] in names] == []
    # "ID" and "IT" are words elsewhere; here they would be countries.
    countries = BOOK.places.countries
    rooms = (root / "safety" / "disclosures", root / "api", root / "chat")
    assert [found for room in rooms for found in literals(room) if found[1] in countries] == []
    page = root.parent.parent / "ui" / "app" / "src"
    quoted = {f'"{name}"' for name in names}
    assert [
        (file.name, name)
        for file in page.rglob("*.ts*")
        for name in quoted
        if name in file.read_text(encoding="utf-8")
    ] == []
