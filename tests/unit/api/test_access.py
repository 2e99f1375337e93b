"""Tokens that need no second proof."""

from parlour.api.access import LOCAL, Proven


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
