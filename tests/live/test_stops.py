"""A stop that is acknowledged is one: asked for in one process of a turn that runs in another."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from redis.asyncio import Redis

from parlour.chat.stopping import CONFIRM_S
from tests.house import final
from tests.live.process import Served, until_token
from tests.live.test_takeover import two_processes
from tests.redis_server import RedisServer

HEARTBEAT_LATE = {"PARLOUR_LIMITS__LEASE_S": "60"}  # nobody hears of a stop by its heartbeat


async def status_of(it: Served, thread: str) -> str:
    _, body = await it.get(f"/api/threads/{thread}")
    return body["messages"][-1]["status"]


@pytest.mark.promise("P4")
@pytest.mark.parametrize("redis_is", ["there", "gone", "silent"])
async def test_when_a_stop_is_acknowledged_the_turn_has_ended(
    tmp_path: Path, database_url: str, new_redis: Callable[[], RedisServer], redis_is: str
):
    redis = new_redis()
    redis.start()
    async with two_processes(tmp_path, database_url, redis.url, **HEARTBEAT_LATE) as (a, b):
        turn = (await a.begin("c1", "at length"))["turn_id"]
        await until_token(a, "c1", turn, 2)
        if redis_is == "gone":
            redis.kill()
        elif redis_is == "silent":
            async with Redis.from_url(redis.url) as client:
                await client.execute_command("CLIENT", "PAUSE", 60_000, "ALL")
        status, body = await b.post(f"/api/threads/c1/turns/{turn}/stop")
        assert (status, body["turn_id"]) == (202, turn)
        assert await status_of(b, "c1") == "stopped"
        assert final(await a.read("c1", turn)).status == "stopped"


@pytest.mark.promise("P4")
async def test_a_stop_that_its_owner_does_not_hear_is_pending_and_comes_true_later(
    tmp_path: Path, database_url: str, redis_url: str
):
    async with two_processes(tmp_path, database_url, redis_url, **HEARTBEAT_LATE) as (a, b):
        turn = (await a.begin("c1", "at length"))["turn_id"]
        await until_token(a, "c1", turn, 2)
        a.process.send_signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            status, body = await b.post(f"/api/threads/c1/turns/{turn}/stop")
            waited = time.monotonic() - began
        finally:
            a.process.send_signal(signal.SIGCONT)
        assert (status, body["code"], body["retryable"]) == (503, "stop_pending", True)
        assert waited > CONFIRM_S / 2
        assert final(await a.read("c1", turn)).status == "stopped"  # it was stored
        status, _ = await b.post(f"/api/threads/c1/turns/{turn}/stop")
        assert status == 202
