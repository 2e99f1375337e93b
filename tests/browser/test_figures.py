"""What whoever runs the service sees of an answer: by which route, what it cost, and a restart."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenDesk
from tests.browser.test_safety import SECRET, token
from tests.journey.test_takeover import left_behind

RESTARTED = "Continued after a restart"


async def test_an_answers_route_and_cost_are_told_to_developers(open_desk: OpenDesk):
    async with open_desk() as desk:
        await desk.open()
        await desk.ask_and_wait("hello")
        for _ in range(2):
            await desk.button("Details").click()
            details = desk.answer.locator("dl")
            await expect(details).to_contain_text("Route")
            await expect(details).to_contain_text("region not stated")
            await expect(details).to_contain_text("Cost")
            await desk.page.reload()


@pytest.mark.parametrize(("roles", "told"), [(["developer"], 1), ([], 0)])
async def test_people_do_not_see_them_and_developers_do(
    open_desk: OpenDesk, roles: list[str], told: int
):
    async with open_desk(secret=SECRET) as desk:
        await desk.open(f"/#token={token(roles=roles)}")
        await desk.ask_and_wait("hello")
        await desk.button("Details").click()
        details = desk.answer.locator("dl")
        await expect(details).to_contain_text("Model")
        for name in ("Route", "Cost"):
            await expect(details.get_by_text(name, exact=True)).to_have_count(told)


@pytest.mark.promise("P5")
async def test_an_answer_says_where_it_was_continued_after_a_restart(open_desk: OpenDesk):
    async with open_desk(limits={"lease_s": 1}) as desk:
        await left_behind(desk.house.services.database, "gate")
        await desk.open("/c/c1")
        await desk.reached("middle")
        await expect(desk.answer).to_contain_text(RESTARTED)
        await expect(desk.text).to_have_text("Before the gate.")
        desk.model.open("middle")
        await expect(desk.text).to_have_text("Before the gate. After the gate.")
        await desk.idle()
        assert await desk.axe() == []
        words = await desk.answer.inner_text()
        assert words.index(RESTARTED) < words.index("Before the gate.")
        await desk.page.reload()
        await expect(desk.answer).to_contain_text(RESTARTED)
        await expect(desk.text).to_have_text("Before the gate. After the gate.")
