"""`make bench`: measure nginx, Parlour and a common reference design in one session.

The servers run on one core, the mock provider and the load on another, one face after the other at
each level, so that the ratios hold even when the machine is busy. Raw figures go to
benchmarks/results/, the report to docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from benchmarks import load, measure, report, servers, system
from benchmarks.measure import Subject
from benchmarks.rows import Row, busy, number

RESULTS = servers.ROOT / "benchmarks" / "results"
DOCUMENT = servers.ROOT / "docs" / "benchmarks.md"


@dataclass(frozen=True)
class Effort:
    """How long and how often to measure; seconds."""

    repeats: int
    levels: tuple[int, ...]
    window_s: float
    turn_s: float
    first_s: float
    retries: int  # how often a figure is taken again when others used the servers' core
    capacity: dict[str, tuple[int, ...]]

    def plan(self, streams: int) -> load.Plan:
        """How the streams of one level are opened."""
        ramp_s = max(2.0, streams / measure.RAMP_PER_S)
        return load.Plan(streams, measure.RATE, ramp_s, 1.0, self.window_s)


STEPS = (600, 1000, 1500, 2000)
FULL = Effort(
    repeats=3,
    levels=(600, 100, 60, 20),
    window_s=6.0,
    turn_s=5.0,
    first_s=8.0,
    retries=1,
    capacity={"nginx": STEPS, "parlour native": STEPS, "reference": (40, 60, 100, 150)},
)
MEMORY = ("kb_per_stream", "pss_kb_per_stream", "base_mb")
QUICK = Effort(
    repeats=1, levels=(600, 20), window_s=4.0, turn_s=3.0, first_s=4.0, retries=0, capacity={}
)


class Session:
    """Everything that runs during one benchmark, in one temporary directory."""

    def __init__(self, options: argparse.Namespace, effort: Effort, work: Path) -> None:
        self.effort = effort
        self.options = options
        self.work = work
        self.rows: list[Row] = []
        self.running: dict[str, servers.Server] = {}
        self.server_core, self.load_core = servers.cores()
        self.mock = servers.start_mock(self.load_core, work)
        self.subjects = [s for s in measure.SUBJECTS if s.server in options.only]
        self._started: set[str] = set()

    def _launch(self, name: str) -> servers.Launch:
        upstream, core = self.mock.port, self.server_core
        if name == "nginx":
            return servers.nginx(upstream, core, self.work)
        if name == "reference":
            return servers.reference(upstream, core, self.work)
        command = shlex.split(self.options.parlour_command)
        extra = dict(item.split("=", 1) for item in self.options.parlour_env)
        return servers.parlour(upstream, core, self.work, command, extra)

    def start_all(self) -> None:
        """Start every wanted server; the start that makes Parlour's database is not timed."""
        for name in self.options.only:
            if name == "parlour" and name not in self._started:
                servers.start(self._launch(name), self.work).stop()
            self._started.add(name)
            server = servers.start(self._launch(name), self.work)
            self.running[name] = server
            self._keep({"measure": "ready", "subject": name, "ready_s": server.ready_s})

    def stop_all(self) -> None:
        """Stop every server but the mock."""
        while self.running:
            self.running.popitem()[1].stop()

    def _keep(self, row: Row) -> None:
        self.rows.append(row)
        print(report.line(row), flush=True)

    async def warm_up(self) -> None:
        """A second of turns for each face, so that nothing is imported or built while measured."""
        for subject in self.subjects:
            where = measure.address(self.running[subject.server], subject)
            warm = await load.turns(where, clients=2, seconds=1.0)
            if not warm.turns:
                raise servers.CannotMeasure(f"{subject.name} answers no turn: {warm.errors}")

    async def _quiet(self, ask: Callable[[], Awaitable[Row]]) -> Row:
        """Measure again while others are busy; the row of the quietest attempt.

        Its memory is that of the first attempt, because a later crowd finds room already made.
        """
        self._prefer()
        rows = [await ask()]
        while len(rows) <= self.effort.retries and busy(rows[-1]):
            rows.append(await ask())
        best = min(rows, key=lambda row: (bool(row.get("starved")), number(row, "others_share")))
        memory = {key: rows[0][key] for key in MEMORY if key in rows[0]}
        return best | memory | {"attempts": len(rows)}

    def _prefer(self) -> None:
        """Give every Postgres the priority of the rest: each of its processes is a session."""
        everyone = system.processes()
        for server in self.running.values():
            found = system.postgres_of(server.watched.data_dir, everyone)
            system.prefer_others(found, self.options.priority)

    async def repeat(self, turn: int) -> None:
        """Measure every face once, on servers that have just started."""
        fresh = set(self.running)
        turned = turn % max(1, len(self.subjects))
        order = self.subjects[turned:] + self.subjects[:turned]
        for level in self.effort.levels:
            for subject in order:
                if level not in subject.levels:
                    continue
                server = self.running[subject.server]
                plan = self.effort.plan(level)
                row = await self._quiet(
                    lambda s=server, f=subject, p=plan: measure.token_cost(s, f, self.mock, p)
                )
                # Only the first crowd after a start grows the process by what its streams hold.
                row["fresh"] = subject.server in fresh
                fresh.discard(subject.server)
                self._keep(row | {"repeat": turn})
        for subject in order:
            server = self.running[subject.server]
            row = await self._quiet(
                lambda s=server, f=subject: measure.turn_cost(s, f, self.effort.turn_s)
            )
            self._keep(row | {"repeat": turn})
        for subject in order:
            server = self.running[subject.server]
            row = await self._quiet(
                lambda s=server, f=subject: measure.first_token(
                    s, f, self.mock, self.effort.first_s
                )
            )
            self._keep(row | {"repeat": turn})

    async def capacity(self) -> None:
        """Climb the steps until one fails twice."""
        for subject in self.subjects:
            for streams in self.effort.capacity.get(subject.name, ()):
                if not await self._step(subject, streams):
                    break

    async def _step(self, subject: Subject, streams: int) -> bool:
        for _ in range(2):
            server = self.running[subject.server]
            row = await measure.capacity_step(
                server, subject, self.mock, streams, self.effort.window_s
            )
            self._keep(row)
            if row["passed"]:
                return True
        return False

    async def measure(self) -> None:
        """The whole benchmark."""
        for turn in range(self.effort.repeats):
            self.start_all()
            await self.warm_up()
            await self.repeat(turn)
            self.stop_all()
        if any(subject.name in self.effort.capacity for subject in self.subjects):
            self.start_all()
            await self.warm_up()
            await self.capacity()
            self.stop_all()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What a token, a turn and a stream cost.")
    parser.add_argument("--quick", action="store_true", help="two minutes, one repeat, no maximum")
    parser.add_argument("--repeats", type=int, help="how often everything is measured")
    parser.add_argument("--retries", type=int, help="for figures taken while others were busy")
    parser.add_argument("--levels", help="numbers of streams, e.g. 600,100")
    parser.add_argument("--only", default="nginx,parlour,reference", help="servers, by comma")
    parser.add_argument(
        "--parlour-command",
        default=servers.PARLOUR_COMMAND,
        help="what starts Parlour; it is told the rest by its environment",
    )
    parser.add_argument(
        "--parlour-env", action="append", default=[], metavar="NAME=VALUE", help="may be repeated"
    )
    parser.add_argument(
        "--no-capacity", action="store_true", help="leave out the highest number of streams"
    )
    parser.add_argument(
        "--priority", type=int, default=0, help="nice value of all of it; below 0 needs root"
    )
    parser.add_argument("--document", type=Path, default=DOCUMENT, help="report to write")
    parser.add_argument("--keep-logs", action="store_true", help="keep the working directory")
    options = parser.parse_args()
    options.only = options.only.split(",")
    unknown = set(options.only) - {subject.server for subject in measure.SUBJECTS}
    if unknown:
        parser.error(f"no such server: {', '.join(sorted(unknown))}")
    return options


