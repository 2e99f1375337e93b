"""Parlour's own stream: `id: <turn>:<seq>`, `event: <type>`, `data: <the event's JSON>`.

What was said after a process took the turn over has `<turn>.<takeover>:<seq>`. A former owner may
have said more to its own readers than the one that goes on knows of; the id tells the two apart.
"""

from __future__ import annotations

import re

import msgspec

from parlour.chat.reading import Position
from parlour.domain import TurnId
from parlour.errors import BadRequest
from parlour.events.types import RESTART, TOKEN, Restart, decode

EVENT_ID = re.compile(r"([A-Za-z0-9_-]{1,64})(?:\.([0-9]{1,9}))?:([0-9]{1,9})")
_TYPE_AT = len(b'{"type":"')  # every event's JSON begins with its type


class NativeEncoder:
    """Frames for EventSource, curl and our own clients."""

    def __init__(self, turn: str, *, takeover: int = 0) -> None:
        """`takeover`: under which one the reader's last event was said."""
        self._turn = turn
        self._id = _id(turn, takeover)

    def reset(self, reason: str) -> bytes:
        """Tell the reader to forget what it has of this turn; all of it follows."""
        self._id = _id(self._turn, 0)
        body = msgspec.json.encode({"turn": self._turn, "reason": reason})
        return b"event: reset\ndata: %b\n\n" % body

    def encode(self, payloads: list[bytes], first: int) -> bytes:
        """One frame per event."""
        if len(payloads) == 1 and payloads[0].startswith(TOKEN):  # nearly always
            return b"%b%d\nevent: token\ndata: %b\n\n" % (self._id, first, payloads[0])
        for place, payload in enumerate(payloads):
            if payload.startswith(RESTART):
                return self._encode_restart(payloads, first, place)
        return self._frames(payloads, first)

    def _encode_restart(self, payloads: list[bytes], first: int, place: int) -> bytes:
        """The restart at that place has the id of what follows."""
        before = self._frames(payloads[:place], first)
        restart = decode(payloads[place])
        assert isinstance(restart, Restart)  # noqa: S101  # by how it begins
        self._id = _id(self._turn, restart.takeover)
        itself = self._frames(payloads[place : place + 1], first + place)
        return before + itself + self.encode(payloads[place + 1 :], first + place + 1)

    def _frames(self, payloads: list[bytes], first: int) -> bytes:
        prefix = self._id
        return b"".join(
            [
                b"%b%d\nevent: %b\ndata: %b\n\n"
                % (prefix, seq, payload[_TYPE_AT : payload.index(b'"', _TYPE_AT)], payload)
                for seq, payload in enumerate(payloads, first)
            ]
        )

    def end(self) -> bytes:
        """Nothing: `finalize` says it."""
        return b""

    def reconnect(self) -> bytes:
        """EventSource reconnects by itself after `retry` and continues from its last id."""
        return b'retry: 500\nevent: reconnect\ndata: {"turn":"%b"}\n\n' % self._turn.encode()


def position(turn: TurnId, last_event_id: str, after: int | None) -> Position:
    """After which event a reader continues; 0 = from the start.

    `Last-Event-ID` wins over `after`. An id of another turn cannot be continued here: it is
    answered by an explicit reset (position -1), never by a silent replay.
    """
    if not last_event_id:
        return Position(after or 0)
    match = EVENT_ID.fullmatch(last_event_id)
    if match is None:
        raise BadRequest("`Last-Event-ID` has to look like `<turn>:<number>`, as it was sent.")
    if match[1] != turn:
        return Position(-1)
    return Position(int(match[3]), int(match[2] or 0))


def _id(turn: str, takeover: int) -> bytes:
    return f"id: {turn}.{takeover}:".encode() if takeover else f"id: {turn}:".encode()
