"""Waiting for the database: long while it serves others, short while it does not answer."""

from __future__ import annotations

import asyncio

import pytest

from parlour.store import queue
from parlour.store.queue import PoolQueue


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "WAIT_S", 0.05)


async def test_places_go_to_who_waited_longest() -> None:
    it = PoolQueue(1)
    await it.enter()
    it.served()
    order: list[str] = []

    async def enter(name: str) -> None:
        await it.enter()
        order.append(name)
        it.leave()

    tasks = [asyncio.create_task(enter(name)) for name in "abc"]
    await asyncio.sleep(0)
    it.leave()
    await asyncio.wait_for(asyncio.gather(*tasks), 5)
    assert order == ["a", "b", "c"]
    await asyncio.wait_for(it.enter(), 1)  # and the place is free again


async def test_nobody_waits_long_for_a_database_that_answers_nobody() -> None:
    it = PoolQueue(1)
    await it.enter()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(it.enter(), 5)


async def test_who_waits_keeps_waiting_while_others_are_served() -> None:
    it = PoolQueue(1)
    await it.enter()
    it.served()
    waiting = asyncio.create_task(it.enter())
    for _ in range(6):  # three times as long as without an answer
        done, _ = await asyncio.wait((waiting,), timeout=0.025)
        assert not done
        it.served()
    it.leave()
    await asyncio.wait_for(waiting, 5)


async def test_the_whole_wait_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "QUEUE_S", 0.1)
    it = PoolQueue(1)
    await it.enter()
    waiting = asyncio.create_task(it.enter())
    while not (await asyncio.wait((waiting,), timeout=0.01))[0]:
        it.served()
    with pytest.raises(TimeoutError):
        await waiting


async def test_the_crowd_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "WAITING_MAX", 0)
    it = PoolQueue(1)
    await it.enter()
    with pytest.raises(TimeoutError):
        await it.enter()


async def test_who_leaves_the_queue_takes_no_place() -> None:
    it = PoolQueue(1)
    await it.enter()
    it.served()
    gone = asyncio.create_task(it.enter())
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    it.leave()
    await asyncio.wait_for(it.enter(), 1)


async def test_a_place_given_in_the_moment_of_leaving_is_passed_on() -> None:
    it = PoolQueue(1)
    await it.enter()
    it.served()
    gone = asyncio.create_task(it.enter())
    await asyncio.sleep(0)
    it.leave()
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    await asyncio.wait_for(it.enter(), 1)
