"""Breakers of two processes that share a Redis."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from parlour.events.redis_wire import connect
from parlour.models.breaker import BreakerLimits, Breakers
from parlour.models.breaker_redis import RedisPeers
from tests.redis_server import RedisServer

ROUTE = "d" * 64
WAIT_S = 10


class Process:
    """A process that uses the route; it hears when its breaker changes."""

    def __init__(self, url: str) -> None:
        self._changed = asyncio.Event()
        self.now = 1_000.0
        self.breakers = Breakers(
            BreakerLimits(failures_max=3, open_s=60),
            clock=lambda: self.now,
            on_change=lambda *_: self._changed.set(),
        )
        self.peers = RedisPeers(connect(url, connections=2), self.breakers, lambda: [ROUTE])

    async def rested(self) -> None:
        """The route failed, everybody was told, and its time to rest is over."""
        for _ in range(3):
            self.breakers.failed(ROUTE)
        await self.peers.told()
        self.now += 60
        assert self.breakers.enter(ROUTE) == "trial"

    async def until(self, word: str) -> None:
        async with asyncio.timeout(WAIT_S):
            while self.breakers.look(ROUTE)[0] != word:
                self._changed.clear()
                await self._changed.wait()


@contextlib.asynccontextmanager
async def process(url: str) -> AsyncIterator[Process]:
    it = Process(url)
    await it.peers.start()
    try:
        yield it
    finally:
        await it.peers.close()


async def test_failures_of_two_processes_count_together_and_both_leave_the_route_alone(
    redis_url: str,
) -> None:
    async with process(redis_url) as one, process(redis_url) as other:
        one.breakers.failed(ROUTE)
        one.breakers.failed(ROUTE)
        other.breakers.failed(ROUTE)
        await one.until("open")
        await other.until("open")
        one.breakers.succeeded(ROUTE)
        await other.until("closed")


async def test_one_process_tries_for_all_and_the_others_wait_for_its_word(redis_url: str) -> None:
    async with process(redis_url) as one, process(redis_url) as other:
        await one.rested()
        await other.rested()
        assert [await it.breakers.first(ROUTE) for it in (one, other)] == [True, False]
        assert other.breakers.look(ROUTE)[0] == "open"
        one.breakers.succeeded(ROUTE)
        await other.until("closed")


async def test_a_trial_that_was_stopped_is_left_to_the_next_process(redis_url: str) -> None:
    async with process(redis_url) as one, process(redis_url) as other:
        await one.rested()
        await other.rested()
        assert await one.breakers.first(ROUTE)
        one.breakers.leave(ROUTE)
        await one.peers.told()
        assert await other.breakers.first(ROUTE)


async def test_without_redis_a_process_goes_by_what_it_has_seen(
    new_redis: Callable[[], RedisServer],
) -> None:
    redis = new_redis()
    redis.start()
    async with process(redis.url) as it:
        redis.kill()
        for _ in range(3):
            it.breakers.failed(ROUTE)
        await it.until("open")
        it.now += 60
        assert it.breakers.enter(ROUTE) == "trial"
        assert await it.breakers.first(ROUTE)
