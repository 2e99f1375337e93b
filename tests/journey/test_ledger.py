"""Every model call is in the ledger once, with what it used and what it costs."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from parlour.domain import Usage
from parlour.events import types as ev
from parlour.store.ledger import Ledger, Sum
from tests.house import WAIT_S, House, events_of, final
from tests.journey.conftest import OpenHouse
from tests.upstream import Upstream
from tests.upstream_frames import Reply

# The list of prices knows nobody at a loopback address, so the workspace says what it pays.
PAID = {"ledger": {"prices": {"openai:m": {"input": "2", "cache_read": "0.5", "output": "10"}}}}


async def booked(house: House, **which: str) -> list[Sum]:
    sums = await Ledger(house.services.database).sums("call", **which)  # type: ignore[arg-type]
    return sorted(sums, key=lambda one: int(one.key.partition(" ")[0]))


def reports(frames: Any) -> list[ev.UsageReport]:
    return [event for event in events_of(frames) if isinstance(event, ev.UsageReport)]


@pytest.mark.promise("P16")
async def test_each_round_of_a_turn_is_a_row_and_their_sum_is_the_turns(hello: House) -> None:
    frames = await hello.ask("one", "calculate please")
    assert final(frames).status == "done"
    rows = await booked(hello, thread="one")
    assert [row.key.split(" ")[1:] for row in rows] == [["answer", "scripted:script"]] * 2
    assert rows[1].usage == Usage(input=20, output=5)
    told = reports(frames)[-1]
    assert (told.input, told.output) == (
        sum(row.usage.input for row in rows),
        sum(row.usage.output for row in rows),
    )
    assert told.cost_micros == 0  # it runs on this machine
    turn = final(frames)
    assert turn.error is None
    (whole,) = await Ledger(hello.services.database).sums("turn", thread="one")
    assert whole.calls == 2


@pytest.mark.promise("P16")
async def test_what_upstream_counted_is_what_is_billed(open_house: OpenHouse) -> None:
    async with (
        Upstream() as upstream,
        open_house(
            model="openai:m",
            openai_api_key="k",
            openai_base_url=upstream.openai_url,
            policy=PAID,
        ) as house,
    ):
        upstream.next(Reply(text=["a"] * 7, cache_read=4))
        frames = await house.ask("one", "hello")
        (row,) = await booked(house)
        assert not row.usage.estimated
        assert row.cost_nanos == (
            row.usage.input * 2_000 + row.usage.cache_read * 500 + row.usage.output * 10_000
        )
        assert row.usage.cache_read == 4
        assert reports(frames)[-1].cost_micros == (row.cost_nanos + 500) // 1000
        _, thread = await house.get("/api/threads/one")
        usage = thread["messages"][1]["metadata"]["usage"]
        assert usage["cost_micros"] == (row.cost_nanos + 500) // 1000


async def test_a_model_without_a_price_says_so_and_never_costs_0(open_house: OpenHouse) -> None:
    async with (
        Upstream() as upstream,
        open_house(
            model="openai:m", openai_api_key="k", openai_base_url=upstream.openai_url
        ) as house,
    ):
        frames = await house.ask("one", "hello")
        assert reports(frames)[-1].cost_micros is None
        (row,) = await booked(house)
        assert (row.unpriced, row.cost_nanos) == (1, 0)


@pytest.mark.promise("P16")
async def test_a_stopped_turn_is_booked_as_far_as_it_got_and_marked(hello: House) -> None:
    started = await hello.begin("one", "gate")
    model: Any = hello.services.model
    await model.reached("middle")
    await hello.post(f"/api/threads/one/turns/{started['turn_id']}/stop")
    await hello.ended(started["turn_id"])
    (row,) = await booked(hello)
    assert row.usage.estimated
    assert row.usage.output == 2  # "Before. "
    assert row.usage.input > 0


@pytest.mark.promise("P16")
async def test_a_stream_that_breaks_is_booked_and_a_refusal_is_not(open_house: OpenHouse) -> None:
    async with (
        Upstream() as upstream,
        open_house(
            model="openai:m", openai_api_key="k", openai_base_url=upstream.openai_url, policy=PAID
        ) as house,
    ):
        broken = await house.ask("one", "[[fault:cut_fin n=2]]")
        assert final(broken).status == "failed"
        (row,) = await booked(house)
        assert row.usage.estimated
        assert row.usage.output > 0
        assert row.cost_nanos > 0
        for fault in ("rate_limit", "bad_key", "no_model"):
            refused = await house.ask(f"t-{fault}", f"[[fault:{fault}]]")
            assert final(refused).status == "failed"
        assert len(await booked(house)) == 1


@pytest.mark.promise("P2", "P16")
async def test_the_same_message_sent_again_is_paid_once(hello: House) -> None:
    for _ in range(3):
        await hello.ask("one", "hello", message_id="m1")
    assert len(await booked(hello)) == 1


async def test_what_was_spent_stays_when_the_conversation_is_deleted(hello: House) -> None:
    await hello.ask("one", "hello")
    async with hello.http.delete(f"{hello.url}/api/threads/one") as response:
        assert response.status == 204
    (row,) = await Ledger(hello.services.database).sums("user")
    assert (row.key, row.calls) == ("local/local", 1)


async def test_a_conversation_deleted_while_it_is_answered_is_booked_all_the_same(
    hello: House,
) -> None:
    started = await hello.begin("one", "gate")
    model: Any = hello.services.model
    await model.reached("middle")
    async with hello.http.delete(f"{hello.url}/api/threads/one") as response:
        assert response.status == 204
    model.open("middle")
    await hello.ended(started["turn_id"])
    (row,) = await Ledger(hello.services.database).sums("user")
    assert row.calls == 1


LOST_COMMIT = """
CREATE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(1), pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER leave AFTER INSERT ON turns
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION leave();
"""


@pytest.mark.promise("P16")
async def test_a_message_that_could_not_be_stored_is_booked_when_it_had_called_a_model(
    hello: House, database_url: str
) -> None:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as admin:
        await admin.execute(LOST_COMMIT)
    async with hello.start("one", "gate") as response:
        assert response.status == 503
    if ends := [task for task in asyncio.all_tasks() if task.get_name().startswith("turn ")]:
        await asyncio.wait(ends, timeout=WAIT_S)
    (row,) = await Ledger(hello.services.database).sums("user")
    assert (row.key, row.calls, row.usage.estimated) == ("local/local", 1, True)
    assert await hello.services.database.fetch("SELECT id FROM turns") == []
