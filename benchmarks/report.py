"""From raw rows to the report: medians, ratios, bars, and the Markdown of docs/benchmarks.md."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.figures import median

Row = dict[str, object]

STARVED = "†"
FAULTY = "‡"


def number(row: Row, key: str) -> float:
    """A figure of a row; NaN when it has none."""
    value = row.get(key)
    return float(value) if isinstance(value, int | float) else math.nan


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
    return "–" if math.isnan(value) else f"{value:,.{digits}f}"


def flags(rows: Sequence[Row]) -> str:
    """The marks of doubtful rows."""
    marks = STARVED if any(row.get("starved") for row in rows) else ""
    return marks + (FAULTY if any(row.get("errors") for row in rows) else "")


def spread(rows: Sequence[Row], key: str, digits: int = 1) -> str:
    """Median, and lowest to highest when there were several repeats."""
    values = sorted(v for row in rows if not math.isnan(v := number(row, key)))
    if not values:
        return "–"
    text = show(median(values), digits)
    if len(values) > 1:
        text += f" ({show(values[0], digits)}–{show(values[-1], digits)})"
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


# --- bars --------------------------------------------------------------------------------------


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


def _cheaper(rows: Sequence[Row]) -> float:
    """Times that Parlour is cheaper than the reference, at the same streams; the worst level."""
    found = [ratio(rows, "reference", "parlour native", streams) for streams in (20, 60)]
    return min((value for value in found if not math.isnan(value)), default=math.nan)


def _memory(rows: Sequence[Row], subject: str = "parlour native") -> float:
    fresh = [row for row in pick(rows, "token", subject, 600) if row.get("fresh")]
    return middle(fresh, "kb_per_stream")


def most_streams(rows: Sequence[Row], subject: str) -> float:
    """The highest step that passed; NaN when none was tried."""
    tried = pick(rows, "capacity", subject)
    return max((number(row, "streams") for row in tried if row["passed"]), default=math.nan)


BARS = (
    Bar(
        "CPU per token at 600 streams, against nginx",
        "≤ 1.5×",
        lambda rows: ratio(rows, "parlour native", "nginx", 600),
        _at_most(1.5),
        "×",
        2,
    ),
    Bar(
        "CPU per token, AI SDK face, against nginx",
        "≤ 1.5×",
        lambda rows: ratio(rows, "parlour ai-sdk", "nginx", 600),
        _at_most(1.5),
        "×",
        2,
    ),
    Bar(
        "Cheaper per token than the reference, same streams",
        "≥ 10×",
        _cheaper,
        _at_least(10),
        "×",
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
        figure = "–" if missing else show(value, bar.digits) + bar.unit
        lines.append([bar.what, bar.limit, figure, verdict])
    return table(["What", "Bar", "Parlour", "Verdict"], lines)


# --- the other tables ----------------------------------------------------------------------------


def token_table(rows: Sequence[Row]) -> str:
    """Microseconds per token by number of streams, with the ratios at the same number."""
    levels = sorted({int(number(row, "streams")) for row in rows if row["measure"] == "token"})
    lines: list[list[str]] = []
    for name in subjects(rows, "token"):
        cells = [name]
        for level in levels:
            here = pick(rows, "token", name, level)
            cell = spread(here, "us_per_token")
            times = ratio(rows, name, "nginx", level)
            if name != "nginx" and not math.isnan(times):
                cell += f" = {show(times, 2)}×"
            cells.append(cell)
        lines.append(cells)
    return table(["µs per token at", *(f"{level} streams" for level in levels)], lines)


def turn_table(rows: Sequence[Row]) -> str:
    """What a turn, the first token, an open stream and a start cost."""
    lines: list[list[str]] = []
    for name in subjects(rows, "turn"):
        turns = pick(rows, "turn", name)
        first = pick(rows, "first", name)
        fresh = [row for row in pick(rows, "token", name) if row.get("fresh")]
        server = name.split(" ")[0]
        base = f"{show(middle(fresh, 'base_mb'), 0)}"
        added = f"{spread(first, 'added_p50_ms')} / {spread(first, 'added_p99_ms')}"
        lines.append(
            [
                name,
                spread(turns, "us_per_turn", 0),
                spread(turns, "postgres_us_per_turn", 0) if server == "parlour" else "–",
                added,
                spread(fresh, "kb_per_stream", 0),
                base,
                spread(pick(rows, "ready", server), "ready_s"),
            ]
        )
    head = ["", "µs per turn", "Postgres µs per turn", "first token + ms p50 / p99"]
    return table([*head, "KB per stream", "idle MB", "ready s"], lines)


def capacity_table(rows: Sequence[Row]) -> str:
    """Every step of the search for the highest number of streams."""
    lines = [
        [
            str(row["subject"]),
            show(number(row, "streams"), 0),
            "pass" if row["passed"] else "fail",
            show(number(row, "gap_p50_ms"), 0),
            show(number(row, "gap_p99_ms"), 0),
            f"{number(row, 'delivered'):.1%}",
            f"{number(row, 'cpu_share'):.0%}",
            show(sum(row["errors"].values()), 0),  # type: ignore[attr-defined]
        ]
        for row in rows
        if row["measure"] == "capacity"
    ]
    head = ["", "streams", "", "gap p50 ms", "gap p99 ms", "delivered", "CPU", "errors"]
    return table(head, lines) if lines else "Not measured in this run."


def busy_note(rows: Sequence[Row]) -> str:
    """How much of the servers' core others used, in words."""
    shares = [number(row, "others_share") for row in rows if row["measure"] == "token"]
    late = [number(row, "mock_late_p99_ms") for row in rows if row["measure"] == "token"]
    if not shares:
        return ""
    return (
        f"During the windows, others used {median(shares):.0%} of the servers' core (median; "
        f"at most {max(shares):.0%}), and the mock's ticks were late by {median(late):.0f} ms "
        f"at p99 (median; at most {max(late):.0f} ms)."
    )


