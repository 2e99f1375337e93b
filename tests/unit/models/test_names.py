"""Names from providers: what is kept of them, on both sides of each bound."""

from __future__ import annotations

import pytest

from parlour.models import names


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("gpt-5.1", "gpt-5.1"),
        ("", ""),
        (None, ""),
        ("a\0b\x1f\x9f", "a\ufffdb\ufffd\ufffd"),
        ("Größe ☃", "Größe ☃"),
        ("x" * names.CHARS_MAX, "x" * names.CHARS_MAX),
        ("x" * (names.CHARS_MAX + 1), "x" * names.CHARS_MAX),
    ],
)
def test_a_name_is_bounded_and_has_no_control_characters(given: str | None, kept: str) -> None:
    assert names.plain(given) == kept


@pytest.mark.parametrize("given", ["call_1", "x" * 16_384, "toolu_01__thought__AbC+/="])
def test_the_name_of_a_call_goes_back_as_it_came(given: str) -> None:
    assert names.of_call(given) == given


@pytest.mark.parametrize("given", ["", "a b", "a\0", "ä", "x" * 16_385])
def test_a_call_that_nobody_can_name_gets_a_name_of_its_own(given: str) -> None:
    first, second = names.of_call(given), names.of_call(given)
    assert first.startswith("call_")
    assert first != second
