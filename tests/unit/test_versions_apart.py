"""Processes of two versions at once: what one stores or says, the other can read."""

from __future__ import annotations

import msgspec
import pytest

from parlour.api.ai_sdk_frames import AiSdkEncoder
from parlour.api.openai_chunks import OpenAiEncoder
from parlour.domain import ErrorPart, NoticePart, ReasoningPart, TextPart, ToolPart
from parlour.events import types as ev
from parlour.store.parts import parts_in, stored

PARTS = (
    ReasoningPart("Hm", 1, 5),
    NoticePart("route_switched", 'B answers instead of "A".', 1),
    TextPart('A "notice" in a text', 1),
    ToolPart("c", "n", "t", {"notice": {"kind": "k", "text": "t"}}, "ok", round=1),
    ErrorPart("turn_lost", "Lost."),
)
NEWER = b'{"type":"picture","of":["a","cat"]}'


def test_what_is_stored_is_read_as_it_was() -> None:
    assert parts_in(stored(PARTS)) == PARTS


def test_a_process_that_knows_no_notices_reads_a_message_with_one() -> None:
    older = msgspec.json.Decoder(tuple[TextPart | ReasoningPart | ToolPart | ErrorPart, ...])
    read = older.decode(stored(PARTS))
    assert read == (PARTS[0], TextPart("", 1), *PARTS[2:])


def test_a_notice_that_was_stored_as_a_part_of_its_own_is_still_read() -> None:
    assert parts_in(msgspec.json.encode(PARTS).decode()) == PARTS


@pytest.mark.parametrize("newer", [NEWER, b'{"type":"text","words":["of","another","shape"]}'])
def test_a_part_of_a_newer_version_is_kept_as_it_is(newer: bytes) -> None:
    written = stored(PARTS).encode()[:-1] + b"," + newer + b"]"
    read = parts_in(written.replace(b',"of"', b', \n"of"').decode())
    assert read[:-1] == PARTS
    assert stored(read).encode() == written


def test_an_event_of_a_newer_version_is_passed_over() -> None:
    assert ev.known(NEWER) is None
    for encoder in (AiSdkEncoder(), OpenAiEncoder("t", "m", include_usage=False)):
        assert encoder.encode([NEWER], 1) == b""
    assert ev.known(ev.encode(ev.Token(text="Hi"))) == ev.Token(text="Hi")
    with pytest.raises(msgspec.ValidationError):
        ev.known(b'{"type":"token"}')
