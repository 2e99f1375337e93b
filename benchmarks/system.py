"""What the kernel knows of a server: CPU and memory of its processes, and who else was busy.

Linux only (/proc). The processes of a Postgres that the server started are counted apart from the
server's own, by the data directory in the postmaster's command line, because they may have been
adopted by init.
"""

from __future__ import annotations

import os
import resource
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
FILES_WANTED = 16_384


@dataclass(frozen=True, slots=True)
class Process:
    """Who a process is, from /proc/<pid>/stat."""

    pid: int
    parent: int
    name: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A moment: CPU seconds used so far by the server, its Postgres, and the whole core."""

    server_s: float
    postgres_s: float
    core_s: float
    processes: int


def allow_many_files() -> None:
    """Raise the limit of open files to what 2,000 streams need, as far as the hard limit lets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def prefer(nice: int) -> None:
    """Run this process's session at a nice value; 0 changes nothing.

    Where the kernel groups tasks by session (autogroup), a nice value counts only within the
    session, so the session gets the same one.
    """
    if nice == 0:
        return
    os.setpriority(os.PRIO_PROCESS, 0, nice)
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(nice), encoding="utf-8")


def prefer_others(pids: set[int], nice: int) -> None:
    """The same for processes that have sessions of their own, as those of a Postgres have."""
    for pid in pids if nice else ():
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, pid, nice)
            Path(f"/proc/{pid}/autogroup").write_text(str(nice), encoding="utf-8")


def parse_stat(line: str) -> Process:
    """Read a line of /proc/<pid>/stat; the name may hold spaces and brackets."""
    pid, _, rest = line.partition(" (")
    name, _, tail = rest.rpartition(") ")
    return Process(int(pid), int(tail.split()[1]), name)


def cpu_s(pid: int) -> float:
    """User + system seconds of all threads of a process so far; 0 when it has gone.

    Read from the process's CPU clock in nanoseconds: the ticks of /proc/<pid>/stat are 10 ms, which
    is a sixth of what a good server spends on 20 streams in a window.
    """
    try:
        return time.clock_gettime((~pid << 3) | 2)  # the formula of clock_getcpuclockid(3)
    except OSError:
        return 0.0


def processes() -> dict[int, Process]:
    """All processes of the machine by id."""
    found: dict[int, Process] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                line = Path(entry.path, "stat").read_text(encoding="utf-8")
            except (FileNotFoundError, ProcessLookupError):
                continue
            process = parse_stat(line)
            found[process.pid] = process
    return found


def tree(root: int, everyone: dict[int, Process]) -> set[int]:
    """`root` and all its descendants that are alive."""
    children: dict[int, list[int]] = {}
    for process in everyone.values():
        children.setdefault(process.parent, []).append(process.pid)
    found: set[int] = set()
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        if pid in everyone and pid not in found:
            found.add(pid)
            waiting += children.get(pid, [])
    return found


def postgres_of(data_dir: Path | None, everyone: dict[int, Process]) -> set[int]:
    """The Postgres processes whose data lie under `data_dir`."""
    if data_dir is None:
        return set()
    found: set[int] = set()
    for process in everyone.values():
        if process.name == "postgres" and str(data_dir).encode() in _command(process.pid):
            found |= tree(process.pid, everyone)
    return found


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


@dataclass(frozen=True, slots=True)
class Watched:
    """A server to read: its first process, and the directory of its Postgres if it has one."""

    pid: int
    core: int
    data_dir: Path | None = None

    def _members(self) -> tuple[set[int], set[int]]:
        everyone = processes()
        database = postgres_of(self.data_dir, everyone)
        return tree(self.pid, everyone) - database, database

    def read(self) -> Reading:
        """CPU seconds so far. Costs about 2 ms of the caller's core."""
        server, database = self._members()
        return Reading(
            sum(map(cpu_s, server)),
            sum(map(cpu_s, database)),
            core_busy_s(self.core),
            len(server),
        )

    def memory_kb(self) -> tuple[int, int]:
        """Resident and proportional kilobytes of the server's own processes, without Postgres."""
        server, _ = self._members()
        sizes = [_rollup(pid) for pid in server]
        return sum(rss for rss, _ in sizes), sum(pss for _, pss in sizes)


def _rollup(pid: int) -> tuple[int, int]:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    except OSError:
        return 0, 0
    lines = dict(line.split(":", 1) for line in text.splitlines()[1:])
    return int(lines["Rss"].split()[0]), int(lines["Pss"].split()[0])


def core_busy_s(core: int) -> float:
    """Seconds that one core has been busy since boot, for anybody (idle and iowait left out)."""
    for line in Path("/proc/stat").read_text(encoding="utf-8").splitlines():
        name, *values = line.split()
        if name == f"cpu{core}":
            numbers = [int(value) for value in values[:8]]
            return (sum(numbers) - numbers[3] - numbers[4]) * TICK_S
    raise ValueError(f"this machine has no core {core}")


def machine() -> dict[str, str]:
    """A few words on the machine for the report."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory_kb = int(Path("/proc/meminfo").read_text(encoding="utf-8").split()[1])
    uname = os.uname()
    return {
        "processor": model,
        "cores": str(os.cpu_count()),
        "memory": f"{memory_kb / 1024 / 1024:.0f} GB",
        "kernel": f"{uname.sysname} {uname.release}",
    }
