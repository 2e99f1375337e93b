"""The measurements: each asks one question of one server and answers with a row of figures.

A row is a flat dict, kept as it is in benchmarks/results/. Costs of the server are those of its own
processes; its Postgres is counted apart (`postgres_*`).
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass

from benchmarks import load, wire
from benchmarks.figures import percentile
from benchmarks.rows import Row, number
from benchmarks.servers import Server, get
from benchmarks.system import Reading

RATE = 30  # Tokens a second of one stream: a fast hosted model.
STARVED_GAP_MS = (
    100.0  # Three periods: the server joined reads, so a token looks cheaper than it is.
)
STARVED_DELIVERED = 0.97
GAP_LIMIT_MS = 200.0
RAMP_PER_S = 75  # Streams opened a second: starting turns must not eat the core.
CROWD_RAMP_PER_S = 50  # The same above 600 streams, where the tokens alone fill most of it.
TURN_CLIENTS = 2
FIRST_CLIENTS = 3
FIRST_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class Subject:
    """A face of a server; `levels` are the numbers of streams at which a token is priced."""

    name: str
    server: str
    dialect: wire.Dialect
    levels: tuple[int, ...]


SUBJECTS = (
    Subject("nginx", "nginx", wire.UPSTREAM, (600, 100, 60, 20)),
    Subject("parlour native", "parlour", wire.NATIVE, (600, 100, 60, 20)),
    Subject("parlour ai-sdk", "parlour", wire.AI_SDK, (600, 100)),
    Subject("reference", "reference", wire.REFERENCE, (60, 20)),
)
DIRECT = Subject("direct", "mock", wire.UPSTREAM, ())


def address(server: Server, subject: Subject) -> load.Address:
    """Where the load generator finds this face."""
    return load.Address("127.0.0.1", server.port, subject.dialect)


def mock_stats(mock: Server, *, reset: bool = False) -> dict[str, int]:
    """The counters of the mock provider; empty when it does not answer."""
    status, content = get(mock.port, "/stats?reset" if reset else "/stats")
    return json.loads(content) if status == 200 else {}


async def _settled(mock: Server) -> int:
    """Wait up to 5 s until the mock streams to nobody; how many streams it still has."""
    left = 0
    for _ in range(50):
        left = mock_stats(mock).get("open", 0)
        if not left:
            break
        await asyncio.sleep(0.1)
    return left


async def token_cost(server: Server, subject: Subject, mock: Server, plan: load.Plan) -> Row:
    """CPU microseconds per token, and memory per open stream, while all streams are open."""
    readings: list[Reading] = []
    memory: list[tuple[int, int]] = [server.watched.memory_kb()]

    def on_window(begins: bool) -> None:
        readings.append(server.watched.read())
        if not begins:
            memory.append(server.watched.memory_kb())

    mock_stats(mock, reset=True)
    report = await load.streams(address(server, subject), plan, on_window)
    before, after = readings
    left = await _settled(mock)
    late_ms = mock_stats(mock).get("late_p99_ms", 0)
    cpu_s = after.server_s - before.server_s
    postgres_s = after.postgres_s - before.postgres_s
    tokens = max(1, report.tokens)
    row: Row = {
        **asdict(report),
        "measure": "token",
        "subject": subject.name,
        "us_per_token": cpu_s / tokens * 1e6,
        "postgres_us_per_token": postgres_s / tokens * 1e6,
        "tokens_per_read": tokens / max(1, report.reads),
        "cpu_share": cpu_s / report.window_s,
        "others_share": others(before, after, report.window_s),
        "kb_per_stream": (memory[1][0] - memory[0][0]) / plan.streams,
        "pss_kb_per_stream": (memory[1][1] - memory[0][1]) / plan.streams,
        "base_mb": memory[0][0] / 1024,
        "left_open": left,
        "mock_late_p99_ms": late_ms,
        "starved": starved(report),
    }
    return row


def others(before: Reading, after: Reading, seconds: float) -> float:
    """The share of the servers' core that neither the server nor its Postgres used."""
    ours = after.server_s - before.server_s + after.postgres_s - before.postgres_s
    return max(0.0, after.core_s - before.core_s - ours) / seconds