METHOD = """\
- **Streams**: {rate} tokens a second each, OpenAI chunks of about 320 bytes, plaintext loopback. They
  are opened over 2 to 4 s, measured for {window_s} s, and end by themselves; every reply is then compared
  with what the mock said, token by token. A different one is an error ({faulty}).
- **CPU** is user and system time of the server's processes, read from the kernel's clock of each
  process. Parlour's own Postgres is not in the Parlour figures; it has its own column.
- **Parlour** runs as shipped: signed HS256 tokens of many users, event log with ids, every turn
  stored, default limits, `info` logs. **nginx** is `proxy_pass` without buffering, one worker.
  **The reference** is FastAPI with LangChain's `create_agent` and `stream_mode="messages"`: no
  tokens checked, nothing stored, no resume.
- **Ratios** are medians of the ratios within one repeat; brackets are lowest to highest.
- {starved} marks a starved server (gap p99 above 100 ms or less than 97 % delivered): it reads several
  tokens at once, so a token looks cheaper than it is.
- **A turn** is one 1-token answer, two clients one after another, idle CPU subtracted. **First
  token** is three clients with pauses of 50 ms, less the same asked of the mock itself.
- **Memory** is the growth of resident memory from idle to all streams of the first crowd after a start
  open (for Parlour 600, each about 300 tokens long by then).
- **Highest number** climbs in steps until one fails twice; a step passes with no error, every
  reply complete and a gap p99 below 200 ms.
- **Ready** is from the command to the first good answer of the readiness check; the start that
  makes the database is not counted.
"""


def render(about: dict[str, str], rows: Sequence[Row]) -> str:
    """The whole of docs/benchmarks.md."""
    method = METHOD.format(rate=30, window_s=about["window_s"], starved=STARVED, faulty=FAULTY)
    return f"""# Benchmarks

What a token, a turn and an open stream cost, measured beside nginx as a bare pass-through (the least
that any server in this place must do) and beside a common design of chat backends. All in one
session, on one core per server. Absolute figures depend on the machine and its noise; the ratios
are what to compare.

## Bars

{bars(rows)}

## CPU per token

{token_table(rows)}

The factor is against nginx at the same number of streams.

## Turns, first token, memory, start

{turn_table(rows)}

## Highest number of streams

{capacity_table(rows)}

## How it was measured

{method}
## Machine and command

{about["processor"]}, {about["cores"]} cores, {about["memory"]} memory, {about["kernel"]}, Python
{about["python"]}; {about["cores_used"]}. {about["repeats"]} repeats, {about["date"]}.
{busy_note(rows)}

```sh
make bench    # {about["command"]}
```

`--quick` takes two minutes; `--only nginx,parlour` leaves servers out; `--help` tells the rest.
Where the microseconds go: `python -m benchmarks.hotspots`.
"""


def line(row: Row) -> str:
    """One row as a line of progress."""
    name = f"{row['measure']:9}{row['subject']:16}"
    if row["measure"] == "ready":
        return f"{name}{show(number(row, 'ready_s'))} s"
    if row["measure"] == "turn":
        return (
            f"{name}{show(number(row, 'us_per_turn'), 0)} µs, Postgres "
            f"{show(number(row, 'postgres_us_per_turn'), 0)} µs, whole p50 "
            f"{show(number(row, 'whole_p50_ms'))} ms{_errors(row)}"
        )
    if row["measure"] == "first":
        return (
            f"{name}+{show(number(row, 'added_p50_ms'))} ms p50, "
            f"+{show(number(row, 'added_p99_ms'))} ms p99{_errors(row)}"
        )
    return (
        f"{name}{row['streams']:5} streams: {show(number(row, 'us_per_token'))} µs/token, gap p99 "
        f"{show(number(row, 'gap_p99_ms'), 0)} ms, {number(row, 'delivered'):.0%} delivered, CPU "
        f"{number(row, 'cpu_share'):.0%}, others {number(row, 'others_share'):.0%}, "
        f"{show(number(row, 'kb_per_stream'), 0)} KB/stream"
        f"{' STARVED' if row.get('starved') else ''}{_errors(row)}"
    )


def _errors(row: Row) -> str:
    return f" ERRORS {row['errors']}" if row.get("errors") else ""
