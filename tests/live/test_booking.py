"""What a model was paid for is booked, however long the store is gone."""

from __future__ import annotations

import asyncio

import structlog

from chaos.house import database_target, database_url_through
from chaos.link import link
from parlour.chat.booking import Booking
from parlour.domain import ModelCall, TurnId, Usage
from parlour.store.database import Database
from parlour.store.ledger import Ledger
from tests.house import WAIT_S
from tests.live.steps import ANN, count

CALLS = (ModelCall("answer", "scripted:", Usage(input=7, estimated=True)),)


async def until_booked(database: Database, many: int) -> None:
    async with asyncio.timeout(WAIT_S):
        while await count(database, "model_calls") != many:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_calls_of_a_message_that_was_never_stored_wait_for_the_store(
    database: Database, database_url: str
) -> None:
    async with link("database", database_target(database_url), 1) as line:
        through = await Database.open(database_url_through(line, database_url))
        booking = Booking(Ledger(through))
        try:
            line.set("refuse")
            await booking.without_turn(ANN, TurnId("t1"), CALLS)
            await booking.without_turn(ANN, TurnId("t2"), CALLS)
            assert await count(database, "model_calls") == 0
            line.set("fair")
            await until_booked(database, 2)
            line.set("refuse")
            await booking.without_turn(ANN, TurnId("t3"), CALLS)
            line.set("fair")
            await booking.close()  # a process that leaves does not wait for the next try
            assert await count(database, "model_calls") == 3
        finally:
            await booking.close()
            await through.close()


async def test_what_could_not_be_booked_by_the_end_is_said(
    database: Database, database_url: str
) -> None:
    async with link("database", database_target(database_url), 1) as line:
        through = await Database.open(database_url_through(line, database_url))
        booking = Booking(Ledger(through))
        try:
            line.set("refuse")
            with structlog.testing.capture_logs() as said:
                await booking.without_turn(ANN, TurnId("t1"), CALLS)
                await booking.close()
        finally:
            await through.close()
    (lost,) = [entry for entry in said if entry["event"] == "calls_lost"]
    assert (lost["turn_id"], lost["tokens"]) == ("t1", 7)
    assert await count(database, "model_calls") == 0


async def test_what_the_database_rejects_is_said_and_holds_up_nobody(
    database: Database, database_url: str
) -> None:
    rejected = (ModelCall("answer", "scripted:", Usage(input=3), cost_nanos=1 << 70),)
    async with link("database", database_target(database_url), 1) as line:
        through = await Database.open(database_url_through(line, database_url))
        booking = Booking(Ledger(through))
        try:
            line.set("refuse")
            with structlog.testing.capture_logs() as said:
                await booking.without_turn(ANN, TurnId("t1"), rejected)
                await booking.without_turn(ANN, TurnId("t2"), CALLS)
                line.set("fair")
                await until_booked(database, 1)
        finally:
            await booking.close()
            await through.close()
    (lost,) = [entry for entry in said if entry["event"] == "calls_lost"]
    assert (lost["turn_id"], lost["tokens"]) == ("t1", 3)