def starved(report: load.StreamReport) -> bool:
    """Whether the server could not keep up, which makes a token look cheaper than it is."""
    return report.gap_p99_ms > STARVED_GAP_MS or report.delivered < STARVED_DELIVERED


async def turn_cost(server: Server, subject: Subject, seconds: float) -> Row:
    """CPU microseconds of a turn of one token, less what the server spends when idle."""
    watched = server.watched
    idle_s = 1.5
    start = watched.read()
    await asyncio.sleep(idle_s)
    before = watched.read()
    report = await load.turns(address(server, subject), clients=TURN_CLIENTS, seconds=seconds)
    await asyncio.sleep(0.3)  # What a server does just after its answer belongs to the turn.
    after = watched.read()
    spent_s = report.seconds + 0.3
    idle = (before.server_s - start.server_s) / idle_s
    idle_postgres = (before.postgres_s - start.postgres_s) / idle_s
    count = max(1, report.turns)
    cpu_s = after.server_s - before.server_s - idle * spent_s
    postgres_s = after.postgres_s - before.postgres_s - idle_postgres * spent_s
    return {
        "measure": "turn",
        "subject": subject.name,
        "turns": report.turns,
        "us_per_turn": max(0.0, cpu_s) / count * 1e6,
        "postgres_us_per_turn": max(0.0, postgres_s) / count * 1e6,
        "idle_cpu_share": idle,
        "others_share": others(before, after, spent_s),
        "whole_p50_ms": percentile(report.whole_ms, 0.5),
        "errors": report.errors,
    }


async def first_token(server: Server, subject: Subject, mock: Server, seconds: float) -> Row:
    """Milliseconds to the first token that the server adds to the provider's own.

    Three clients with pauses; the provider alone is asked before and after, in the same way.
    """
    light = {"clients": FIRST_CLIENTS, "pause_s": FIRST_PAUSE_S}
    early = await load.turns(address(mock, DIRECT), seconds=seconds / 4, **light)  # type: ignore[arg-type]
    before = server.watched.read()
    report = await load.turns(address(server, subject), seconds=seconds, **light)  # type: ignore[arg-type]
    after = server.watched.read()
    late = await load.turns(address(mock, DIRECT), seconds=seconds / 4, **light)  # type: ignore[arg-type]
    direct = early.first_ms + late.first_ms
    return {
        "measure": "first",
        "subject": subject.name,
        "turns": report.turns,
        "direct_p50_ms": percentile(direct, 0.5),
        "direct_p99_ms": percentile(direct, 0.99),
        "first_p50_ms": percentile(report.first_ms, 0.5),
        "first_p99_ms": percentile(report.first_ms, 0.99),
        "added_p50_ms": percentile(report.first_ms, 0.5) - percentile(direct, 0.5),
        "added_p99_ms": percentile(report.first_ms, 0.99) - percentile(direct, 0.99),
        "others_share": others(before, after, report.seconds),
        "errors": report.errors,
    }


async def capacity_step(
    server: Server, subject: Subject, mock: Server, streams: int, window_s: float
) -> Row:
    """Whether the server carries `streams` streams: no error, and a gap p99 below 200 ms."""
    per_s = CROWD_RAMP_PER_S if streams > 600 else RAMP_PER_S
    plan = load.Plan(streams, RATE, max(2.0, streams / per_s), 2.0, window_s)
    row = await token_cost(server, subject, mock, plan)
    steady = number(row, "gap_p99_ms") < GAP_LIMIT_MS
    steady = steady and number(row, "delivered") >= STARVED_DELIVERED
    passed = steady and not row["errors"] and row["complete"] == streams
    return row | {"measure": "capacity", "passed": passed}
