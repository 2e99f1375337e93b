"""Tokens that need no second proof, and what becomes of odd claims."""

from typing import Any

import jwt
import pytest

from parlour.api.access import LOCAL, Access, Proven
from parlour.domain import Principal

SECRET = "a secret of thirty-two characters"


def whom(**claims: Any) -> Principal:
    must = {"sub": "ann", "workspace": "acme", "aud": "parlour", "exp": 4_000_000_000}
    token = jwt.encode({**must, **claims}, SECRET, algorithm="HS256")
    return Access(secret=SECRET, audience="parlour").from_token(token)


def test_a_name_that_was_cut_within_an_emoji_can_be_stored() -> None:
    ann = whom(name="Ann \ud83d", team={"\ud83d": ["\ud83d", 1]})
    assert ann.name == "Ann ?"
    assert ann.claims["team"] == {"?": ["?", 1]}


@pytest.mark.parametrize("odd", [None, 7, {"a": 1}, ["x"]])
def test_a_claim_that_is_no_text_counts_as_left_out(odd: Any) -> None:
    ann = whom(name=odd, tier=odd, locale=odd, jurisdiction=odd)
    assert (ann.name, ann.tier, ann.locale, ann.jurisdiction) == ("", "free", "en", "")


def test_a_proved_token_is_known_until_it_ends() -> None:
    proven = Proven()
    proven.put("a", LOCAL, good_until=100)
    assert proven.get("a", now=99.9) is LOCAL
    assert proven.get("a", now=100) is None
    assert proven.get("a", now=99) is None  # a clock that is set back revives nothing


def test_another_token_is_not_known() -> None:
    proven = Proven()
    proven.put("a", LOCAL, good_until=100)
    assert proven.get("b", now=0) is None
    assert proven.get("\udc80", now=0) is None


def test_whoever_was_used_least_makes_room() -> None:
    proven = Proven(most=2)
    for token in ("a", "b"):
        proven.put(token, LOCAL, good_until=100)
    proven.get("a", now=0)
    proven.put("c", LOCAL, good_until=100)
    assert [proven.get(token, now=0) is LOCAL for token in "abc"] == [True, False, True]
