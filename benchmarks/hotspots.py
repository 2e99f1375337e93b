"""Where the microseconds go: a sampling profile of a server under steady streams.

`python -m benchmarks.hotspots --streams 600` starts mock, server and load as `make bench` does,
samples the server with py-spy in the steady window and prints the functions that were on top of the
stack, and how much of the time each room (file) was anywhere on it. `--native` adds the C
frames (system calls are most of a good server). `--turns` profiles short turns in place of streams.
Needs py-spy (of the group `dev`) and, on Linux, root or CAP_SYS_PTRACE.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import uvloop

from benchmarks import load, measure, servers, system
from benchmarks.measure import Subject

SAMPLES_PER_S = 400


def count(stacks: Iterable[str]) -> tuple[int, Counter[str], Counter[str]]:
    """All samples, those by the function on top, and those by file anywhere on the stack.

    A line is py-spy's raw form: `outermost (file:line);...;innermost (file:line) samples`.
    """
    total = 0
    top: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for line in stacks:
        stack, _, number = line.strip().rpartition(" ")
        if not number.isdigit():
            continue
        samples = int(number)
        frames = [_place(frame) for frame in stack.split(";")]
        if _sleeps(frames):
            continue
        function, file = frames[-1]
        total += samples
        top[f"{function} ({file})"] += samples
        for file in {file for _, file in frames}:
            within[file] += samples
    return total, top, within


def _sleeps(frames: list[tuple[str, str]]) -> bool:
    """Whether this is a pool thread that waits for work.

    Where the sampler cannot see that a thread sleeps, such threads are most of what it counts.
    """
    names = {(function.rpartition(".")[2], file) for function, file in frames}
    waits = ("wait", "threading.py") in names
    pool = ("_worker", "futures/thread.py") in names and ("run", "futures/thread.py") not in names
    return waits or pool


def _place(frame: str) -> tuple[str, str]:
    function, _, rest = frame.rpartition(" (")
    if not function:
        return frame, "?"
    file = rest.removesuffix(")").rpartition(":")[0] or rest.removesuffix(")")
    return function, "/".join(file.split("/")[-2:])


def show(total: int, counts: Counter[str], most: int) -> str:
    """The biggest shares, one a line."""
    return "\n".join(
        f"{number / max(1, total):7.1%}  {name}" for name, number in counts.most_common(most)
    )


async def _sample(
    server: servers.Server, subject: Subject, options: argparse.Namespace, raw: Path
) -> None:
    command = [str(shutil.which("py-spy", path=_search_path())), "record"]
    command += ["--pid", str(server.process.pid), "--rate", str(SAMPLES_PER_S), "--format", "raw"]
    command += ["--duration", str(int(options.seconds)), "--output", str(raw), "--nolineno"]
    command += ["--native"] if options.native else []
    started: list[subprocess.Popen[bytes]] = []

    def on_window(begins: bool) -> None:
        if begins:
            started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))

    where = measure.address(server, subject)
    if options.turns:
        await load.turns(where, clients=2, seconds=1.0)
        on_window(True)
        report = await load.turns(where, clients=4, seconds=options.seconds + 1)
        print(f"{report.turns} turns, errors {report.errors}")
    else:
        ramp_s = max(2.0, options.streams / measure.RAMP_PER_S)
        plan = load.Plan(options.streams, measure.RATE, ramp_s, 1.0, options.seconds + 2)
        streams = await load.streams(where, plan, on_window)
        print(f"{streams.tokens} tokens, gap p99 {streams.gap_p99_ms:.0f} ms, {streams.errors}")
    for process in started:
        await asyncio.to_thread(process.wait, 30)


def _search_path() -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Where the microseconds go.")
    parser.add_argument(
        "--face", choices=[s.name for s in measure.SUBJECTS[1:]], default="parlour native"
    )
    parser.add_argument("--streams", type=int, default=600)
    parser.add_argument("--seconds", type=float, default=8.0, help="how long to sample")
    parser.add_argument("--native", action="store_true", help="C frames too")
    parser.add_argument("--turns", action="store_true", help="short turns in place of streams")
    parser.add_argument("--most", type=int, default=30, help="lines of each list")
    parser.add_argument("--raw", type=Path, help="keep py-spy's stacks here (for a flame graph)")
    parser.add_argument("--parlour-command", default=servers.PARLOUR_COMMAND)
    options = parser.parse_args()
    if not shutil.which("py-spy", path=_search_path()):
        print("py-spy is missing: `pip install py-spy`.", file=sys.stderr)
        return 1
    system.allow_many_files()
    work = Path(tempfile.mkdtemp(prefix="parlour-hotspots-"))
    work.chmod(0o755)  # An embedded Postgres does not run as root: its user must get in.
    subject = next(s for s in measure.SUBJECTS if s.name == options.face)
    server_core, load_core = servers.cores()
    running: list[servers.Server] = []
    try:
        running.append(servers.start_mock(load_core, work))
        launch = (
            servers.reference(running[0].port, server_core, work)
            if subject.server == "reference"
            else servers.parlour(
                running[0].port, server_core, work, shlex.split(options.parlour_command), {}
            )
        )
        running.append(servers.start(launch, work))
        os.sched_setaffinity(0, {load_core})
        raw = options.raw or work / "stacks.txt"
        uvloop.run(_sample(running[1], subject, options, raw))
        total, top, within = count(raw.read_text().splitlines())
        print(f"\n{total} samples. On top of the stack:\n{show(total, top, options.most)}")
        print(f"\nAnywhere on the stack, by file:\n{show(total, within, options.most)}")
        return 0
    except servers.CannotMeasure as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        for server in reversed(running):
            server.stop()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main())