def _effort(options: argparse.Namespace) -> Effort:
    chosen = QUICK if options.quick else FULL
    levels = tuple(map(int, options.levels.split(","))) if options.levels else chosen.levels
    return Effort(
        options.repeats or chosen.repeats,
        tuple(sorted(levels, reverse=True)),
        chosen.window_s,
        chosen.turn_s,
        chosen.first_s,
        chosen.retries if options.retries is None else options.retries,
        {} if options.no_capacity else chosen.capacity,
    )


def _write(session: Session, command: str, document: Path) -> None:
    about = system.machine() | {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": command,
        "python": sys.version.split()[0],
        "cores_used": f"servers on {session.server_core}, mock and load on {session.load_core}",
        "repeats": str(session.effort.repeats),
        "window_s": str(session.effort.window_s),
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    raw = RESULTS / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    raw.write_text(
        json.dumps({"about": about, "rows": session.rows}, indent=1) + "\n", encoding="utf-8"
    )
    text = report.render(about, session.rows)
    document.parent.mkdir(parents=True, exist_ok=True)
    document.write_text(text, encoding="utf-8")
    print(f"\n{text}\nRaw figures: {raw}\nReport: {document}")


def main() -> int:
    """Command line; 0 when everything was measured, whether or not the bars are met."""
    options = _options()
    system.allow_many_files()
    system.prefer(options.priority)  # The servers inherit it.
    work = Path(tempfile.mkdtemp(prefix="parlour-bench-"))
    work.chmod(0o755)  # An embedded Postgres does not run as root: its user must get in.
    session: Session | None = None
    try:
        session = Session(options, _effort(options), work)
        os.sched_setaffinity(0, {session.load_core})
        gc.collect()
        gc.freeze()
        uvloop.run(session.measure())
        words = " ".join(shlex.quote(word) for word in sys.argv[1:])
        _write(session, f"python -m benchmarks {words}".strip(), options.document)
        return 0
    except servers.CannotMeasure as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        if session:
            session.stop_all()
            session.mock.stop()
        if not options.keep_logs:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main())
