"""The promises about cost, and whether the rows of a run keep them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.rows import DASH, TIMES, Row, middle, number, pick, ratio, show, table


@dataclass(frozen=True)
class Bar:
    """A promise: what, how much, and how to find the figure among the rows."""

    what: str
    limit: str
    value: Callable[[Sequence[Row]], float]
    holds: Callable[[float], bool]
    unit: str = ""
    digits: int = 1


def _at_most(limit: float) -> Callable[[float], bool]:
    return lambda value: value <= limit


def _at_least(limit: float) -> Callable[[float], bool]:
    return lambda value: value >= limit


def _of(measure: str, subject: str, key: str) -> Callable[[Sequence[Row]], float]:
    return lambda rows: middle(pick(rows, measure, subject), key)


def _cheaper(streams: int) -> Callable[[Sequence[Row]], float]:
    """Times that a token of Parlour is cheaper than one of the reference at the same streams."""
    return lambda rows: ratio(rows, "reference", "parlour native", streams)


def _cheaper_at_100(rows: Sequence[Row]) -> float:
    """The same at 100 streams, which the reference is tried with but does not carry: that makes a
    token of it cheaper than it is."""
    tried = [row for row in pick(rows, "capacity", "reference") if number(row, "streams") == 100]
    ours = pick(rows, "token", "parlour native", 100)
    return middle(tried, "us_per_token") / middle(ours, "us_per_token")


def _cheaper_at_own_load(rows: Sequence[Row]) -> float:
    """The same with each at a load of its own: the reference at the most streams that it carried,
    where a token of it costs least, Parlour at 600."""
    passed = [row for row in pick(rows, "capacity", "reference") if row["passed"]]
    if not passed:
        return math.nan
    most = max(number(row, "streams") for row in passed)
    full = [row for row in passed if number(row, "streams") == most]
    ours = pick(rows, "token", "parlour native", 600)
    return middle(full, "us_per_token") / middle(ours, "us_per_token")


def _memory(rows: Sequence[Row], subject: str = "parlour native") -> float:
    fresh = [row for row in pick(rows, "token", subject, 600) if row.get("fresh")]
    return middle(fresh, "kb_per_stream")


def most_streams(rows: Sequence[Row], subject: str) -> float:
    """The highest step that passed, 0 when none did; NaN when none was tried."""
    tried = pick(rows, "capacity", subject)
    passed = [number(row, "streams") for row in tried if row["passed"]]
    return max(passed, default=0.0) if tried else math.nan


BARS = (
    Bar(
        "CPU per token at 600 streams, against nginx",
        "≤ 1.5" + TIMES,
        lambda rows: ratio(rows, "parlour native", "nginx", 600),
        _at_most(1.5),
        TIMES,
        2,
    ),
    Bar(
        "CPU per token, AI SDK face, against nginx",
        "≤ 1.5" + TIMES,
        lambda rows: ratio(rows, "parlour ai-sdk", "nginx", 600),
        _at_most(1.5),
        TIMES,
        2,
    ),
    *(
        Bar(
            f"Cheaper per token than the reference, {where}",
            "≥ 10" + TIMES,
            cheaper,
            _at_least(10),
            TIMES,
        )
        for where, cheaper in (
            ("both at 20 streams", _cheaper(20)),
            ("both at 60 streams", _cheaper(60)),
            ("both at 100 streams, too many for it", _cheaper_at_100),
            ("the reference at its most, Parlour at 600", _cheaper_at_own_load),
        )
    ),
    Bar(
        "CPU per turn",
        "≤ 4 ms",
        lambda rows: _of("turn", "parlour native", "us_per_turn")(rows) / 1000,
        _at_most(4),
        " ms",
        2,
    ),
    Bar(
        "Added time to first token, p50",
        "≤ 5 ms",
        _of("first", "parlour native", "added_p50_ms"),
        _at_most(5),
        " ms",
    ),
    Bar(
        "Added time to first token, p99",
        "≤ 25 ms",
        _of("first", "parlour native", "added_p99_ms"),
        _at_most(25),
        " ms",
    ),
    Bar(
        "Streams on one core, 0 errors, gap p99 < 200 ms",
        "≥ 1,500",
        lambda rows: most_streams(rows, "parlour native"),
        _at_least(1500),
        "",
        0,
    ),
    Bar("Memory per open stream", "≤ 100 KB", _memory, _at_most(100), " KB", 0),
    Bar(
        "From command to ready, second start",
        "< 5 s",
        _of("ready", "parlour", "ready_s"),
        lambda value: value < 5,
        " s",
    ),
)


def bars(rows: Sequence[Row]) -> str:
    """The table of promises: figure and verdict."""
    lines: list[list[str]] = []
    for bar in BARS:
        value = bar.value(rows)
        missing = math.isnan(value)
        verdict = "not measured" if missing else "met" if bar.holds(value) else "**missed**"
        figure = DASH if missing else show(value, bar.digits) + bar.unit
        lines.append([bar.what, bar.limit, figure, verdict])
    return table(["What", "Bar", "Parlour", "Verdict"], lines)
