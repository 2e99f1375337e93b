"""Bytes become the same events however they are cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlour.models.failures import CutOff, EmptyReply, LineTooLong, NotAStream
from parlour.models.sse import EventSplitter

Parsed = tuple[list[bytes], list[bytes], str]


def parse(pieces: list[bytes], *, bytes_max: int = 1_000) -> Parsed:
    """Events, the last unended event, and the code of what went wrong."""
    splitter = EventSplitter(bytes_max=bytes_max)
    events: list[bytes] = []
    last: list[bytes] = []
    try:
        for piece in pieces:
            events += splitter.feed(piece)
        splitter.finish(last.append, whole=False)
    except (CutOff, EmptyReply, NotAStream, LineTooLong) as failure:
        return events, last, failure.code
    return events, last, ""


def cut(data: bytes, places: list[int]) -> list[bytes]:
    marks = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(marks)]


LINES = st.one_of(
    st.text(max_size=12).map(lambda text: b"data: " + text.encode("utf-8", "surrogatepass")),
    st.sampled_from(
        [b"data:x", b"data:  two", b"data", b"data:", b": keep-alive", b":", b"event: delta",
         b"id: 7", b"retry: 10", b"nonsense", b"datax: no", b"", b"", b""]
    ),
)  # fmt: skip
NEWLINES = st.sampled_from([b"\n", b"\r\n", b"\r"])
STREAMS = st.tuples(
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
    st.lists(st.tuples(LINES, NEWLINES), max_size=25),
    st.sampled_from([b"", b"data: no end", b"\xe4\xb8"]),
).map(lambda parts: parts[0] + b"".join(line + end for line, end in parts[1]) + parts[2])


@given(STREAMS, st.lists(st.integers(0, 10_000), max_size=12))
def test_every_split_of_the_same_bytes_gives_the_same_events(
    data: bytes, places: list[int]
) -> None:
    assert parse(cut(data, places)) == parse([data])


@given(STREAMS)
def test_byte_by_byte_is_as_good_as_at_once(data: bytes) -> None:
    assert parse([data[at : at + 1] for at in range(len(data))]) == parse([data])


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_fields_comments_and_multi_line_data_follow_the_standard(newline: bytes) -> None:
    lines = [
        b"\xef\xbb\xbf: a comment", b"data: one", b"", b"event: x", b"data:two", b"id: 3", b"",
        b"data: first", b"data:  second", b"data", b"", b": keep-alive", b"", b"", b"",
    ]  # fmt: skip
    data = b"".join(line + newline for line in lines)
    assert parse([data]) == ([b"one", b"two", b"first\n second\n"], [], "")


def test_a_character_cut_in_two_arrives_whole() -> None:
    data = "data: 世界\n\n".encode()
    for at in range(len(data)):
        assert parse([data[:at], data[at:]])[0] == ["世界".encode()]


def test_a_line_over_the_limit_is_an_error_before_it_ends() -> None:
    splitter = EventSplitter(bytes_max=100)
    for _ in range(10):
        assert splitter.feed(b"x" * 10) == []
    with pytest.raises(LineTooLong):
        splitter.feed(b"x")


def test_a_line_at_the_limit_passes() -> None:
    event = b"data: " + b"x" * 94
    assert parse([event, b"\n\n"], bytes_max=100)[0] == [b"x" * 94]
    assert parse([event + b"x\n\n"], bytes_max=100)[2] == "upstream_line_too_long"


def test_an_event_of_many_lines_is_bounded_as_a_whole() -> None:
    assert parse([b"data: x\n"] * 20, bytes_max=100)[2] == "upstream_line_too_long"


def test_the_end_of_the_stream_tells_empty_noise_and_half_lines_apart() -> None:
    assert parse([])[2] == "upstream_empty"
    assert parse([b": keep-alive\n\n"])[2] == "upstream_empty"
    assert parse([b"It works!"])[2] == "upstream_not_a_stream"
    assert parse([b"data: 1\n\n", b"dat"])[2] == "upstream_cut"


def test_a_last_event_without_its_empty_line_still_counts() -> None:
    assert parse([b"data: 1\n\n", b"data: [DONE]\n"]) == ([b"1"], [b"[DONE]"], "")
    assert parse([b"data: 1\n\n", b"data: [DONE]"]) == ([b"1"], [b"[DONE]"], "")
