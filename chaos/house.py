"""The house that is stormed: Postgres, Redis, web processes, a worker, and a line before each.

Everything is real and of this machine. Web processes and the worker are the installed command
line; `bug` starts them with one seeded mistake (bugs.py), to test the test.
"""

from __future__ import annotations

import asyncio
import contextlib
import glob
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from chaos.clients import SECRET
from chaos.link import Link, Target, link
from chaos.provider import Provider
from tests.live.process import environment
from tests.postgres import fresh_database, running_postgres
from tests.redis_server import RedisServer, die_with_parent

ADDRESS = re.compile(rb"Parlour is ready: (http://\S+)")
READY_S = 60
LEASE_S = 5  # less, and a busy machine makes a process look dead that is not
WEBS = 2
CLOCKS = ("", "+3600", "-3600")  # of the processes in order, where clocks are wrong


@dataclass(slots=True)
class Program:
    """One process of Parlour that is started again after each kill."""

    name: str
    arguments: tuple[str, ...]
    settings: dict[str, str]
    folder: Path
    bug: str = ""
    process: asyncio.subprocess.Process | None = None
    address: str = ""
    log: bytearray = field(default_factory=bytearray)
    _reader: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it; a web process is waited for until it is ready."""
        module = ["-m", "chaos.bugs", self.bug] if self.bug else ["-m", "parlour.cli"]
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            *module,
            *self.arguments,
            cwd=Path(__file__).parent.parent,
            env=environment(self.folder, **self.settings),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            preexec_fn=die_with_parent,
            limit=4_000_000,
        )
        ready = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._listen(ready))
        if self.arguments[0] == "serve":
            self.address = await asyncio.wait_for(ready, READY_S)

    async def kill(self) -> None:
        """kill -9."""
        if self.process and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    def freeze(self) -> None:
        """SIGSTOP: it is there, and does nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    async def stop(self) -> None:
        """SIGTERM, and kill -9 for one that does not go."""
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)
        if self.process:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), 30)
        await self.kill()
        if self._reader:
            await self._reader

    def _signal(self, number: int) -> None:
        if self.process and self.process.returncode is None:
            self.process.send_signal(number)

    async def _listen(self, ready: asyncio.Future[str]) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.log += line
            found = ADDRESS.search(line)
            if found and not ready.done():
                ready.set_result(found[1].decode().replace("localhost", "127.0.0.1"))
        if not ready.done():
            ready.set_exception(RuntimeError(f"{self.name} did not start:\n{self.log.decode()}"))
            ready.exception()  # a worker has no address, and nobody waits for one


@dataclass(slots=True)
class Stormed:
    """All of it."""

    provider: Provider
    redis: RedisServer
    database_url: str  # without a line, for the nemesis and the checks
    links: list[Link]
    webs: list[Program]
    worker: Program

    def addresses(self) -> list[str]:
        """Where the web processes listen."""
        return [web.address for web in self.webs]


@contextlib.asynccontextmanager
async def postgres() -> AsyncIterator[str]:
    """A Postgres for all runs of one session."""
    async with running_postgres() as url:
        yield url


@contextlib.asynccontextmanager
async def house(
    server: str, folder: Path, *, seed: int, bug: str = "", wrong_clocks: bool = False
) -> AsyncIterator[Stormed]:
    """A fresh database, a fresh Redis, and processes that are ready."""
    async with contextlib.AsyncExitStack() as stack:
        database = await stack.enter_async_context(fresh_database(server))
        redis = RedisServer()
        redis.start()
        stack.callback(redis.close)
        provider = Provider(seed)
        await provider.start()
        stack.push_async_callback(provider.close)
        links: list[Link] = []
        programs: list[Program] = []
        for number in range(WEBS + 1):
            name = f"web{number}" if number < WEBS else "worker"
            targets = {
                "database": database_target(database),
                "redis": _redis_target(redis.url),
                "provider": Target(port=provider.port),
            }
            lines = {
                kind: await stack.enter_async_context(
                    link(f"{name}-{kind}", target, seed * 100 + number)
                )
                for kind, target in targets.items()
            }
            links += lines.values()
            own = folder / name
            own.mkdir()
            programs.append(
                Program(
                    name,
                    ("serve" if number < WEBS else "worker",),
                    {
                        **_settings(name, database, lines),
                        **(wrong_clock(CLOCKS[number]) if wrong_clocks else {}),
                    },
                    own,
                    bug,
                )
            )
        await asyncio.gather(*(program.start() for program in programs))
        try:
            yield Stormed(provider, redis, database, links, programs[:WEBS], programs[WEBS])
        finally:
            await asyncio.gather(*(program.stop() for program in programs))


def faketime() -> str:
    """The library that lies about the time (Debian's package libfaketime); empty = not here."""
    given = os.environ.get("PARLOUR_FAKETIME", "")
    found = [given] if given else glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    return found[0] if found and Path(found[0]).exists() else ""


def wrong_clock(offset: str) -> dict[str, str]:
    """What a process needs around it to have a clock that is wrong by so much."""
    if not offset:
        return {}
    if not faketime():
        raise RuntimeError("libfaketime is not installed; PARLOUR_FAKETIME names the library")
    return {
        "LD_PRELOAD": faketime(),
        "FAKETIME": offset,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_NO_CACHE": "1",
    }


def database_target(url: str) -> Target:
    """Where a line to the database at `url` leads."""
    parts = urlsplit(url)
    folder = parse_qs(parts.query).get("host", [""])[0]
    if folder:
        port = parse_qs(parts.query).get("port", ["5432"])[0]
        return Target(path=f"{folder}/.s.PGSQL.{port}")
    return Target(host=parts.hostname or "127.0.0.1", port=parts.port or 5432)


def _redis_target(url: str) -> Target:
    parts = urlsplit(url)
    return Target(path=parts.path) if parts.scheme == "unix" else Target(port=parts.port or 6379)


def database_url_through(line: Link, url: str) -> str:
    """The address of the database at `url`, by way of a line."""
    parts = urlsplit(url)
    user = parts.username or "postgres"
    return f"postgresql://{user}@127.0.0.1:{line.port}/{parts.path.lstrip('/')}"


def _settings(process: str, database: str, lines: dict[str, Link]) -> dict[str, str]:
    return {
        "PARLOUR_SECRET": SECRET,
        "PARLOUR_DATABASE_URL": database_url_through(lines["database"], database),
        "PARLOUR_REDIS_URL": f"redis://127.0.0.1:{lines['redis'].port}/0",
        "PARLOUR_MODEL": "openai:chaos-1",
        "OPENAI_API_KEY": "chaos",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{lines['provider'].port}/{process}/v1",
        "PARLOUR_LIMITS__LEASE_S": str(LEASE_S),
        "PARLOUR_MODELS__IDLE_S": "3",
        "PARLOUR_MODELS__FIRST_BYTE_S": "4",
        "PARLOUR_MODELS__RETRY_S_MAX": "3",
        "PARLOUR_MODELS__BREAKER_S": "2",
        "PARLOUR_SHUTDOWN_S": "10",
        "PARLOUR_LOG_FORMAT": "json",
    }
