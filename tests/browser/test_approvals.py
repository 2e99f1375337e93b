"""A person decides: on the page, by keyboard, on a phone, on another device, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, Route, expect

from tests.browser.conftest import OpenDesk
from tests.browser.desk import Desk, until
from tests.house import WAIT_S
from tests.notes import Notes, decide

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
TARGET_PX = 44
PICTURES = os.environ.get("PARLOUR_PICTURES")  # a folder: keep what the page looked like

OpenNotes = Callable[..., AbstractAsyncContextManager[tuple[Desk, Notes]]]


@pytest.fixture
def open_notes(open_desk: OpenDesk, tmp_path: Path) -> OpenNotes:
    """A window at a Parlour whose notes need approval."""

    @contextlib.asynccontextmanager
    async def opened(**more: Any) -> AsyncGenerator[tuple[Desk, Notes]]:
        notes = Notes(tmp_path / "notes")
        async with open_desk(mcp={"notes": notes.server()}, **more) as desk:
            await desk.open()
            yield desk, notes

    return opened


def card(desk: Desk) -> Locator:
    return desk.page.locator("[data-approval]")


async def asked(desk: Desk, text: str = "note buy milk") -> str:
    """Ask, wait for the card, and give its id."""
    await desk.ask(text)
    await expect(card(desk).first).to_be_visible()
    return await card(desk).first.get_attribute("data-approval") or ""


async def words_of(one: Locator) -> str:
    """All that a card says, but for the minutes that are left."""
    return re.sub(r"in \d+ minutes", "in some minutes", await one.inner_text())


def began(notes: Notes) -> Callable[[], Awaitable[bool]]:
    async def called() -> bool:
        return notes.calls() != []

    return called


async def picture(desk: Desk, name: str) -> None:
    if PICTURES:
        await desk.page.screenshot(path=Path(PICTURES) / f"{name}.png")


async def test_a_card_says_what_on_what_as_whom_and_until_when(open_notes: OpenNotes):
    async with open_notes() as (desk, notes):
        await asked(desk)
        words = await card(desk).inner_text()
        for part in (
            "Your decision",
            "Add a note (notes)",
            "It changes something.",
            "You, through the account set up for notes",
            "treat it as final",
            "Exactly what add_note will get",
            '{ "text": "buy milk" }',
        ):
            assert part in words
        assert re.search(r"in 1[45] minutes", words)
        names = await card(desk).get_by_role("button").all_inner_texts()
        assert [name for name in names if name] == ["Do not allow", "Allow once"]
        await picture(desk, "card-1280-light")
        assert notes.calls() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_waiting_call_passes_the_audit(open_notes: OpenNotes, scheme: str):
    async with open_notes(window={"color_scheme": scheme}) as (desk, _):
        await asked(desk)
        await desk.idle()
        await picture(desk, f"card-1280-{scheme}")
        assert await desk.axe() == []


async def test_by_keyboard_the_safe_choice_comes_first(open_notes: OpenNotes):
    async with open_notes() as (desk, notes):
        await asked(desk)
        await desk.idle()
        await desk.page.wait_for_function("heard.includes('Your decision is needed.')")
        await card(desk).locator("pre").focus()
        for _ in range(2):  # over the button that copies
            await desk.page.keyboard.press("Tab")
        await expect(desk.button("Do not allow")).to_be_focused()
        await desk.page.keyboard.press("Tab")
        await expect(desk.button("Allow once")).to_be_focused()
        await desk.page.keyboard.press("Enter")
        await expect(desk.text).to_contain_text("Here is what came of it: Noted: buy milk")
        await expect(card(desk)).to_have_count(0)
        await expect(desk.box).to_be_focused()
        assert notes.calls() == ["buy milk"]
        assert await desk.page.locator("article").count() == 2


async def test_a_declined_call_is_told_as_the_persons_own_decision(open_notes: OpenNotes):
    async with open_notes() as (desk, notes):
        await asked(desk)
        await desk.button("Do not allow").click()
        await expect(desk.text).to_contain_text("the user did not allow this")
        await expect(desk.answer).to_contain_text("you did not allow this")
        await picture(desk, "declined-1280-light")
        assert notes.calls() == []
        await desk.page.reload()
        await expect(desk.answer).to_contain_text("you did not allow this")


async def test_the_question_survives_a_reload(open_notes: OpenNotes):
    async with open_notes() as (desk, notes):
        approval = await asked(desk)
        before = await words_of(card(desk))
        await desk.page.reload()
        await expect(card(desk)).to_have_attribute("data-approval", approval)
        assert await words_of(card(desk)) == before
        await desk.button("Allow once").click()
        await expect(desk.text).to_contain_text("Noted: buy milk")
        assert notes.calls() == ["buy milk"]


async def test_what_is_answered_elsewhere_shows_here(open_notes: OpenNotes):
    async with open_notes() as (desk, notes):
        approval = await asked(desk)
        status, _ = await decide(desk.house, desk.thread(), approval, "approve")
        assert status == 202
        await expect(desk.text).to_contain_text("Noted: buy milk")
        await expect(card(desk)).to_have_count(0)
        assert notes.calls() == ["buy milk"]


async def test_a_decision_that_overtakes_the_page_is_carried_on_with_here(open_notes: OpenNotes):
    """The page asks what became of its turn; when it is told, the next one runs already."""
    async with open_notes() as (desk, notes):
        asking, may = asyncio.Event(), asyncio.Event()

        async def hold(route: Route) -> None:
            asking.set()
            await may.wait()
            await route.continue_()

        await desk.page.route(re.compile(r"/api/threads/[^/]+\?"), hold)
        approval = await asked(desk, "note slow milk")
        await asyncio.wait_for(asking.wait(), WAIT_S)
        await decide(desk.house, desk.thread(), approval, "approve")
        await until(began(notes), "the call is made")
        may.set()
        await expect(card(desk)).to_have_count(0)
        await expect(desk.button("Stop")).to_be_visible()
        notes.go()
        await expect(desk.text).to_contain_text("Noted: slow milk")
        assert notes.calls() == ["slow milk"]


async def test_a_second_tab_shows_the_question_and_its_decision_counts_in_both(
    open_notes: OpenNotes,
):
    async with open_notes() as (desk, notes):
        approval = await asked(desk)
        second = await desk.context.new_page()
        desk.watch(second)
        await second.goto(desk.page.url)
        question = second.locator(f"[data-approval={approval}]")
        await question.get_by_role("button", name="Allow once").click()
        for page in (second, desk.page):
            await expect(page.locator("article").last).to_contain_text("Noted: buy milk")
            await expect(page.locator("[data-approval]")).to_have_count(0)
        assert notes.calls() == ["buy milk"]


async def test_who_comes_second_learns_what_was_decided(open_notes: OpenNotes):
    async with open_notes() as (desk, notes):
        approval = await asked(desk)
        desk.expects("409")
        await desk.page.route("**/approvals", lambda route: route.abort())  # no look in between
        desk.expects("ERR_FAILED", "Failed to fetch")
        await decide(desk.house, desk.thread(), approval, "decline")
        await desk.button("Allow once").click()
        await expect(desk.answer).to_contain_text("you did not allow this")
        assert notes.calls() == []


async def test_of_two_calls_each_is_decided_by_itself(open_notes: OpenNotes):
    async with open_notes() as (desk, notes):
        await asked(desk, "two notes")
        await expect(card(desk)).to_have_count(2)
        await card(desk).nth(0).get_by_role("button", name="Allow once").click()
        await expect(card(desk).nth(0)).to_contain_text("another decision is missing")
        assert notes.calls() == []
        await picture(desk, "two-1280-light")
        await desk.page.reload()
        await expect(card(desk).nth(0)).to_contain_text("You allow this")
        await card(desk).nth(1).get_by_role("button", name="Do not allow").click()
        await expect(desk.text).to_contain_text("Both are decided.")
        assert notes.calls() == ["one"]


async def test_nobody_decided_in_time(open_notes: OpenNotes):
    policy = {"approvals": {"expires_s": 2}}
    async with open_notes(policy=policy, limits={"lease_s": 1}) as (desk, notes):
        await desk.ask("note buy milk")
        await expect(desk.answer).to_contain_text("nobody decided in time")
        await expect(card(desk)).to_have_count(0)
        assert notes.calls() == []


async def test_something_else_is_written_instead(open_notes: OpenNotes):
    async with open_notes() as (desk, notes):
        await asked(desk)
        await desk.ask_and_wait("hello")
        await expect(desk.text).to_contain_text("Hello there, friend.")
        await expect(desk.answer).to_contain_text("was not done")
        await expect(card(desk)).to_have_count(0)
        await expect(desk.page.locator("article").nth(1)).to_contain_text("wrote something else")
        assert notes.calls() == []


async def test_hidden_characters_are_shown_to_the_person_who_decides(open_notes: OpenNotes):
    async with open_notes() as (desk, _):
        await asked(desk, "note pay \u202eevil\u202c now\u200b")
        assert "pay \\u{202e}evil\\u{202c} now\\u{200b}" in await card(desk).inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_on_a_phone_the_verbs_are_large_and_one_below_the_other(
    open_notes: OpenNotes, scheme: str
):
    async with open_notes(window={**PHONE, "color_scheme": scheme}) as (desk, notes):
        await asked(desk)
        boxes = [
            await card(desk).get_by_role("button", name=name).bounding_box()
            for name in ("Do not allow", "Allow once")
        ]
        assert all(box and box["height"] >= TARGET_PX for box in boxes)
        assert boxes[0]
        assert boxes[1]
        assert boxes[0]["y"] < boxes[1]["y"]
        width = await desk.page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["viewport"]["width"]
        await card(desk).scroll_into_view_if_needed()
        await picture(desk, f"card-390-{scheme}")
        await desk.button("Allow once").tap()
        await expect(desk.text).to_contain_text("Noted: buy milk")
        assert notes.calls() == ["buy milk"]


async def test_the_guided_tour_lets_a_person_decide(open_desk: OpenDesk):
    async with open_desk(model="scripted:") as desk:
        await desk.open()
        await desk.page.get_by_role("button", name="Your decision").click()
        await expect(card(desk)).to_contain_text("Rename this conversation")
        await expect(card(desk)).to_contain_text("Can be undone")
        await desk.button("Allow once").click()
        await expect(desk.text).to_contain_text("“My first tour”")
        await desk.idle()
        await expect(
            desk.page.get_by_role("link", name="My first tour", exact=True)
        ).to_be_visible()
        await expect(desk.answer).to_contain_text("Renamed this conversation")
        await picture(desk, "tour-1280-light")
