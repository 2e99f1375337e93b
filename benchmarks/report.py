"""From raw rows to the report: medians, ratios, bars, and the Markdown of docs/benchmarks.md."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmarks.bars import bars
from benchmarks.figures import median
from benchmarks.rows import (
    BUSY,
    DASH,
    FAULTY,
    STARVED,
    TIMES,
    Row,
    middle,
    number,
    pick,
    ratio,
    show,
    spread,
    subjects,
    table,
)


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
                cell += f" = {show(times, 2)}{TIMES}"
            cells.append(cell)
        lines.append(cells)
    return table(["μs per token at", *(f"{level} streams" for level in levels)], lines)


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
                spread(turns, "postgres_us_per_turn", 0) if server == "parlour" else DASH,
                added,
                spread(fresh, "kb_per_stream", 0),
                base,
                spread(pick(rows, "ready", server), "ready_s"),
            ]
        )
    head = ["", "μs per turn", "Postgres μs per turn", "first token + ms p50 / p99"]
    return table([*head, "KB per stream", "idle MB", "ready s"], lines)


def capacity_table(rows: Sequence[Row]) -> str:
    """Every step of the search for the highest number of streams."""
    lines = [
        [
            str(row["subject"]),
            show(number(row, "streams"), 0),
            "pass" if row["passed"] else "fail",
            show(number(row, "us_per_token")),
            show(number(row, "tokens_per_read")),
            show(number(row, "gap_p50_ms"), 0),
            show(number(row, "gap_p99_ms"), 0),
            f"{number(row, 'delivered'):.1%}",
            f"{number(row, 'cpu_share'):.0%}",
            show(sum(row["errors"].values()), 0),  # type: ignore[attr-defined]
        ]
        for row in rows
        if row["measure"] == "capacity"
    ]
    head = [
        "",
        "streams",
        "",
        "μs per token",
        "tokens per read",
        "gap p50 ms",
        "gap p99 ms",
        "delivered",
        "CPU",
        "errors",
    ]
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
- **Streams**: 30 tokens a second each, words of ordinary prose without links, in OpenAI chunks of
  about 320 bytes, plaintext loopback. They are opened over 2 to 8 s, measured for {window_s} s, and
  end by themselves; every reply is then compared with what the mock said, token by token. A
  different one is an error ({faulty}).
- **CPU** is user and system time of the server's processes, read from the kernel's clock of each
  process. Parlour's own Postgres runs on the same core, but is not in the Parlour figures; it has
  its own column.
- **Parlour** runs as shipped: signed HS256 tokens of many users, event log with ids, every turn
  stored, limits counted and never reached, `info` logs. **nginx** is `proxy_pass` without
  buffering, one worker. **The reference** is FastAPI with LangChain's `create_agent` and
  `stream_mode="messages"`: no tokens checked, nothing stored, no resume.
- **Joined tokens**: from 8 streams on Parlour reads and sends on a beat of 60 ms (`models.beat_s`),
  (it grows from a fifth of a core on, to 100 at a third), so a reader gets one to four tokens at
  a time; nginx and the reference pass each token at once. That is most of the difference to
  nginx.
  `--parlour-env PARLOUR_MODELS__BEAT_S=0` measures it without.
- **Cheaper than the reference** is told at three equal numbers of streams and with each at a
  load of its own (the reference at the most streams it carried, Parlour at 600). Each has to be
  10 times. At 20 and 60 streams most of a token is waking up, and its figures differ by a fifth
  within one session.
- **Ratios** are medians of the ratios within one repeat; brackets are lowest to highest.
- {starved} marks a starved server (gap p99 above 100 ms or less than 97 % delivered): it reads
  several tokens at once, so a token looks cheaper than it is. Parlour's longer
  beats alone bring gaps near that. {busy} marks a core of which others
  used more than 30 % in a window (after one more try): a token looks dearer than it is, most of
  all at few streams.
- **A turn** is one 1-token answer, two clients one after another, idle CPU subtracted. **First
  token** is three clients with pauses of 25 to 75 ms, less the same asked of the mock itself.
- **Memory** is the growth of resident memory from idle to all streams of the first crowd after a
  start (nginx and Parlour: the most streams of the table; the reference: 60), about 10 s into
  their answers.
- **Highest number** climbs in steps until one fails twice; a step passes with no error, every
  reply complete, 97 % delivered and a gap p99 below 200 ms. Above 600, 50 streams are opened a
  second.
- **Ready** is from the command to the first good answer of the readiness check; the start that
  makes the database is not counted.
"""


def render(about: dict[str, str], rows: Sequence[Row]) -> str:
    """The whole of docs/benchmarks.md."""
    method = METHOD.format(window_s=about["window_s"], starved=STARVED, faulty=FAULTY, busy=BUSY)
    return f"""# Benchmarks

What a token, a turn and an open stream cost, measured beside nginx as a bare pass-through (the
least that any server in this place must do) and beside a common design of chat backends. All in one
session, all servers on the same core. Absolute figures depend on the machine and its noise; the
ratios are what to compare.

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
            f"{name}{show(number(row, 'us_per_turn'), 0)} μs, Postgres "
            f"{show(number(row, 'postgres_us_per_turn'), 0)} μs, whole p50 "
            f"{show(number(row, 'whole_p50_ms'))} ms{_errors(row)}"
        )
    if row["measure"] == "first":
        return (
            f"{name}+{show(number(row, 'added_p50_ms'))} ms p50, "
            f"+{show(number(row, 'added_p99_ms'))} ms p99{_errors(row)}"
        )
    return (
        f"{name}{row['streams']:5} streams: {show(number(row, 'us_per_token'))} μs/token, gap p99 "
        f"{show(number(row, 'gap_p99_ms'), 0)} ms, {number(row, 'delivered'):.0%} delivered, CPU "
        f"{number(row, 'cpu_share'):.0%}, others {number(row, 'others_share'):.0%}, "
        f"{show(number(row, 'kb_per_stream'), 0)} KB/stream"
        f"{' STARVED' if row.get('starved') else ''}{_errors(row)}"
    )


def _errors(row: Row) -> str:
    return f" ERRORS {row['errors']}" if row.get("errors") else ""
