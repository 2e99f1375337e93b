"""A page whose line to the server breaks, goes silent, or was never there."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import Route, expect

from tests.browser.conftest import OpenDesk, serve
from tests.browser.desk import Desk, until
from tests.browser.line import Line
from tests.browser.scripts import NUMBERS
from tests.house import WAIT_S

SILENCE_MS = 26_000  # a little more than the page waits for a byte


@pytest.mark.promise("P3")
async def test_a_reload_in_the_middle_goes_on_without_doubled_words(desk: Desk):
    await desk.ask("gate")
    await desk.reached("middle")
    await expect(desk.text).to_have_text("Before the gate.")
    await desk.page.reload()
    await expect(desk.text).to_have_text("Before the gate.")
    desk.model.open("middle")
    await expect(desk.text).to_have_text("Before the gate. After the gate.")
    await expect(desk.page.locator("article")).to_have_count(2)


@pytest.mark.promise("P3")
async def test_a_second_tab_shows_the_same_stream(desk: Desk):
    await desk.ask("gate")
    await desk.reached("middle")
    await expect(desk.text).to_have_text("Before the gate.")
    second = await desk.context.new_page()
    desk.watch(second)
    await second.goto(desk.page.url)
    words = second.locator("article .md").last
    await expect(words).to_have_text("Before the gate.")
    desk.model.open("middle")
    await expect(words).to_have_text("Before the gate. After the gate.")
    await expect(desk.text).to_have_text("Before the gate. After the gate.")


@pytest.mark.promise("P3")
async def test_an_answer_comes_exactly_through_a_line_that_is_cut_twice(
    open_desk: OpenDesk, postgres: str
):
    async with (
        serve(postgres) as house,
        Line(house.url).serving() as line,
        open_desk(at=house, through=line.url) as desk,
    ):
        desk.expects("ERR_", "Failed to load resource")
        await desk.open()
        await desk.ask("count")
        for gate, number in (("first", "50"), ("second", "90")):
            await expect(desk.text).to_contain_text(f" {number} ")
            await desk.reached(gate)
            desk.model.open(gate)
            line.cut()  # while words come
            await expect(desk.page.get_by_text("Reconnecting…")).to_be_visible()
        await desk.idle()
        await expect(desk.text).to_have_text(NUMBERS)
        await expect(desk.page.get_by_text("Reconnecting…")).to_have_count(0)


async def test_a_silent_line_is_given_up_and_the_answer_fetched_anew(
    open_desk: OpenDesk, postgres: str
):
    async with (
        serve(postgres) as house,
        Line(house.url).serving() as line,
        open_desk(at=house, through=line.url) as desk,
    ):
        desk.expects("ERR_", "Failed to load resource")
        await desk.page.clock.install()
        await desk.open()
        await desk.ask("gate")
        await desk.reached("middle")
        await expect(desk.text).to_have_text("Before the gate.")
        line.hush()
        desk.model.open("middle")
        line.speak()
        await desk.page.clock.fast_forward(SILENCE_MS)
        await expect(desk.text).to_have_text("Before the gate. After the gate.")
        await desk.idle()


async def test_a_line_that_stays_down_is_left_to_the_person(open_desk: OpenDesk, postgres: str):
    async with (
        serve(postgres) as house,
        Line(house.url).serving() as line,
        open_desk(at=house, through=line.url) as desk,
    ):
        desk.expects("ERR_", "Failed to load resource")
        await desk.page.clock.install()
        await desk.open()
        await desk.ask("gate")
        await desk.reached("middle")
        await expect(desk.text).to_have_text("Before the gate.")
        line.down = True
        line.cut()
        reconnect = desk.button("Reconnect")
        await expect(desk.page.get_by_text("Reconnecting…")).to_be_visible()

        async def given_up() -> bool:
            await desk.page.clock.fast_forward(10_000)
            return await reconnect.is_visible()

        await until(given_up, "the page leaves it to the person")
        await expect(desk.text).to_have_text("Before the gate.")
        desk.model.open("middle")
        line.down = False
        await reconnect.click()
        await expect(desk.text).to_have_text("Before the gate. After the gate.")


async def test_a_message_refused_because_another_is_answered_is_kept(desk: Desk):
    desk.expects("409")
    await desk.ask_and_wait("hello")
    # Somebody else asks in the same conversation, and this page does not know.
    await desk.house.begin(desk.thread(), "gate")
    await desk.reached("middle")
    await desk.ask("my precious words")
    card = desk.page.get_by_label("Your message was not sent")
    await expect(card).to_contain_text("turn_in_progress")
    await card.get_by_role("button", name="Put it back in the box").click()
    await expect(desk.box).to_have_value("my precious words")
    desk.model.open("middle")


async def test_a_message_refused_for_want_of_room_can_be_sent_again(open_desk: OpenDesk):
    async with open_desk(limits={"turns_max": 1, "turn_wait_s": 0.05}) as desk:
        desk.expects("503", "429")
        await desk.open()
        turn = await desk.house.begin("elsewhere", "gate")
        await desk.reached("middle")
        await desk.ask("hello")
        card = desk.page.get_by_label("Your message was not sent")
        await expect(card).to_contain_text("overloaded")
        await expect(desk.page.locator("article").first).to_contain_text("hello")
        desk.model.open("middle")
        await desk.house.ended(turn["turn_id"])
        await card.get_by_role("button", name="Try again").click()
        await expect(desk.text).to_have_text("Hello there, friend.")


async def test_a_message_sent_offline_is_kept_and_sent_later(desk: Desk):
    desk.expects("ERR_INTERNET_DISCONNECTED")
    await desk.context.set_offline(True)
    await desk.ask("hello")
    card = desk.page.get_by_label("Your message was not sent")
    await expect(card).to_contain_text("The server cannot be reached")
    await desk.context.set_offline(False)
    await card.get_by_role("button", name="Try again").click()
    await expect(desk.text).to_have_text("Hello there, friend.")


async def test_a_message_whose_page_died_before_it_arrived_is_in_the_box_again(desk: Desk):
    desk.expects("ERR_INTERNET_DISCONNECTED")
    await desk.context.set_offline(True)
    await desk.ask("not yet sent")
    await expect(desk.page.get_by_label("Your message was not sent")).to_be_visible()
    await desk.context.set_offline(False)
    await desk.page.reload()
    await expect(desk.box).to_have_value("not yet sent")


async def test_what_is_sent_before_the_conversation_is_there_is_sent_after_it(desk: Desk):
    await desk.ask_and_wait("hello")
    may = asyncio.Event()

    async def hold(route: Route) -> None:
        await may.wait()
        await route.continue_()

    await desk.page.route(re.compile(r"/api/threads/[^/]+\?"), hold)
    await desk.page.reload()
    await desk.ask("what is 17.5 % of 2,340")
    await expect(desk.page.get_by_text("Next, when this conversation is loaded")).to_be_visible()
    may.set()
    await expect(desk.page.locator("article")).to_have_count(4)
    await expect(desk.page.locator("article").nth(0)).to_contain_text("hello")
    await desk.idle()
    await expect(desk.page.get_by_text("Next, when")).to_have_count(0)


async def test_a_second_tab_does_not_take_what_the_first_is_sending(desk: Desk):
    asking, may = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        asking.set()
        await may.wait()
        await route.continue_()

    await desk.page.route("**/api/chat", hold)
    await desk.ask("hello")
    await asyncio.wait_for(asking.wait(), WAIT_S)
    second = await desk.context.new_page()
    desk.watch(second)
    await second.goto(desk.url)
    await expect(second.locator("#message-box")).to_have_value("")
    may.set()
    await expect(desk.text).to_have_text("Hello there, friend.")
    await expect(second.locator("#message-box")).to_have_value("")
