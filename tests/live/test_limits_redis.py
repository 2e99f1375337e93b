"""Limits of several processes, and of none when their Redis is gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from parlour.store.ledger import Ledger
from tests.house import House, final
from tests.journey.conftest import HELLO, OpenHouse
from tests.redis_server import RedisServer

SECRET = "s" * 32
REPLY_MAX = 500
LIMIT = 100_000
SCRIPT = [
    {
        "when": "spend (\\d+)",
        "steps": [{"text": "Done."}, {"usage": {"input": 200, "output": REPLY_MAX}}],
    },
    *HELLO,
]
HEALS_S = 10


def token(user: str = "ann") -> str:
    body = {"sub": user, "workspace": "acme", "aud": "parlour", "exp": time.time() + 600}
    return jwt.encode(body, SECRET, algorithm="HS256")


def given(redis: RedisServer, **limits: Any) -> dict[str, Any]:
    return {
        "secret": SECRET,
        "redis_url": redis.url,
        "limits": {"reply_tokens_max": REPLY_MAX},
        "policy": {"limits": {"tiers": {"free": limits}}},
    }


async def spent(house: House) -> int:
    return (await Ledger(house.services.database).spent("acme", "ann", month=False)).day_tokens


async def spend(house: House, thread: str) -> int:
    """Ask and wait for the end; the status."""
    async with house.start(thread, "spend 1") as response:
        await response.text()
        return response.status


@pytest.mark.promise("P17")
async def test_200_at_once_on_two_processes_overspend_by_one_reply_at_most(
    open_house: OpenHouse, new_redis: Callable[[], RedisServer]
) -> None:
    redis = new_redis()
    redis.start()
    limits = given(redis, tokens_per_day=LIMIT, turns_at_once=1_000, requests_per_hour=10_000)
    async with (
        open_house(SCRIPT, token(), **limits) as one,
        open_house(SCRIPT, token(), **limits) as two,
    ):
        await spend(one, "first")
        before = await spent(one)
        # Leave about 1,000 tokens more than one prompt is taken to need.
        around = one.services.till._around
        filler = LIMIT - before - around - 1_000
        await one.services.till.quotas.add("acme", "ann", _used(filler))
        statuses = await asyncio.gather(*(spend((one, two)[n % 2], f"t{n}") for n in range(200)))
        assert set(statuses) == {200, 429}
        total = filler + await spent(one)
        assert total - LIMIT <= REPLY_MAX
        _, told = await two.get("/api/limits")
        day = next(limit for limit in told["limits"] if limit["limit"] == "tokens_per_day")
        assert day["used"] == total


def _used(tokens: int) -> Any:
    from parlour.limits.levels import Amount, Done  # noqa: PLC0415

    return Done("elsewhere", spent=Amount(tokens))


async def used(house: House, name: str) -> int:
    _, told = await house.get("/api/limits")
    return next(limit["used"] for limit in told["limits"] if limit["limit"] == name)


@pytest.mark.promise("P17")
@pytest.mark.parametrize("shared", [True, False])
async def test_what_a_process_has_spent_that_leaves_is_counted_once(
    open_house: OpenHouse, new_redis: Callable[[], RedisServer], shared: bool
) -> None:
    redis = new_redis()
    redis.start()
    given_ = given(redis, tokens_per_day=LIMIT)
    if not shared:
        del given_["redis_url"]
    async with open_house(SCRIPT, token(), **given_, shutdown_s=0.1) as leaving:
        model: Any = leaving.services.router.client("default")
        started = await leaving.begin("one", "gate")
        await model.reached("middle")
    async with open_house(SCRIPT, token(), **given_) as staying:
        await spend(staying, "two")  # its limits are known there before it goes on
        model = staying.services.router.client("default")
        model.open("middle")
        frames = await staying.read("one", started["turn_id"])
        assert final(frames).status == "done"
        assert any(frame.event == "restart" for frame in frames)
        assert await used(staying, "tokens_per_day") == await spent(staying)
        assert await used(staying, "requests_per_hour") == 2


@pytest.mark.promise("P7")
async def test_without_redis_nothing_is_spent_reading_goes_on_and_it_heals(
    open_house: OpenHouse, new_redis: Callable[[], RedisServer]
) -> None:
    redis = new_redis()
    redis.start()
    async with open_house(SCRIPT, token(), **given(redis, requests_per_hour=3)) as house:
        frames = await house.ask("one", "hello", message_id="m1")
        assert final(frames).status == "done"
        redis.kill()
        began = time.monotonic()
        async with house.start("two", "hello") as response:
            problem = await response.json()
            assert (response.status, problem["code"]) == (503, "limits_unavailable")
            assert int(response.headers["retry-after"]) > 0
        assert time.monotonic() - began < 5
        assert (await house.get("/api/limits"))[1]["code"] == "limits_unavailable"
        # What is there is read, and what was accepted is joined.
        status, thread = await house.get("/api/threads/one")
        assert (status, len(thread["messages"])) == (200, 2)
        again = await house.ask("one", "hello", message_id="m1")
        assert final(again).status == "done"
        redis.start()  # empty
        async with asyncio.timeout(HEALS_S):
            while True:
                async with house.start("two", "hello") as response:
                    await response.text()
                    if response.status == 200:
                        break
                await asyncio.sleep(0.05)
        # An empty Redis gave nobody a new hour: two of three questions are used.
        _, told = await house.get("/api/limits")
        asked = next(one for one in told["limits"] if one["limit"] == "requests_per_hour")
        assert asked["used"] == 2


@pytest.mark.promise("P7")
async def test_a_turn_that_runs_when_redis_goes_ends_well_and_is_booked(
    open_house: OpenHouse, new_redis: Callable[[], RedisServer]
) -> None:
    redis = new_redis()
    redis.start()
    async with open_house(SCRIPT, token(), **given(redis, requests_per_hour=9)) as house:
        model: Any = house.services.router.client("default")
        started = await house.begin("one", "gate")
        await model.reached("middle")
        redis.kill()
        model.open("middle")
        frames = await house.read("one", started["turn_id"])
        assert final(frames).status == "done"
        (row,) = await Ledger(house.services.database).sums("call")
        assert not row.usage.estimated
