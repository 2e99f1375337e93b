"""A process that dies does not make free what it has spent."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from parlour.store.database import Database
from parlour.store.ledger import Ledger, Sum
from tests.live.process import script, served

BOUND_S = 20
MANY = " ".join(f"w{number}" for number in range(2_000))


async def booked(database: Database) -> Sum:
    """The one row, once there is one."""
    async with asyncio.timeout(BOUND_S):
        while True:
            found = await Ledger(database).sums("call")
            if found:
                return found[0]
            await asyncio.sleep(0.05)


async def heartbeat(database: Database) -> None:
    """Wait until the running turn has told what it spent."""
    async with asyncio.timeout(BOUND_S):
        while True:
            if await database.fetch("SELECT 1 FROM turns WHERE spent IS NOT NULL"):
                return
            await asyncio.sleep(0.02)


@pytest.mark.promise("P16")
async def test_the_turn_of_a_killed_process_is_booked_as_estimated(
    tmp_path: Path, database_url: str
) -> None:
    given = {
        "PARLOUR_MODEL": script(
            tmp_path, [{"when": "slow", "steps": [{"text": MANY, "pace": 40}]}]
        ),
        "PARLOUR_DATABASE_URL": database_url,
        "PARLOUR_LIMITS__LEASE_S": "2",
    }
    database = await Database.open(database_url)
    try:
        async with served(tmp_path, **given) as first:
            await first.begin("t", "slow please")
            await heartbeat(database)
            await first.kill()
        async with served(tmp_path, **given, PARLOUR_SHUTDOWN_S="1"):
            row = await booked(database)
    finally:
        await database.close()
    assert row.usage.estimated
    assert row.usage.input > 0
    assert 0 < row.usage.output < 2_000


@pytest.mark.promise("P16")
async def test_a_process_killed_before_its_first_heartbeat_is_booked_by_what_was_asked(
    tmp_path: Path, database_url: str
) -> None:
    given = {
        "PARLOUR_MODEL": script(
            tmp_path, [{"when": "slow", "steps": [{"text": MANY, "pace": 40}]}]
        ),
        "PARLOUR_DATABASE_URL": database_url,
    }
    database = await Database.open(database_url)
    try:
        async with served(tmp_path, **given, PARLOUR_LIMITS__LEASE_S="60") as first:
            await first.begin("t", "slow " + "please " * 100)
            await first.kill()
        await database.fetch("UPDATE turns SET lease_until = now() RETURNING id")
        async with served(tmp_path, **given, PARLOUR_SHUTDOWN_S="1"):
            row = await booked(database)
    finally:
        await database.close()
    assert row.usage.estimated
    assert row.usage.output == 0
    assert row.usage.input > 100
