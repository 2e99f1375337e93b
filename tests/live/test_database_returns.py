"""A database that goes away in two ways, and comes back to processes that were never restarted."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Literal

import pytest

from chaos.house import database_target, database_url_through
from chaos.link import link
from tests.house import House, final, said
from tests.journey.conftest import HELLO, OpenHouse

HEALTHY_S = 5
Way = Literal["refuse", "blackhole"]  # Postgres is down; or its machine says nothing any more
REFUSED_S: dict[Way, float] = {"refuse": 2, "blackhole": 10}


async def send(house: House, number: int) -> tuple[int, Any, float, str]:
    """Status, body, seconds and Retry-After of a message that is sent without reading on."""
    began = time.monotonic()
    headers = {"accept": "application/json"}
    async with house.start(f"c{number}", "hello", headers) as response:
        body = await response.json()
        wait = response.headers.get("retry-after", "")
        return response.status, body, time.monotonic() - began, wait


@pytest.mark.promise("P1", "P6")
@pytest.mark.parametrize("way", ["refuse", "blackhole"])
async def test_without_its_database_it_refuses_at_once_and_is_well_again_soon_after(
    open_house: OpenHouse, database_url: str, way: Way
) -> None:
    async with link("database", database_target(database_url), 1) as line:
        url = database_url_through(line, database_url)
        async with open_house(HELLO, database_url=url) as house:
            assert final(await house.ask("c0", "hello")).status == "done"
            line.set(way)
            sent = await asyncio.gather(*(send(house, number) for number in range(1, 6)))
            for status, body, took_s, wait in sent:
                assert (status, body["code"]) == (503, "store_unavailable")
                assert took_s < REFUSED_S[way]
                assert int(wait) > 0
            assert (await house.get("/health/ready"))[0] == 503
            assert (await house.get("/health/live"))[0] == 200

            line.set("fair")
            back = time.monotonic()
            number = 10
            while (await send(house, number))[0] != 202:
                assert time.monotonic() - back < HEALTHY_S
                await asyncio.sleep(0.05)
                number += 1
            assert time.monotonic() - back < HEALTHY_S
            assert (await house.get("/health/ready"))[0] == 200
            assert said(await house.ask("after", "hello")) == "Hello there, friend."
            for refused in range(1, 6):  # nothing was acknowledged, so nothing is there
                assert (await house.get(f"/api/threads/c{refused}"))[0] == 404
