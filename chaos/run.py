"""Runs of the storm: `python -m chaos --seeds 1-20 --seconds 30`, and `--bugs` for the test of it.

One line a run; the table goes to docs/chaos.md with `--write`. Exit status 1 when a promise broke,
or when a seeded bug was not found.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.rows import dict_row

from chaos.bugs import BUGS, FOUND_BY
from chaos.check import Violation, check, failed, stops, waits
from chaos.clients import Client
from chaos.house import LEASE_S, Stormed, house, postgres
from chaos.nemesis import BROKEN_REPLIES, Nemesis, plan
from chaos.report import put
from chaos.seen import Evidence

SETTLE_S = 45.0  # for turns to end after the storm
CLIENTS = 12
LAG_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class Result:
    """One run."""

    seed: int
    bug: str
    evidence: Evidence
    violations: list[Violation]
    took_s: float

    @property
    def as_it_should_be(self) -> bool:
        """No promise broke; or, where a mistake was seeded, the check that is for it found it."""
        found = {violation.invariant for violation in self.violations}
        return FOUND_BY[self.bug] in found if self.bug else not found

    def line(self) -> str:
        """What is printed of it."""
        e = self.evidence
        acked = sum(bool(message.acked) for message in e.messages)
        stored = Counter(m.stored["status"] for m in e.messages if m.stored)
        ends = ", ".join(f"{count} {status}" for status, count in sorted(stored.items()))
        broken = Counter(violation.invariant for violation in self.violations)
        verdict = "; ".join(f"{n} x {name}" for name, n in broken.items()) or "0 violations"
        return (
            f"seed {self.seed}{f' {self.bug}' if self.bug else ''}: {acked} messages ({ends}), "
            f"{e.kills} kills, {len(e.nemesis)} faults, {self.took_s:.0f} s, "
            f"lag {1_000 * e.lag_s:.0f} ms: {verdict}"
        )


async def run(
    server: str,
    seed: int,
    seconds: float,
    bug: str = "",
    *,
    rolling: bool = False,
    wrong_clocks: bool = False,
) -> Result:
    """One storm, or a rolling restart in fair weather; then peace, then the checks."""
    began = time.monotonic()
    evidence = Evidence(seed)
    folder = Path(tempfile.mkdtemp(prefix="parlour-chaos-"))
    try:
        async with (
            house(server, folder, seed=seed, bug=bug, wrong_clocks=wrong_clocks) as it,
            _watched(evidence),
        ):
            evidence.generations = it.provider.generations
            clients = [Client(number, evidence, it.addresses) for number in range(CLIENTS)]
            try:
                until = time.monotonic() + seconds
                nemesis = Nemesis(it, evidence)
                acts = [*([BROKEN_REPLIES] if bug else []), *plan(seed, seconds)]
                around = nemesis.roll() if rolling else nemesis.rage(acts)
                async with asyncio.timeout(seconds + SETTLE_S + 90):
                    await asyncio.gather(around, *(client.talk(until) for client in clients))
                await _settled(it)
                for client in clients:
                    for message in evidence.messages:
                        if message.user == client.user:
                            await client.look(message)
                evidence.booked = await _booked(it)
                evidence.logs = {p.name: bytes(p.log) for p in (*it.webs, it.worker)}
            finally:
                await asyncio.gather(*(client.close() for client in clients))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found = [*check(evidence), *(failed(evidence) if rolling else [])]
    return Result(seed, bug, evidence, found, time.monotonic() - began)


@contextlib.asynccontextmanager
async def _watched(evidence: Evidence) -> AsyncIterator[None]:
    """Note how busy the machine is: a storm on a starved one says less of Parlour."""

    async def watch() -> None:
        while True:
            at = time.monotonic()
            await asyncio.sleep(LAG_EVERY_S)
            evidence.lag_s = max(evidence.lag_s, time.monotonic() - at - LAG_EVERY_S)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()


async def _settled(it: Stormed) -> None:
    """Wait until no turn runs, or the time for that is over."""
    until = time.monotonic() + SETTLE_S
    async with await psycopg.AsyncConnection.connect(it.database_url, autocommit=True) as database:
        while time.monotonic() < until:
            cursor = await database.execute("SELECT count(*) FROM turns WHERE status = 'running'")
            row = await cursor.fetchone()
            if row is not None and row[0] == 0:
                return
            await asyncio.sleep(LEASE_S / 5)


async def _booked(it: Stormed) -> dict[str, dict[str, object]]:
    """What the ledger has for each turn."""
    async with await psycopg.AsyncConnection.connect(it.database_url, autocommit=True) as database:
        database.row_factory = dict_row  # type: ignore[assignment]
        cursor = await database.execute(
            "SELECT turn, sum(output) AS output, bool_or(estimated) AS estimated"
            " FROM model_calls WHERE turn IS NOT NULL AND purpose = 'answer' GROUP BY turn"
        )
        return {str(row["turn"]): row for row in await cursor.fetchall()}  # type: ignore[call-overload, misc]


async def session(options: argparse.Namespace) -> int:
    """All runs; 0 when every promise held, and every seeded bug was found."""
    failed = False
    results: list[Result] = []
    async with postgres() as server:
        for seed in options.seeds:
            for bug in sorted(BUGS) if options.bugs else [""]:
                result = await run(
                    server,
                    seed,
                    options.seconds,
                    bug,
                    rolling=options.rolling,
                    wrong_clocks=options.wrong_clocks,
                )
                results.append(result)
                print(result.line(), flush=True)
                for violation in result.violations[: options.show]:
                    print(f"  {violation.invariant}: {violation.what}", flush=True)
                if result.violations and options.keep:
                    _keep(options.keep, result)
                failed |= not result.as_it_should_be
    kind = "bugs" if options.bugs else "rolling" if options.rolling else "storms"
    kind = "clocks" if options.wrong_clocks else kind
    lines = _bugs(results) if options.bugs else _storms(results, options.seconds)
    if options.write:
        put(kind, lines)
    elif len(results) > 1:
        print("\n".join(lines))
    return int(failed)


def _keep(folder: Path, result: Result) -> None:
    """Write down what the processes of a run had logged, and what was done to them."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"seed{result.seed}{result.bug}"
    for process, log in result.evidence.logs.items():
        (folder / f"{name}-{process}.log").write_bytes(log)
    evidence = result.evidence
    said = [*evidence.nemesis, "", *(f"{v.invariant}: {v.what}" for v in result.violations), ""]
    said += [
        f"{message.key}: {message.acked[0].turn if message.acked else 'no turn'}, read up to "
        f"{reader.last_id or 'nothing'} ({reader.resets} resets) {reader.gave_up}".rstrip()
        for message in evidence.messages
        for reader in message.readers
    ]
    (folder / f"{name}.txt").write_text("\n".join(said), encoding="utf-8")


