"""The events of a turn as they are stored: zlib over their JSON, one a line."""

from __future__ import annotations

import zlib

from parlour.events.types import RESTART, TOKEN, Restart, decode

_WORDS = (TOKEN, b'{"type":"reasoning",')  # how events that are words begin


def pack_events(payloads: list[bytes], *, withdrawn: int) -> bytes:
    """Without the words of the first `withdrawn` events; the events stay, so the numbers do."""
    for place in range(withdrawn):
        if payloads[place].startswith(_WORDS):
            payloads[place] = payloads[place][: payloads[place].index(b'"text":') + 7] + b'""}'
    return zlib.compress(b"\n".join(payloads), 1)


def unpack_events(packed: bytes) -> list[bytes]:
    """The inverse."""
    return zlib.decompress(packed).split(b"\n")


def restarts_in(payloads: list[bytes]) -> list[int]:
    """The rounds that began anew."""
    found = [decode(payload) for payload in payloads if payload.startswith(RESTART)]
    return [event.round for event in found if isinstance(event, Restart)]
