"""The page for everybody: by keyboard, by ear, on a phone, in the dark."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenDesk
from tests.browser.desk import Desk
from tests.browser.scripts import SHOP

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
}
OVERFLOW = """
() => [document.documentElement, ...document.querySelectorAll('section, nav, main')]
  .filter((box) => box.scrollWidth > innerWidth)
  .filter((box) => !/auto|scroll/.test(getComputedStyle(box).overflowX))
  .map((box) => `${box.tagName} ${box.scrollWidth} > ${innerWidth}`)
"""


async def test_everything_can_be_done_by_keyboard(desk: Desk):
    keys = desk.page.keyboard
    await expect(desk.box).to_be_focused()
    await keys.type("hello")
    await keys.press("Shift+Enter")
    await keys.type("again")
    await expect(desk.box).to_have_value("hello\nagain")
    await keys.press("Enter")
    await desk.idle()

    await expect(desk.box).to_be_focused()
    await keys.press("ArrowUp")
    editor = desk.page.get_by_label("Edit your message")
    await expect(editor).to_be_focused()
    await keys.press("Escape")
    await expect(editor).to_have_count(0)
    await expect(desk.box).to_be_focused()

    await keys.press("Control+k")
    search = desk.page.get_by_label("Search conversations")
    await expect(search).to_be_focused()
    await keys.press("Tab")
    await expect(desk.page.locator("nav li a")).to_be_focused()
    await keys.press("Tab")
    await keys.press("Enter")
    await expect(desk.page.get_by_role("menuitem", name="Rename")).to_be_focused()
    await keys.press("ArrowDown")
    await expect(desk.page.get_by_role("menuitem", name="Delete")).to_be_focused()
    await keys.press("Escape")
    await expect(desk.button(re.compile("^Options for"))).to_be_focused()
    await keys.press("?")
    dialog = desk.page.get_by_role("dialog", name="Keyboard shortcuts")
    await expect(dialog).to_be_visible()
    await keys.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(desk.button(re.compile("^Options for"))).to_be_focused()
    await keys.press("/")
    await expect(desk.box).to_be_focused()
    await keys.press("Control+Shift+o")
    await expect(desk.page).to_have_url(desk.url + "/")


async def test_a_menu_chooses_by_keyboard_and_gives_focus_back(desk: Desk):
    keys = desk.page.keyboard
    settings = desk.button("Settings")
    await settings.focus()
    await keys.press("Enter")
    await expect(settings).to_have_attribute("aria-expanded", "true")
    await keys.press("d")
    dark = desk.page.get_by_role("menuitemradio", name="Dark")
    await expect(dark).to_be_focused()
    await keys.press("Enter")
    await expect(dark).to_have_attribute("aria-checked", "true")
    await expect(desk.page.locator("html")).to_have_attribute("data-theme", "dark")
    await keys.press("Escape")
    await expect(settings).to_be_focused()
    await expect(settings).to_have_attribute("aria-expanded", "false")


async def heard(desk: Desk) -> list[str]:
    """What was said aloud, but for how long nothing new has come, which is said when it is so."""
    said: list[str] = await desk.page.evaluate("heard")
    return [words for words in said if not words.startswith("Still working")]


async def test_a_listener_hears_that_it_works_and_that_it_is_done_and_not_each_word(desk: Desk):
    await desk.ask("gate")
    await desk.reached("middle")
    await expect(desk.text).to_have_text("Before the gate.")
    assert await heard(desk) == ["Parlour is working"]
    desk.model.open("middle")
    await desk.idle()
    await expect(desk.page.get_by_text("Answer complete")).to_have_count(1)
    assert await heard(desk) == ["Parlour is working", "Answer complete"]


@pytest.mark.parametrize("width", [390, 320])
async def test_nothing_scrolls_sideways_on_a_phone(open_desk: OpenDesk, width: int):
    window = PHONE | {"viewport": {"width": width, "height": 720}}
    async with open_desk(window, mcp=SHOP) as desk:
        await desk.open()
        await expect(desk.page.locator("h1")).to_be_in_viewport(ratio=1)  # it opens at its top
        assert await desk.page.evaluate(OVERFLOW) == []
        for question in ("What is 17.5 % of 2,340?", "show the orders", "wide", "fail"):
            await desk.ask_and_wait(question)
            assert await desk.page.evaluate(OVERFLOW) == [], question
        await desk.button("Open conversations").click()
        await expect(desk.page.get_by_role("dialog", name="Conversations")).to_be_visible()
        assert await desk.page.evaluate(OVERFLOW) == []


async def test_dark_follows_the_system_without_a_flash_and_can_be_chosen(open_desk: OpenDesk):
    async with open_desk({"color_scheme": "dark"}) as desk:
        await desk.open()
        background = "getComputedStyle(document.body).backgroundColor"
        assert await desk.page.evaluate(background) == "rgb(18, 21, 19)"
        await desk.page.emulate_media(color_scheme="light")
        await expect(desk.page.locator("html")).to_have_attribute("data-theme", "light")
        await desk.button("Settings").click()
        await desk.page.get_by_role("menuitemradio", name="Dark").click()
        await desk.page.reload()
        await expect(desk.page.locator("html")).to_have_attribute("data-theme", "dark")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_on_a_wide_screen(open_desk: OpenDesk, scheme: str):
    window = {"color_scheme": scheme, "reduced_motion": "reduce"}
    async with open_desk(window, mcp=SHOP) as desk:
        await desk.open()
        assert await desk.axe() == [], "empty"
        await desk.ask("gate")
        await desk.reached("middle")
        await expect(desk.text).to_have_text("Before the gate.")
        assert await desk.axe() == [], "streaming"
        desk.model.open("middle")
        await desk.idle()
        await desk.ask_and_wait("show the orders")
        await desk.ask_and_wait("What is 17.5 % of 2,340?")
        closed = desk.answer.locator("button[aria-expanded=false]")
        while await closed.count():
            await closed.first.click()
        assert await desk.axe() == [], "answer with tools"
        await desk.ask("fail")
        await expect(desk.page.get_by_label("This answer failed")).to_be_visible()
        assert await desk.axe() == [], "error"
        await desk.button("Settings").click()
        assert await desk.axe() == [], "menu"
        await desk.page.get_by_role("menuitem", name="Keyboard shortcuts").click()
        await expect(desk.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
        assert await desk.axe() == [], "shortcuts"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_on_a_phone(open_desk: OpenDesk, scheme: str):
    async with open_desk(PHONE | {"color_scheme": scheme, "reduced_motion": "reduce"}) as desk:
        await desk.open()
        assert await desk.axe() == [], "empty"
        await desk.ask_and_wait("What is 17.5 % of 2,340?")
        assert await desk.axe() == [], "answer"
        await desk.button("Open conversations").click()
        await expect(desk.page.get_by_role("dialog", name="Conversations")).to_be_visible()
        assert await desk.axe() == [], "list"
