"""The real command line in processes of their own: `parlour serve` and its siblings."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from tests.house import Caller, Frame, parse_frames, shown
from tests.redis_server import die_with_parent

READY_S = 60  # the first start of an empty directory makes a database
ADDRESS = re.compile(r"Parlour is ready: (http://\S+)")
PASSED_ON = {"PATH", "HOME", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH"}


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """What a child sees: no setting of this machine, its data in `folder`, the given settings."""
    kept = {name: value for name, value in os.environ.items() if name in PASSED_ON}
    given = {"PARLOUR_DATA_DIR": str(folder), "PARLOUR_PORT": "0", "PARLOUR_MODEL": "scripted:"}
    return {**kept, **given, **settings, "PYTHONUNBUFFERED": "1"}


def script(folder: Path, rules: list[dict[str, Any]]) -> str:
    """A setting for the model that plays `rules`."""
    file = folder / "script.json"
    file.write_text(json.dumps(rules), encoding="utf-8")
    return f"scripted:{file}"


async def start(
    *arguments: str, folder: Path, terminal: int = asyncio.subprocess.PIPE, **settings: str
) -> asyncio.subprocess.Process:
    """Start `parlour <arguments>`, on pipes or at a `terminal`; it dies with this process."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "parlour.cli",
        *arguments,
        cwd=folder,
        env=environment(folder, **settings),
        stdin=terminal,
        stdout=terminal,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=die_with_parent,
        limit=1_000_000,
    )


async def run(
    *arguments: str, folder: Path, said: str = "", **settings: str
) -> tuple[int, str, str]:
    """Run `parlour <arguments>` to its end: exit code, stdout, stderr."""
    process = await start(*arguments, folder=folder, **settings)
    out, err = await asyncio.wait_for(process.communicate(said.encode()), READY_S)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


class Served(Caller):
    """`parlour serve` in a process of its own, and a client for it."""

    def __init__(self, process: asyncio.subprocess.Process, http: aiohttp.ClientSession) -> None:
        super().__init__("", http)
        self.process = process
        self.said: list[str] = []
        self._readers = [
            asyncio.create_task(self._listen(stream))
            for stream in (process.stdout, process.stderr)
            if stream is not None
        ]
        self._ready = asyncio.get_running_loop().create_future()

    async def ready(self) -> None:
        """Wait for its address."""
        ended = asyncio.create_task(self.process.wait())
        async with asyncio.timeout(READY_S):
            await asyncio.wait({self._ready, ended}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        assert self._ready.done(), "\n".join(self.said)
        self.url = self._ready.result().replace("localhost", "127.0.0.1")

    async def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        await self.process.wait()

    def terminate(self) -> None:
        """SIGTERM."""
        self.process.send_signal(signal.SIGTERM)

    async def ended(self, within_s: float) -> int:
        """Its exit code."""
        return await asyncio.wait_for(self.process.wait(), within_s)

    async def close(self) -> None:
        """End it, if it runs, and read its last words."""
        if self.process.returncode is None:
            self.terminate()
            try:
                await self.ended(30)
            except TimeoutError:
                await self.kill()
        await asyncio.gather(*self._readers)

    async def _listen(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            self.said.append(line.decode().rstrip())
            if (found := ADDRESS.search(self.said[-1])) and not self._ready.done():
                self._ready.set_result(found[1])


@contextlib.asynccontextmanager
async def served(folder: Path, **settings: str) -> AsyncIterator[Served]:
    """A ready `parlour serve` with its data in `folder`."""
    process = await start("serve", folder=folder, **settings)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(timeout=timeout, headers=shown()) as http:
        it = Served(process, http)
        try:
            await it.ready()
            yield it
        finally:
            await it.close()


async def until_token(it: Served, thread: str, turn: str, many: int) -> list[Frame]:
    """Read until so many tokens have come, then leave."""
    url = f"{it.url}/api/threads/{thread}/turns/{turn}/events"
    text = ""
    async with it.http.get(url) as response:
        async for data in response.content.iter_any():
            text += data.decode()
            if text.count('"type":"token"') >= many:
                break
    return parse_frames(text[: text.rindex("\n\n") + 2])
