"""Real MCP servers for live tests, all with the versions and hashes of lock files.

scripts/servers.py installs them, except time and git, which stand in the environment of the tests.
What is not installed fails the test: it is never skipped.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import node
import servers

from parlour.domain import Principal, ToolOutcome, ToolRequest, UserId, WorkspaceId
from parlour.tools.config import ServerConfig
from parlour.tools.toolbox import Toolbox

NODE = str(node.node_folder() / "node")
ODD = Path(__file__).with_name("mcp_odd_server.py")


def person(user: str = "ada") -> Principal:
    return Principal(
        WorkspaceId("acme"), UserId(user), name=user.title(), roles=frozenset({"staff"})
    )


def _beside_python(program: str) -> str:
    return str(Path(sys.executable).with_name(program))


def time_server(**options: object) -> ServerConfig:
    return ServerConfig("time", command=_beside_python("mcp-server-time"), **options)  # type: ignore[arg-type]


def git_server(**options: object) -> ServerConfig:
    return ServerConfig("git", command=_beside_python("mcp-server-git"), **options)  # type: ignore[arg-type]


def sqlite_server(file: Path, **options: object) -> ServerConfig:
    """Of the first generation of the SDK, without annotations, and with `Error:` for errors."""
    command = str(servers.mcp1_program("mcp-server-sqlite"))
    arguments = ("--db-path", str(file))
    return ServerConfig("sqlite", command=command, args=arguments, **options)  # type: ignore[arg-type]


def everything_server(**options: object) -> ServerConfig:
    return ServerConfig(
        "everything",
        command=NODE,
        args=(str(servers.npm_script("server-everything")), "stdio"),
        **options,  # type: ignore[arg-type]
    )


def filesystem_server(folder: Path, **options: object) -> ServerConfig:
    arguments = (str(servers.npm_script("server-filesystem")), str(folder))
    return ServerConfig("files", command=NODE, args=arguments, **options)  # type: ignore[arg-type]


def odd_server(**options: object) -> ServerConfig:
    """Our own server with slow, huge and changing tools, on stdio."""
    return ServerConfig("odd", command=sys.executable, args=(str(ODD), "stdio"), **options)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def everything_over_http(port: int) -> AsyncIterator[subprocess.Popen[bytes]]:
    """The npm server on streamable HTTP, with sessions as of 2025."""
    command = [NODE, str(servers.npm_script("server-everything")), "streamableHttp"]
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
