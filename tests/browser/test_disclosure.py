"""What people are told before they talk: seen, read out, acknowledged by sending, kept."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import expect

from parlour.api.access import LOCAL
from parlour.store.receipts import KIND
from tests.browser.conftest import OpenDesk
from tests.browser.desk import Desk

NAME = "About this assistant"
WORDS = re.compile("You are talking to an AI assistant")
PHONE = {"viewport": {"width": 390, "height": 760}, "has_touch": True, "is_mobile": True}


async def receipts(desk: Desk) -> int:
    links = await desk.house.services.trail.links(LOCAL.workspace, user=LOCAL.user, kind=KIND)
    return len(links)


@pytest.mark.promise("P30")
@pytest.mark.parametrize("window", [{}, PHONE], ids=["desk", "phone"])
async def test_the_first_message_says_that_the_notice_was_read(open_desk: OpenDesk, window):
    async with open_desk(window) as desk:
        await desk.open()
        notice = desk.page.get_by_role("region", name=NAME)
        await expect(notice).to_be_in_viewport(ratio=1)
        await expect(notice).to_contain_text(WORDS)
        await expect(desk.page.get_by_text(re.compile("By sending a message"))).to_be_in_viewport()
        assert await receipts(desk) == 0
        await desk.ask_and_wait("hello")
        assert await receipts(desk) == 1
        await expect(notice).to_have_count(0)
        await expect(desk.page.get_by_text(WORDS)).to_be_in_viewport(ratio=1)
        await desk.ask_and_wait("hello again")
        assert await receipts(desk) == 1


async def test_the_box_is_described_by_what_has_to_be_read(desk: Desk):
    await expect(desk.box).to_have_accessible_description(WORDS)
    await desk.ask_and_wait("hello")
    await expect(desk.box).not_to_have_accessible_description(WORDS)


async def test_people_can_see_when_they_were_told(desk: Desk):
    await desk.ask_and_wait("hello")
    await desk.page.get_by_role("button", name="When you were told").click()
    dialog = desk.page.get_by_role("dialog", name=NAME)
    await expect(dialog).to_contain_text(WORDS)
    await expect(dialog.get_by_text(re.compile("Shown to you on"))).to_have_count(1)
    await expect(dialog.locator("code")).to_have_text(re.compile("^r_"))
    await desk.page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)


async def test_who_is_faster_than_the_notice_loses_nothing(open_desk: OpenDesk):
    async with open_desk() as desk:
        desk.expects("428", "ERR_FAILED")
        await desk.page.route("**/api/disclosures?*", lambda route: route.abort())
        await desk.page.goto(desk.url)
        await desk.ask("hello")
        card = desk.page.get_by_role("region", name=re.compile("Please read the note"))
        await expect(card).to_be_visible()
        await expect(desk.page.get_by_role("region", name=NAME)).to_contain_text(WORDS)
        await desk.ask("and once more")
        await desk.articles.nth(1).wait_for()
        await desk.idle()
        await expect(desk.articles).to_have_count(2)
        await expect(desk.articles.first).to_contain_text("hello\nand once more")
        assert await receipts(desk) == 1


async def test_a_reminder_is_shown_before_the_next_message(open_desk: OpenDesk):
    now = [datetime.now(UTC)]
    pause = {"text": {"en": "Time for a pause?"}, "interval_minutes": 20}
    policy = {"disclosure": {"add": {"pause": pause}}}
    async with open_desk(clock=lambda: now[0], policy=policy) as desk:
        await desk.open()
        notice = desk.page.get_by_role("region", name=NAME)
        await expect(notice).to_contain_text("Time for a pause?")
        await desk.ask_and_wait("hello")
        await expect(notice).to_have_count(0)
        now[0] += timedelta(minutes=21)
        desk.expects("428")
        await desk.ask("hello once more")
        card = desk.page.get_by_role("region", name=re.compile("Please read the note"))
        await expect(card).to_be_in_viewport(ratio=1)
        await expect(notice).to_be_in_viewport(ratio=1)
        await expect(notice).to_contain_text("This is a reminder.")
        assert await desk.axe() == []
        await card.get_by_role("button", name="I have read it, send").click()
        await expect(desk.page.locator("article")).to_have_count(4)
        await desk.idle()
        await expect(notice).to_have_count(0)
        assert await receipts(desk) == 2
