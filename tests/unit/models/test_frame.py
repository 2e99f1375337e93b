"""A chunk is read without parsing only where parsing could say nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from parlour.models.failures import BadJson, BadUtf8, LineTooLong
from parlour.models.frame import Frame
from parlour.models.openai import OpenAIReader


class Sink:
    def __init__(self) -> None:
        self.said = ""

    def text(self, text: str) -> None:
        self.said += text

    def reasoning(self, text: str) -> None:
        self.said += f"({text})"

    def flush(self) -> None:
        pass


def chunk(text: str, *, spaces: bool = False, finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    value = {"id": "c-1", "model": "m", "choices": [choice], **more}
    return json.dumps(value, separators=None if spaces else (",", ":")).encode()


def learnt(text: str = "Hello", *, spaces: bool = False) -> Frame:
    frame = Frame()
    frame.learn(chunk(text, spaces=spaces), text)
    return frame


@pytest.mark.parametrize("spaces", [False, True])
@pytest.mark.parametrize("text", [" there", "x", "1,2:{}[]", " ?!'"])
def test_words_in_the_frame_of_an_earlier_chunk_are_read(text: str, spaces: bool) -> None:
    assert learnt(spaces=spaces).words(chunk(text, spaces=spaces)) == text


def test_words_beyond_ascii_are_read_as_they_are() -> None:
    assert learnt().words(chunk("x").replace(b'"x"', '" größer 世界"'.encode())) == " größer 世界"


@pytest.mark.parametrize(
    "other",
    [
        chunk(""),
        chunk('say "so"'),
        chunk("a\nb"),
        chunk("back\\slash"),
        chunk("end", finish="stop"),
        chunk("x", usage={"prompt_tokens": 1}),
        chunk("x", error={"message": "no"}),
        chunk("x").replace(b'"m"', b'"other"'),
        chunk("x").replace(b'"index":0', b'"index":1'),
        chunk("x").replace(b'"x"', b'"\xff"'),
        chunk("x").replace(b'"x"', b'"\x01"'),
        chunk("x").replace(b'"x"', b'"'),
        b"[DONE]",
        b"",
    ],
)
def test_every_other_chunk_is_left_to_the_parser(other: bytes) -> None:
    assert learnt().words(other) == ""


def test_words_that_stand_elsewhere_too_teach_nothing_wrong() -> None:
    frame = Frame()
    data = chunk("m", note="m")
    frame.learn(data, "m")
    assert frame.words(data) == "m"
    assert frame.words(chunk("m", note="n")) == ""
    twice = chunk("m", more={"content": "m"})
    frame = Frame()
    frame.learn(twice, "m")
    assert frame.words(twice) == ""


def test_a_server_without_a_frame_is_not_looked_at_for_ever() -> None:
    frame = Frame()
    looked_at = 0
    while frame.sought:
        frame.learn(chunk("x", time=looked_at), "x")
        looked_at += 1
    assert 1 < looked_at < 10


def test_a_reply_in_frames_is_the_reply_that_was_sent() -> None:
    pieces = ["One", " two", "", "\n", ' "three"', " vier €", "\\", " five", "\u0007", "."]
    sink = Sink()
    reader = OpenAIReader(sink)
    for piece in pieces:
        reader.feed(b"data: " + chunk(piece) + b"\n\n")
    assert sink.said == "".join(pieces)


@pytest.mark.parametrize(("bad", "failure"), [(b"\x01", BadJson), (b"\xff", BadUtf8)])
def test_a_broken_chunk_in_a_known_frame_still_fails(bad: bytes, failure: type[Exception]) -> None:
    reader = OpenAIReader(Sink())
    reader.feed(b"data: " + chunk("x") + b"\n\n")
    with pytest.raises(failure):
        reader.feed(b"data: " + chunk("x").replace(b'"x"', b'"' + bad + b'"') + b"\n\n")


def read(*chunks: bytes) -> bytes:
    return b"".join(b"data: %b\n\n" % each for each in chunks)


def test_the_words_of_a_read_of_several_chunks_are_joined() -> None:
    assert learnt().words_of_read(read(chunk(" a"), chunk("b"), chunk(" g"))) == " ab g"


@pytest.mark.parametrize(
    "data",
    [
        read(chunk("a"), chunk('b"')),
        read(chunk("a"), chunk("b\\")),
        read(chunk("a"), chunk("b\n")),
        read(chunk("a"), chunk("b", finish="stop")),
        read(chunk("a"), b"[DONE]"),
        read(chunk("a"), chunk("b", index=1)),
        read(chunk("a"), b"", chunk("b")),
        read(chunk("a"), chunk("b"))[:-1],
        read(chunk("a"), chunk("b"))[1:],
        read(chunk("a"), chunk("b")).replace(b"\n\n", b"\r\n\r\n"),
        read(chunk("a"))[:-2] + read(chunk("b")),
        read(chunk("a")) + b": comment\n\n" + read(chunk("b")),
        b"",
    ],
)
def test_every_other_read_is_taken_apart(data: bytes) -> None:
    assert learnt().words_of_read(data) == ""


def test_a_read_says_the_same_however_it_is_cut() -> None:
    chunks = [chunk(word) for word in ("One", " two", ' "three"', " four", " five", "\n", " six")]
    data = read(*chunks, chunk("", finish="stop"), b"[DONE]")
    for size in (*range(1, 400), len(data)):
        sink = Sink()
        reader = OpenAIReader(sink)
        for at in range(0, len(data), size):
            reader.feed(data[at : at + size])
        assert sink.said == 'One two "three" four five\n six', size


def test_a_read_in_the_frame_is_bound_as_any_other() -> None:
    reader = OpenAIReader(Sink(), line_bytes_max=200)
    reader.feed(read(chunk("Hello")))
    reader.feed(read(chunk("x"), chunk("y"), chunk("z")))  # each within the bound
    with pytest.raises(LineTooLong):
        reader.feed(read(chunk("x" * 200)))
