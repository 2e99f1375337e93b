"""How a download is told on a terminal: one line that is written over, or a line a tenth."""

from __future__ import annotations

import time
from typing import TextIO

from parlour.models.weights import Progress, Report

_REDRAW_S = 0.1  # quick enough to look alive, slow enough for a terminal over a slow line


def terminal_report(out: TextIO) -> Report:
    """A `report` for `weights.fetch` that writes to `out`."""
    interactive = out.isatty()
    last_tenth = -1
    drawn_at = 0.0
    open_line = False

    def report(progress: Progress) -> None:
        nonlocal last_tenth, drawn_at, open_line
        line = _line(progress)
        if progress.note:
            out.write(f"{chr(10) if open_line else ''}{line}\n")
            open_line = False
        elif interactive:
            whole = progress.done >= progress.total
            if time.monotonic() - drawn_at < _REDRAW_S and not whole:
                return
            drawn_at = time.monotonic()
            out.write(f"\r\x1b[K{line}")
            open_line = True
        elif (tenth := progress.done * 10 // progress.total) != last_tenth:
            last_tenth = tenth
            out.write(line + "\n")
        out.flush()

    return report


def _line(progress: Progress) -> str:
    share = 100 * progress.done // progress.total
    line = (
        f"model {progress.name}: {progress.done / 1e6:,.0f} of {progress.total / 1e6:,.0f} MB"
        f" ({share} %)"
    )
    return f"{line}, {progress.note}" if progress.note else line
