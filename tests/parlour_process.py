"""Parlour as a process of its own, for what only a process shows: its logs, signals and exit."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

WAIT_S = 20


@dataclass(slots=True)
class ParlourProcess:
    """A running `parlour <command>`; `said` is what it has written so far."""

    process: asyncio.subprocess.Process
    said: list[str] = field(default_factory=list[str])

    async def until(self, words: str) -> str:
        """Read on until a line holds `words`; returns that line."""
        assert self.process.stdout is not None
        async with asyncio.timeout(WAIT_S):
            while line := (await self.process.stdout.readline()).decode():
                self.said.append(line.rstrip("\n"))
                if words in line:
                    return line
        raise AssertionError(f"{words!r} was never said:\n" + "\n".join(self.said))

    async def stop(self) -> int:
        """SIGTERM; returns the exit code, with everything it said read."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        assert self.process.stdout is not None
        async with asyncio.timeout(WAIT_S):
            rest = await self.process.stdout.read()
            self.said += rest.decode().splitlines()
            return await self.process.wait()


@contextlib.asynccontextmanager
async def parlour(command: str, **environment: str) -> AsyncIterator[ParlourProcess]:
    """Run `parlour <command>` with these variables and nothing of ours but the paths."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    paths = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "parlour.cli",
        command,
        env=kept | paths | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield ParlourProcess(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
