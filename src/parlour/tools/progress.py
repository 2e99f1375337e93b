"""How far a tool is, as its server says: cleaned, and not more often than people can read."""

from __future__ import annotations

import time
from collections.abc import Callable

from mcp.shared.dispatcher import ProgressFnT

from parlour.tools.text import clean_line

BURST = 10  # reports that are passed on at once
EVERY_S = 0.25  # after them one in so long; a server may report thousands
WORDS_MAX = 200

Progress = Callable[[float, float, str], None]  # done, total (0 = not known), words


def throttled(on_progress: Progress) -> ProgressFnT:
    """For the SDK: passes on what is worth showing, and the last step always."""
    left = float(BURST)
    heard_at = time.monotonic()

    async def heard(progress: float, total: float | None, message: str | None) -> None:
        nonlocal left, heard_at
        now = time.monotonic()
        left = min(float(BURST), left + (now - heard_at) / EVERY_S)
        heard_at = now
        last = total is not None and progress >= total
        if left >= 1 or (last and left > -1):
            left -= 1
            on_progress(progress, total or 0.0, clean_line(message or "", WORDS_MAX))

    return heard
