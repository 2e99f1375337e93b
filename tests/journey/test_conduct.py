"""Answers that are not honest about their tools: told where it is sure, counted where it is not."""

from __future__ import annotations

from typing import Any

from tests.house import House, said
from tests.journey.conftest import OpenHouse, Script
from tests.journey.test_privacy import rows
from tests.journey.test_seeds import metrics, notices

CALCULATOR = "parlour__calculator"


def sums(*expressions: str) -> dict[str, Any]:
    return {"calls": [{"name": CALCULATOR, "arguments": {"expression": e}} for e in expressions]}


def script(*rounds: dict[str, Any], answer: str) -> Script:
    return [{"when": "", "rounds": [*([step] for step in rounds), [{"text": answer}]]}]


async def hits(house: House, rule: str) -> float:
    found = [
        line.rpartition(" ")[2]
        for line in (await metrics(house)).splitlines()
        if line.startswith(f'parlour_rule_hits_total{{rule="{rule}"}}')
    ]
    return float(found[0]) if found else 0.0


async def test_people_are_told_of_a_failure_that_the_answer_keeps_quiet(
    open_house: OpenHouse, database_url: str
):
    async with open_house(script(sums("1 / 0"), answer="Done, it is seven!")) as house:
        frames = await house.ask("c1", "What is one by zero?")
        assert notices(frames, "tool_failed") == ["Not everything worked: «Calculate» failed."]
        assert [frame.event for frame in frames][-2:] == ["notice", "finalize"]
        assert said(frames) == "Done, it is seven!"
        assert await hits(house, "failures") == 1
        await house.services.audit.flush()
        assert "failures" in await rows(database_url, "audit_facts")


async def test_an_answer_that_admits_it_needs_no_more(open_house: OpenHouse):
    answer = "That cannot be done: nothing can be divided by zero."
    async with open_house(script(sums("1 / 0"), answer=answer)) as house:
        frames = await house.ask("c1", "What is one by zero?")
        assert notices(frames, "tool_failed") == []
        assert await hits(house, "failures") == 0


async def test_a_tool_that_worked_in_the_end_has_not_failed(open_house: OpenHouse):
    async with open_house(script(sums("1 / 0"), sums("8 / 2"), answer="It is 4.")) as house:
        assert notices(await house.ask("c1", "Divide it"), "tool_failed") == []
        assert await hits(house, "failures") == 0


async def test_a_figure_that_no_tool_gave_is_counted(open_house: OpenHouse):
    async with open_house(script(sums("12 * 12"), answer="It is 145.")) as house:
        frames = await house.ask("c1", "What is a dozen dozens?")
        assert said(frames) == "It is 145."  # watched, not stopped
        assert await hits(house, "figures") == 1


async def test_an_answer_in_another_language_is_counted(open_house: OpenHouse):
    answer = "Das ist nicht schwer: der Umsatz ist höher."
    async with open_house([{"steps": [{"text": answer}]}]) as house:
        frames = await house.ask("c1", "Wie ist der Umsatz, und ist das nicht viel?")
        assert await hits(house, "language") == 0
        frames = await house.ask("c1", "What is the revenue, and how is that of the south?")
        assert said(frames) == answer  # watched, not stopped
        assert await hits(house, "language") == 1


async def test_a_figure_of_a_tool_or_of_the_question_is_not(open_house: OpenHouse):
    answer = "1,000 times 2.5 is 2,500, and you asked in 2026."
    async with open_house(script(sums("1000 * 2.5"), answer=answer)) as house:
        await house.ask("c1", "It is 2026. What is 1000 * 2.5?")
        assert await hits(house, "figures") == 0
