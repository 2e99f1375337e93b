"""Breakers of several processes: failures are counted in Redis, what is open is read from there.

Nothing here is on the way of a call, but for the one call that tries a route again. A failure is
told in the background, and one task asks once a second about the routes that are in use. Without
Redis each process goes by what it has seen.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from parlour.models.breaker import Breakers

POLL_S = 1.0
PENDING_MAX = 1_000  # tellings under way; more are dropped, each process still knows its own

_log = structlog.get_logger("parlour.breaker")

# KEYS: failures, open, trial. ARGV: failures that open, ms it stays open, ms the count is
# remembered.
_FAILED = """
local failures = redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('DEL', KEYS[3])
if failures >= tonumber(ARGV[1]) then redis.call('SET', KEYS[2], '1', 'PX', ARGV[2]) end
return failures
"""


class RedisPeers:
    """The shared side of `Breakers`; start it once, close it at the end."""

    def __init__(
        self,
        redis: Redis,
        breakers: Breakers,
        routes: Callable[[], Iterable[str]],
        *,
        prefix: str = "parlour",
    ) -> None:
        self._redis = redis
        self._breakers = breakers
        self._routes = routes
        self._prefix = prefix
        self._tasks: set[asyncio.Task[None]] = set()
        self._polling: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    async def start(self) -> None:
        """Begin to listen."""
        self._breakers.peers = self
        self._polling = asyncio.create_task(self._poll(), name="breakers")

    async def close(self) -> None:
        """Stop, and let go of the connection."""
        self._breakers.peers = None
        self._closing.set()
        await self.told()
        if self._polling:
            await self._polling
        await self._redis.aclose(close_connection_pool=True)

    async def told(self) -> None:
        """Return when what was said so far has arrived, or is known to be lost.

        Nothing is cancelled, as that would leave a connection in the middle of an answer: each
        call ends by itself within the client's limit.
        """
        if self._tasks:
            await asyncio.wait(self._tasks)

    def failed(self, route: str) -> None:
        """Count it for all processes."""
        limits = self._breakers.limits
        open_ms = round(limits.open_s * 1000)
        keys = self._keys(route)
        self._tell(
            self._redis.eval(  # pyright: ignore[reportUnknownMemberType]
                _FAILED, 3, *keys, str(limits.failures_max), str(open_ms), str(open_ms * 10)
            )
        )

    def succeeded(self, route: str) -> None:
        """Forget its failures for all processes."""
        self._tell(self._redis.delete(*self._keys(route)))

    def gave_up(self, route: str) -> None:
        """Let another one try."""
        self._tell(self._redis.delete(self._keys(route)[2]))

    async def tries(self, route: str) -> bool:
        """Take the trial, for as long as one may last."""
        most_ms = round(self._breakers.limits.trial_s * 1000)
        try:
            return bool(await self._redis.set(self._keys(route)[2], "1", nx=True, px=most_ms))
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("breaker_not_shared", error=str(error))
            return True

    def _keys(self, route: str) -> tuple[str, str, str]:
        name = f"{self._prefix}:breaker:{{{route[:32]}}}"
        return f"{name}:failures", f"{name}:open", f"{name}:trial"

    def _tell(self, command: Awaitable[Any]) -> None:
        if len(self._tasks) >= PENDING_MAX:
            cast("Any", command).close()
            return
        task = asyncio.create_task(self._told(command))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _told(self, command: Awaitable[Any]) -> None:
        try:
            await command
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("breaker_not_shared", error=str(error))

    async def _poll(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), POLL_S)
                return
            try:
                await self._ask()
            except (RedisError, OSError, TimeoutError) as error:
                _log.debug("breaker_not_read", error=str(error))

    async def _ask(self) -> None:
        routes = list(self._routes())
        if not routes or self._tasks:  # what was just told comes first
            return
        async with self._redis.pipeline(transaction=False) as pipe:
            for route in routes:
                failures, opened, _ = self._keys(route)
                pipe.get(failures)
                pipe.pttl(opened)
            answers = await pipe.execute()
        for place, route in enumerate(routes):
            failures, left_ms = answers[2 * place], answers[2 * place + 1]
            if self._breakers.peers is self and not self._tasks:
                self._breakers.heard(route, int(failures or 0), max(0, left_ms) / 1000)
