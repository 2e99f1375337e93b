"""Parlour's own frames and the positions in them."""

from __future__ import annotations

import pytest

from parlour.api.native import NativeEncoder, position
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


@pytest.mark.parametrize(
    ("last_event_id", "after", "expected"),
    [("", None, 0), ("", 4, 4), ("t_1:9", 4, 9), ("t_2:9", None, -1)],
)
def test_where_a_reader_continues(last_event_id: str, after: int | None, expected: int):
    assert position(T, last_event_id, after) == expected


@pytest.mark.parametrize("garbage", ["x", "t_1:", ":3", "t_1:3:4", "t_1:-1", "t_1:99999999999"])
def test_garbage_is_refused_in_a_sentence(garbage: str):
    with pytest.raises(BadRequest, match="<turn>:<number>"):
        position(T, garbage, None)
