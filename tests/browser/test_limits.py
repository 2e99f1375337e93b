"""What people see of limits: what is left, why nothing can be sent, and what an answer cost."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from playwright.async_api import expect

from tests.browser.conftest import OpenDesk
from tests.browser.desk import Desk
from tests.browser.test_safety import SECRET, token

SHOTS = os.environ.get("PARLOUR_SHOTS", "")  # a directory for pictures, for whoever looks at them


def tier(**limits: Any) -> dict[str, Any]:
    return {"secret": SECRET, "policy": {"limits": {"tiers": {"free": limits}}}}


async def picture(desk: Desk, name: str) -> None:
    """Pictures at two widths in both themes, when somebody asks for them."""
    if not SHOTS:
        return
    for width in (1280, 390):
        await desk.page.set_viewport_size({"width": width, "height": 800})
        for theme in ("light", "dark"):
            await desk.page.emulate_media(color_scheme=theme)
            await desk.page.screenshot(path=Path(SHOTS) / f"{name}-{width}-{theme}.png")
    await desk.page.set_viewport_size({"width": 1280, "height": 800})


async def test_what_is_left_is_shown_from_80_percent_and_then_the_box_says_why_it_is_off(
    open_desk: OpenDesk,
) -> None:
    window = {"timezone_id": "Asia/Kolkata"}
    async with open_desk(window, **tier(requests_per_hour=5, tokens_per_day=50_000)) as desk:
        await desk.open(f"/#token={token()}")
        quota = desk.page.locator("#quota")
        for _ in range(3):
            await desk.ask_and_wait("hello")
        await expect(quota).to_have_count(0)
        await desk.ask_and_wait("hello")
        await expect(quota).to_contain_text("1 of 5 questions left this hour. More at ")
        await expect(desk.answer).to_contain_text("You have used 80 % of 5 questions an hour.")
        await picture(desk, "near")
        await desk.ask_and_wait("hello")
        await expect(quota).to_contain_text("You have used the 5 questions this hour.")
        clock = await desk.page.evaluate(
            "fetch('/api/limits', {headers: {authorization: 'Bearer ' + '" + token() + "'}})"
            ".then(r => r.json()).then(b => new Intl.DateTimeFormat('en-GB', {timeStyle: 'short'})"
            ".format(new Date(b.limits.find(l => l.limit === 'requests_per_hour').resets_at)))"
        )
        await expect(quota).to_contain_text(f"You can write again at {clock}.")
        await expect(desk.box).to_be_disabled()
        await expect(desk.button("Send")).to_be_disabled()
        described = await desk.box.get_attribute("aria-describedby")
        assert "quota" in (described or "").split()
        assert await desk.axe() == []
        await picture(desk, "off")


async def test_a_message_that_another_tab_left_no_room_for_is_kept_and_explained(
    open_desk: OpenDesk,
) -> None:
    async with open_desk(**tier(requests_per_hour=2)) as desk:
        desk.expects("429")
        await desk.open(f"/#token={token()}")
        await desk.ask_and_wait("hello")
        headers = {"authorization": f"Bearer {token()}"}
        async with desk.house.start("elsewhere", "hello", headers) as response:
            await response.text()
        await desk.ask("Not so fast")
        card = desk.page.get_by_role("region", name="Your message was not sent")
        await expect(card).to_contain_text("A limit is reached.")
        await expect(desk.page.locator("#quota")).to_contain_text("You have used the 2 questions")
        await picture(desk, "refused")
        await desk.button("Put it back in the box").click()
        await expect(desk.box).to_have_value("Not so fast")
        await expect(desk.button("Send")).to_be_disabled()


async def test_an_answers_details_tell_its_cost_or_that_nobody_knows_it(
    open_desk: OpenDesk,
) -> None:
    prices = {"scripted:*": {"input": "1000", "output": "2000"}}
    async with open_desk(policy={"ledger": {"prices": prices}}) as desk:
        await desk.open()
        await desk.ask_and_wait("hello")
        await desk.button("Details").click()
        await expect(desk.answer.locator("dl")).to_contain_text("Cost")
        await expect(desk.answer.locator("dl")).to_contain_text("US$")
        told = await desk.answer.locator("dl").inner_text()
        await desk.page.reload()
        await desk.button("Details").click()
        for line in told.splitlines():
            if "$" in line:
                await expect(desk.answer.locator("dl")).to_contain_text(line)