def _storms(results: list[Result], seconds: float) -> list[str]:
    """The table of a session, and how soon upstream fell silent after stops."""
    rows = [
        f"| {r.seed} | {sum(bool(m.acked) for m in r.evidence.messages)} | {r.evidence.kills} "
        f"| {len(r.evidence.nemesis)} | {len(r.evidence.generations)} | {len(r.violations)} |"
        for r in results
    ]
    ends = Counter(m.stored["status"] for r in results for m in r.evidence.messages if m.stored)
    late = _spread([late_s for r in results for late_s, _ in stops(r.evidence)])
    waited = _spread([wait_s for r in results for wait_s in waits(r.evidence)])
    return [
        f"{len(results)} runs of {seconds:g} seconds with {CLIENTS} people each, "
        f"{sum(r.took_s for r in results) / 60:.0f} minutes in all: "
        f"**{sum(len(r.violations) for r in results)} violations**.",
        "",
        "| seed | messages acknowledged | kills | faults | replies upstream | violations |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
        *rows,
        "",
        f"How turns ended: {', '.join(f'{n:,} {end}' for end, n in ends.most_common())}.",
        f"{sum(len(stops(r.evidence)) for r in results)} stops: upstream's last word came {late}",
        "after the acknowledgement.",
        f"From the first time that it was asked for, a stop was acknowledged after {waited}:",
        "lines that are cut and processes that are gone are in these.",
    ]


def _spread(seconds: list[float]) -> str:
    """Median, p99 and the most of some times."""
    times = sorted(seconds) or [0.0]
    at = [1_000 * times[int(share * (len(times) - 1))] for share in (0.5, 0.99, 1.0)]
    return f"{at[0]:.0f} ms (median), {at[1]:.0f} ms (p99), {at[2]:.0f} ms (most)"


def _bugs(results: list[Result]) -> list[str]:
    """Which seeded mistake was found by which checks."""
    rows = [
        f"| `{r.bug}` | {r.seed} | {FOUND_BY[r.bug] if r.as_it_should_be else 'not found'} |"
        for r in results
    ]
    return ["| mistake | seed | found by the check |", "| --- | ---: | --- |", *rows]


def _seeds(text: str) -> list[int]:
    """`3`, `1-20`, `1,5,9`."""
    seeds: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        seeds += range(int(first), int(last or first) + 1)
    return seeds


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--seeds", type=_seeds, default=_seeds("1-3"), help="1-20 or 1,5,9")
    parser.add_argument("--seconds", type=float, default=20.0, help="of storm in each run")
    parser.add_argument("--bugs", action="store_true", help="run every seeded bug instead")
    parser.add_argument("--rolling", action="store_true", help="restart one by one, no storm")
    parser.add_argument(
        "--wrong-clocks", action="store_true", help="one process an hour ahead, one behind"
    )
    parser.add_argument("--show", type=int, default=5, help="violations to print of each run")
    parser.add_argument("--keep", type=Path, help="folder for the logs of runs with violations")
    parser.add_argument("--write", action="store_true", help="write docs/chaos.md")
    return asyncio.run(session(parser.parse_args()))
