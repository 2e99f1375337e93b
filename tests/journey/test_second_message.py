"""A second message while the first is being answered: refused, queued, or the first stops."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from parlour.models.scripted import ScriptedModel
from tests.house import House, final, said
from tests.journey.conftest import OpenHouse, Script

SCRIPT: Script = [
    {"when": "first", "steps": [{"text": "One."}, {"gate": "go"}, {"text": " Done."}]},
    {"when": "second", "steps": [{"text": "Two."}]},
    {"when": "third", "steps": [{"text": "Three."}]},
]


def policy(second_message: str, **more: Any) -> dict[str, Any]:
    return {"policy": {"turns": {"second_message": second_message, **more}}}


def model(house: House) -> ScriptedModel:
    assert isinstance(house.services.model, ScriptedModel)
    return house.services.model


async def test_by_default_it_is_refused_and_the_first_goes_on(open_house: OpenHouse):
    async with open_house(SCRIPT) as house:
        first = asyncio.ensure_future(house.ask("c1", "first"))
        await model(house).reached("go")
        async with house.start("c1", "second") as response:
            assert response.status == 409
            assert (await response.json())["code"] == "turn_in_progress"
        model(house).open("go")
        assert said(await first) == "One. Done."


async def test_a_queued_one_is_answered_after_the_first_in_the_order_they_came(
    open_house: OpenHouse,
):
    async with open_house(SCRIPT, **policy("queue")) as house:
        first = asyncio.ensure_future(house.ask("c1", "first"))
        await model(house).reached("go")
        second = asyncio.ensure_future(house.ask("c1", "second", message_id="m2"))
        await waiting(house, 1)
        third = asyncio.ensure_future(house.ask("c1", "third", message_id="m3"))
        await waiting(house, 2)
        again = asyncio.ensure_future(house.ask("c1", "second", message_id="m2"))
        await waiting(house, 3)
        model(house).open("go")
        frames = [await task for task in (first, second, third, again)]
        assert [said(each) for each in frames] == ["One. Done.", "Two.", "Three.", "Two."]
        assert frames[3][0].body["turn_id"] == frames[1][0].body["turn_id"]
        _, body = await house.get("/api/threads/c1")
        assert [m["role"] for m in body["messages"]] == ["user", "assistant"] * 3


async def test_no_more_wait_than_may(open_house: OpenHouse):
    async with open_house(SCRIPT, **policy("queue", queued_max=1)) as house:
        first = asyncio.ensure_future(house.ask("c1", "first"))
        await model(house).reached("go")
        second = asyncio.ensure_future(house.ask("c1", "second"))
        await waiting(house, 1)
        async with house.start("c1", "third") as response:
            assert response.status == 409
        model(house).open("go")
        assert said(await first) == "One. Done."
        assert said(await second) == "Two."


async def test_who_has_waited_long_enough_is_refused_and_nothing_of_theirs_is_stored(
    open_house: OpenHouse,
):
    async with open_house(SCRIPT, **policy("queue", queue_s=0.05)) as house:
        first = asyncio.ensure_future(house.ask("c1", "first"))
        await model(house).reached("go")
        async with house.start("c1", "second") as response:
            assert response.status == 409
        model(house).open("go")
        await first
        _, body = await house.get("/api/threads/c1")
        assert len(body["messages"]) == 2


@pytest.mark.promise("P4")
async def test_the_first_is_stopped_for_the_second_where_that_is_the_policy(
    open_house: OpenHouse,
):
    async with open_house(SCRIPT, **policy("stop")) as house:
        first = asyncio.ensure_future(house.ask("c1", "first"))
        await model(house).reached("go")
        assert said(await house.ask("c1", "second")) == "Two."
        frames = await first
        assert final(frames).status == "stopped"
        assert said(frames) == "One."


async def waiting(house: House, many: int) -> None:
    """Until so many stand in line."""
    lines = house.services.runner._second._lines
    async with asyncio.timeout(5):
        while sum(line.waiting for line in lines.values()) < many:  # noqa: ASYNC110  # no event
            await asyncio.sleep(0)
