"""The owner of the embedded model's child process: starts it, watches it, starts it again.

A child that died is started on the next use, at once the first time and then with growing pauses.
`ensure` is the only way in; nothing here talks to the model.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from parlour.errors import Upstream

READY_WAIT_S = 60.0  # the 1.5B loads in 4 s from a warm disk; a cold slow one takes longer
LOAD_S_MAX = 300.0
PAUSE_S_MAX = 30.0
DEATH_NOTICE_S = 1.0  # the kernel's notice of a child's end comes after its connections broke
STEADY_S = 60.0  # a child that lived so long has earned an immediate restart
_SAID_BYTES_MAX = 4_000
# What the child may know of our environment: no keys, no database addresses.
_ENVIRONMENT = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "SYSTEMROOT")


class LocalModelStarting(Upstream):
    """The embedded model is being loaded."""

    code = "local_model_starting"
    status = 503
    title = "The embedded model is starting"
    retry_after_s = 5


class LocalModelFailed(Upstream):
    """The embedded model's process could not start, or died."""

    code = "local_model_failed"
    title = "The embedded model failed"


@dataclass(frozen=True, slots=True)
class Order:
    """What to run. `context` in tokens, shared by `parallel` requests; `cache_mb` for prompts."""

    model: Path
    threads: int
    context: int = 8_192
    parallel: int = 2
    cache_mb: int = 512


@dataclass(frozen=True, slots=True)
class Address:
    """Where a ready child listens, and the key it asks for."""

    url: str
    key: str


class LocalProcess:
    """One child process at a time, for one file of weights. Belongs to one event loop."""

    def __init__(self, order: Order, *, ready_wait_s: float = READY_WAIT_S) -> None:
        self._order = order
        self._ready_wait_s = ready_wait_s
        self._child: asyncio.subprocess.Process | None = None
        self._starting: asyncio.Task[Address] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._said = b""  # the end of what the child wrote to standard error
        self._started_at = 0.0
        self._failures = 0
        self._not_before = 0.0
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The living child's process id, for tests and `parlour doctor`."""
        return self._child.pid if self._child and self._child.returncode is None else None

    async def ensure(self) -> Address:
        """The address of a living child; starts one when there is none.

        Raises `LocalModelStarting` when it is not ready in time (it goes on loading), and
        `LocalModelFailed` when it cannot start or is in the pause after a failure.
        """
        if self._closed:
            raise LocalModelFailed("The embedded model has been shut down.")
        if self._starting is None or self._is_over(self._starting):
            self._check_pause()
            self._starting = asyncio.create_task(self._start())
            self._starting.add_done_callback(_look_at)
        try:
            return await asyncio.wait_for(asyncio.shield(self._starting), self._ready_wait_s)
        except TimeoutError:
            raise LocalModelStarting(
                "The embedded model is still being loaded. Please try again in a moment."
            ) from None

    def steady(self) -> None:
        """The child has just done good work: forget earlier failures."""
        self._failures = 0

    async def settle(self) -> None:
        """A connection broke: give a child that died a moment to be known as dead."""
        if self._child is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._child.wait(), DEATH_NOTICE_S)

    async def abandon(self) -> None:
        """The child has hung: kill it, so that the next use starts another."""
        if self._child is not None and self._child.returncode is None:
            self._child.kill()
            await self._child.wait()

    async def close(self) -> None:
        """End the child. Bounded: after two seconds it is killed."""
        self._closed = True
        if self._starting and not self._starting.done():
            self._starting.cancel()
            await asyncio.wait([self._starting])
        await self._end()

    def _is_over(self, starting: asyncio.Task[Address]) -> bool:
        """Whether that start failed, or its child has died since."""
        if not starting.done():
            return False
        if starting.cancelled() or starting.exception():
            return True
        if self._child is not None and self._child.returncode is not None:
            if time.monotonic() - self._started_at > STEADY_S:
                self._failures = 0
            self._count_failure()
            return True
        return False

    def _count_failure(self) -> None:
        pause = 0.0 if self._failures == 0 else min(PAUSE_S_MAX, 2.0 ** (self._failures - 1))
        self._failures += 1
        self._not_before = time.monotonic() + pause
        self._child = None

    def _check_pause(self) -> None:
        left = self._not_before - time.monotonic()
        if left > 0:
            failure = LocalModelFailed(
                f"The embedded model stopped {self._failures} times in a row{self._last_words()}. "
                f"It is started again in {left:.0f} s."
            )
            failure.retry_after_s = max(1, round(left))
            raise failure

    async def _start(self) -> Address:
        await self._end()
        key = secrets.token_urlsafe(24)
        self._started_at = time.monotonic()
        self._said = b""
        try:
            # A session of its own: Ctrl-C in the terminal is for the parent, which ends us.
            self._child = child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", str(Path(__file__).with_name("local_server.py"))),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                start_new_session=True,
            )
            self._listening = asyncio.create_task(self._listen(child))
            url = await asyncio.wait_for(self._exchange(child, key), LOAD_S_MAX)
        except (OSError, TimeoutError, LocalModelFailed) as error:
            await self._end()
            self._count_failure()
            if isinstance(error, LocalModelFailed):
                raise
            raise LocalModelFailed(f"The embedded model could not be started: {error}.") from error
        except asyncio.CancelledError:
            await self._end()
            raise
        return Address(url, key)

    async def _exchange(self, child: asyncio.subprocess.Process, key: str) -> str:
        """Send the order, read the answer. Raises `LocalModelFailed` with the child's reason."""
        if child.stdin is None or child.stdout is None:
            raise LocalModelFailed("The embedded model's process has no pipes.")
        order = {
            "parent": os.getpid(),
            "key": key,
            "model": str(self._order.model),
            "threads": self._order.threads,
            "context": self._order.context,
            "parallel": self._order.parallel,
            "cache_mb": self._order.cache_mb,
        }
        with contextlib.suppress(ConnectionError):  # then there is no answer either
            child.stdin.write(json.dumps(order).encode() + b"\n")
            await child.stdin.drain()
        line = await child.stdout.readline()
        answer: dict[str, str] = json.loads(line) if line else {}
        if url := answer.get("url"):
            return url
        await child.wait()
        why = answer.get("error") or f"its process ended with code {child.returncode}"
        raise LocalModelFailed(
            f"The embedded model could not be started from {self._order.model.name}: "
            f"{why}{self._last_words()}."
        )

    async def _listen(self, child: asyncio.subprocess.Process) -> None:
        """Keep the end of what the child writes to standard error; an unread pipe would block."""
        if child.stderr is None:
            return
        while block := await child.stderr.read(4_096):
            self._said = (self._said + block)[-_SAID_BYTES_MAX:]

    def _last_words(self) -> str:
        lines = [line for line in self._said.decode("utf-8", "replace").splitlines() if line]
        return f" ({lines[-1].strip()[:200]})" if lines else ""

    async def _end(self) -> None:
        """Let go of the child, if there is one, and wait until it is gone."""
        child, self._child = self._child, None
        if child is not None:
            if child.stdin is not None:
                child.stdin.close()
            try:
                await asyncio.wait_for(child.wait(), 2)
            except TimeoutError:
                child.kill()
                await child.wait()
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])
            self._listening = None


def _look_at(starting: asyncio.Task[Address]) -> None:
    """A start that nobody waits for any more may fail in silence; the next use tells it."""
    if not starting.cancelled():
        starting.exception()
