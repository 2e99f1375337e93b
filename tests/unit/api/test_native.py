"""Parlour's own frames and the positions in them."""

from __future__ import annotations

import pytest

from parlour.api.native import NativeEncoder, position
from parlour.chat.reading import Position
from parlour.domain import TurnId
from parlour.errors import BadRequest
from parlour.events import types as ev

T = TurnId("t_1")


def test_a_frame_has_id_type_and_the_event_itself():
    body = NativeEncoder("t_1").encode([ev.encode(ev.Token(text="a\n\nb")), b'{"type":"x"}'], 7)
    assert body == (
        b'id: t_1:7\nevent: token\ndata: {"type":"token","text":"a\\n\\nb"}\n\n'
        b'id: t_1:8\nevent: x\ndata: {"type":"x"}\n\n'
    )


def test_ids_name_the_takeover_from_its_restart_on_until_all_is_read_again():
    said = [
        ev.encode(event)
        for event in (
            ev.Token(text="a"),
            ev.Restart(round=1, reason="r", takeover=2),
            ev.Token(text="a"),
            ev.Restart(round=1, reason="r", takeover=3),
        )
    ]
    encoder = NativeEncoder("t_1")
    ids = [line for line in encoder.encode(said, 5).split(b"\n") if line.startswith(b"id: ")]
    assert ids == [b"id: t_1:5", b"id: t_1.2:6", b"id: t_1.2:7", b"id: t_1.3:8"]
    assert encoder.encode(said[:1], 9).startswith(b"id: t_1.3:9\n")
    encoder.reset("unknown_position")
    assert encoder.encode(said[:1], 1).startswith(b"id: t_1:1\n")
    assert NativeEncoder("t_1", takeover=2).encode(said[:1], 7).startswith(b"id: t_1.2:7\n")


@pytest.mark.parametrize(
    ("last_event_id", "after", "expected"),
    [
        ("", None, Position(0)),
        ("", 4, Position(4)),
        ("t_1:9", 4, Position(9, 0)),
        ("t_1.3:9", None, Position(9, 3)),
        ("t_2:9", None, Position(-1)),
    ],
)
def test_where_a_reader_continues(last_event_id: str, after: int | None, expected: Position):
    assert position(T, last_event_id, after) == expected


@pytest.mark.parametrize(
    "garbage", ["x", "t_1:", ":3", "t_1.:3", "t_1.x:3", "t_1:3:4", "t_1:-1", "t_1:99999999999"]
)
def test_garbage_is_refused_in_a_sentence(garbage: str):
    with pytest.raises(BadRequest, match="<turn>:<number>"):
        position(T, garbage, None)
