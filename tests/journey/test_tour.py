"""The guided tour, step by step, as whoever has just started Parlour takes it."""

from __future__ import annotations

from parlour.api.access import LOCAL
from parlour.events import types as ev
from tests.house import events_of, final, said
from tests.journey.conftest import HELLO, OpenHouse
from tests.journey.test_seeds import notices, results
from tests.journey.test_waiting import statuses


async def test_the_slow_tool_says_how_far_it_is_and_the_page_what_we_wait_for(
    open_house: OpenHouse,
):
    async with open_house(model="scripted:") as house:
        frames = await house.ask("c1", "Bake me an imaginary loaf")
    assert final(frames).status == "done"
    steps = [e.text for e in events_of(frames) if isinstance(e, ev.Progress)]
    assert steps == ["Kneading (1 of 3)", "Resting (2 of 3)", "Baking (3 of 3)"]
    assert statuses(frames) == ["Still waiting for «Bake an imaginary loaf»…"]
    kinds = [f.event for f in frames if f.event in {"progress", "status"}]
    assert kinds == ["progress", "progress", "status", "progress"]
    assert "https://en.wikipedia.org/wiki/Bread" in said(frames)


async def test_the_fourth_of_four_sums_meets_the_limit(open_house: OpenHouse):
    async with open_house(model="scripted:") as house:
        frames = await house.ask("c1", "Work out four sums at once")
    assert sorted(r.status for r in results(frames)) == ["failed", "ok", "ok", "ok"]
    assert notices(frames, "limit") == [
        "One question may use 3 tool calls: 1 tool call was not made."
    ]
    assert "14 * 14 = 196" in said(frames)
    assert "225" not in said(frames)


async def test_an_invented_link_is_words(open_house: OpenHouse):
    async with open_house(model="scripted:") as house:
        frames = await house.ask("c1", "Show me a link you made up")
    assert said(frames).startswith("Here is your quarterly report on daydreams.")
    assert "example.com" not in said(frames)


async def test_the_slow_tool_is_there_for_the_guide_alone(open_house: OpenHouse):
    async with open_house(HELLO) as house:
        names = {spec.name for spec in await house.services.toolbox.specs(LOCAL)}
        assert "parlour__calculator" in names
        assert "tour__bake" not in names
