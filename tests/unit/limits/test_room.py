"""Room for turns is bounded on both sides, and fair between workspaces."""

from __future__ import annotations

import asyncio

import pytest

from parlour.errors import Overloaded
from parlour.limits.room import Room


async def test_the_last_place_is_given_and_the_next_is_refused():
    room = Room(turns_max=2, wait_s=0.01)
    await room.enter("a")
    await room.enter("b")
    with pytest.raises(Overloaded, match="try again"):
        await room.enter("a")
    room.leave("a")
    await room.enter("a")


async def test_a_place_that_becomes_free_goes_to_the_one_who_waited_longest():
    room = Room(turns_max=1, wait_s=5, waiting_max=1)
    await room.enter("a")
    order: list[str] = []

    async def wait(name: str) -> None:
        await room.enter("a")
        order.append(name)

    tasks = []
    for name in "ab":
        tasks.append(asyncio.ensure_future(wait(name)))
        await asyncio.sleep(0)
    # Only one may wait: the second is refused at once.
    with pytest.raises(Overloaded):
        await tasks[1]
    room.leave("a")
    await asyncio.wait_for(tasks[0], 5)
    assert order == ["a"]


async def test_one_who_gave_up_does_not_take_a_place():
    room = Room(turns_max=1, wait_s=5)
    await room.enter("a")
    waiting = asyncio.ensure_future(room.enter("a"))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    room.leave("a")
    await asyncio.wait_for(room.enter("a"), 5)


@pytest.mark.promise("P18")
async def test_one_workspace_never_fills_the_room():
    room = Room(turns_max=20, wait_s=0.01)
    for _ in range(18):
        await room.enter("crowd")
    with pytest.raises(Overloaded):
        await room.enter("crowd")
    await room.enter("other")
    await room.enter("other")


@pytest.mark.promise("P18")
async def test_five_hundred_who_wait_in_one_workspace_stand_behind_the_first_of_another():
    room = Room(turns_max=600, wait_s=30)
    for _ in range(540):
        await room.enter("crowd")
    for _ in range(60):
        await room.enter("third")
    crowd = [asyncio.ensure_future(room.enter("crowd")) for _ in range(500)]
    await asyncio.sleep(0)
    other = asyncio.ensure_future(room.enter("other"))
    await asyncio.sleep(0)
    room.leave("crowd")  # the very next place
    await asyncio.wait_for(other, 5)
    assert not any(task.done() for task in crowd)
    for task in crowd:
        task.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)
    room.leave("other")
    room.leave("crowd")
    await asyncio.wait_for(room.enter("crowd"), 5)  # those who gave up take no place
