"""The folded list of a turn's events reads like a plain one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.events.payloads import BLOCK, Payloads


def made(number: int, *, fold: bool = True) -> tuple[Payloads, list[bytes]]:
    plain = [b'{"n":%d}' % n for n in range(number)]
    folded = Payloads()
    for payload in plain:
        folded.append(payload)
        if fold:
            folded.fold()
    return folded, plain


@given(st.integers(0, 4 * BLOCK), st.integers(0, 5 * BLOCK), st.integers(0, 5 * BLOCK))
def test_every_slice_is_that_of_a_list(number: int, start: int, stop: int) -> None:
    folded, plain = made(number)
    assert folded[start:stop] == plain[start:stop]
    assert folded[start:] == plain[start:]
    assert folded == plain
    assert list(folded) == plain
    assert len(folded) == number


def test_the_last_one_can_always_be_taken_back() -> None:
    for number in range(1, 3 * BLOCK + 2):
        folded, plain = made(number)
        assert folded[-1] == plain[-1]
        assert folded.pop() == plain.pop()
        assert folded == plain


def test_what_is_not_there() -> None:
    folded, _ = made(BLOCK + 3)
    for index in (BLOCK + 3, -BLOCK - 4):
        with pytest.raises(IndexError):
            folded[index]


def test_many_at_once() -> None:
    folded, plain = made(0)
    more = [b"%d" % n for n in range(3 * BLOCK)]
    folded.extend(more)
    folded.append(b"last")
    assert folded == [*plain, *more, b"last"]
