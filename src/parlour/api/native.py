"""Parlour's own stream: `id: <turn>:<seq>`, `event: <type>`, `data: <the event's JSON>`."""

from __future__ import annotations

import re

import msgspec

from parlour.domain import TurnId
from parlour.errors import BadRequest
from parlour.events.types import TOKEN

EVENT_ID = re.compile(r"([A-Za-z0-9_-]{1,64}):([0-9]{1,9})")
_TYPE_AT = len(b'{"type":"')  # every event's JSON begins with its type


class NativeEncoder:
    """Frames for EventSource, curl and our own clients."""

    def __init__(self, turn: str) -> None:
        self._turn = turn
        self._id = f"id: {turn}:".encode()

    def reset(self, reason: str) -> bytes:
        """Tell the reader to forget what it has of this turn; all of it follows."""
        body = msgspec.json.encode({"turn": self._turn, "reason": reason})
        return b"event: reset\ndata: %b\n\n" % body

    def encode(self, payloads: list[bytes], first: int) -> bytes:
        """One frame per event."""
        prefix = self._id
        if len(payloads) == 1 and payloads[0].startswith(TOKEN):  # nearly always
            return b"%b%d\nevent: token\ndata: %b\n\n" % (prefix, first, payloads[0])
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


def position(turn: TurnId, last_event_id: str, after: int | None) -> int:
    """After which event a reader continues; 0 = from the start.

    `Last-Event-ID` wins over `after`. An id of another turn cannot be continued here: it is
    answered by an explicit reset (position -1), never by a silent replay.
    """
    if not last_event_id:
        return after or 0
    match = EVENT_ID.fullmatch(last_event_id)
    if match is None:
        raise BadRequest("`Last-Event-ID` has to look like `<turn>:<number>`.")
    return int(match[2]) if match[1] == turn else -1
