"""Raw rows of a benchmark: picking them, their medians and ratios, and how figures are shown."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.figures import median

Row = dict[str, object]

DASH = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"

STARVED = "†"
FAULTY = "‡"
BUSY = "*"
BUSY_SHARE = 0.3  # Of the servers' core, used by others: caches are cold and a token looks dearer.


def number(row: Row, key: str) -> float:
    """A figure of a row; NaN when it has none."""
    value = row.get(key)
    return float(value) if isinstance(value, int | float) else math.nan


def busy(row: Row) -> bool:
    """Whether others used so much of the servers' core that the figure is doubtful."""
    return number(row, "others_share") > BUSY_SHARE


def pick(rows: Sequence[Row], measure: str, subject: str, streams: int | None = None) -> list[Row]:
    """The rows of one measurement of one face, at one level when given."""
    return [
        row
        for row in rows
        if row["measure"] == measure
        and row["subject"] == subject
        and (streams is None or row.get("streams") == streams)
    ]


def middle(rows: Sequence[Row], key: str) -> float:
    """The median of a figure over the repeats."""
    return median([v for row in rows if not math.isnan(v := number(row, key))])


def ratio(rows: Sequence[Row], upper: str, lower: str, streams: int) -> float:
    """How much dearer a token of `upper` is than one of `lower`: median of the repeats' ratios.

    Figures of one repeat are set against each other, because they were taken minutes apart at most.
    """
    below = {
        row.get("repeat"): number(row, "us_per_token")
        for row in pick(rows, "token", lower, streams)
    }
    found = [
        number(row, "us_per_token") / below[row.get("repeat")]
        for row in pick(rows, "token", upper, streams)
        if below.get(row.get("repeat"))
    ]
    return median(found)


def show(value: float, digits: int = 1) -> str:
    """A figure for people; a dash when it was not measured."""
    return DASH if math.isnan(value) else f"{value:,.{digits}f}"


def flags(rows: Sequence[Row]) -> str:
    """The marks of doubtful rows."""
    marks = STARVED if any(row.get("starved") for row in rows) else ""
    if any(row.get("errors") for row in rows):
        marks += FAULTY
    if any(busy(row) for row in rows):
        marks += BUSY
    return marks


def spread(rows: Sequence[Row], key: str, digits: int = 1) -> str:
    """Median, and lowest to highest when there were several repeats."""
    values = sorted(v for row in rows if not math.isnan(v := number(row, key)))
    if not values:
        return DASH
    text = show(median(values), digits)
    if len(values) > 1:
        text += f" ({show(values[0], digits)}{DASH}{show(values[-1], digits)})"
    return text + flags(rows)


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are figures."""
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *lines))


def subjects(rows: Sequence[Row], measure: str) -> list[str]:
    """The faces that were measured so, in the order of the product's own list."""
    known = ["nginx", "parlour", "parlour native", "parlour ai-sdk", "reference"]
    seen = {str(row["subject"]) for row in rows if row["measure"] == measure}
    return [name for name in known if name in seen] + sorted(seen - set(known))
