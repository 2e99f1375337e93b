"""Room for turns is bounded on both sides."""

from __future__ import annotations

import asyncio

import pytest

from parlour.errors import Overloaded
from parlour.limits.room import Room


async def test_the_last_place_is_given_and_the_next_is_refused():
    room = Room(turns_max=2, wait_s=0.01)
    await room.enter()
    await room.enter()
    with pytest.raises(Overloaded, match="try again"):
        await room.enter()
    room.leave()
    await room.enter()


async def test_a_place_that_becomes_free_goes_to_the_one_who_waited_longest():
    room = Room(turns_max=1, wait_s=5)
    await room.enter()
    order: list[str] = []

    async def wait(name: str) -> None:
        await room.enter()
        order.append(name)

    tasks = []
    for name in "ab":
        tasks.append(asyncio.ensure_future(wait(name)))
        await asyncio.sleep(0)
    # Only one may wait where one may run: the second is refused at once.
    with pytest.raises(Overloaded):
        await tasks[1]
    room.leave()
    await asyncio.wait_for(tasks[0], 5)
    assert order == ["a"]


async def test_one_who_gave_up_does_not_take_a_place():
    room = Room(turns_max=1, wait_s=5)
    await room.enter()
    waiting = asyncio.ensure_future(room.enter())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    room.leave()
    await asyncio.wait_for(room.enter(), 5)
