"""The bounds of one model call, as plain values; apart from the wire, so that naming them costs no
HTTP client."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WireLimits:
    """Seconds and bytes of one call; the defaults are those of the settings `models.*`."""

    connect_s: float = 10
    first_byte_s: float = 30  # from the call to the first byte of the body, connecting included
    idle_s: float = 30  # of silence within a reply; comments count as sound
    total_s: float = 600
    beat_s: float = 0.06  # of reads that are joined (gather.py); 0 = none is
    line_bytes_max: int = 1_000_000  # one event of the stream
    # A million tokens with their JSON around them; a server that never ends is ended here.
    reply_bytes_max: int = 256_000_000
