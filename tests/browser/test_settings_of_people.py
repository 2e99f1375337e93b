"""A page that is zoomed, in the system's own colours, or under a finger: still all there."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenDesk
from tests.browser.desk import Desk, until
from tests.browser.scripts import SHOP
from tests.browser.test_everybody import OVERFLOW, PHONE

ZOOMED: dict[str, Any] = {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2}
FORCED: dict[str, Any] = {"forced_colors": "active"}

# The controls in sight that are smaller than `least`, or that something lies upon. What counts is
# what a press would hit. Links within sentences are as high as their line.
HARD_TO_HIT = """
(least) => {
  // What is scrolled out of some box can be scrolled in.
  const inSight = (control, x, y, near) => {
    for (let box = control.parentElement; box !== null; box = box.parentElement) {
      if (getComputedStyle(box).overflow === 'visible' && box !== document.body) continue;
      const {left, right, top, bottom} = box.getBoundingClientRect();
      if (x - near < left || x + near > right || y - near < top || y + near > bottom) return false;
    }
    return true;
  };
  const top = [...document.querySelectorAll('dialog[open], :popover-open:not(.hint)')].at(-1);
  const near = least / 2 - 1; // neighbours may touch
  const found = [];
  for (const control of (top ?? document).querySelectorAll('a, button, input, textarea, summary')) {
    if (control.matches('.md a, ol a, label *') || control.disabled) continue;
    if (!control.checkVisibility({checkOpacity: true, checkVisibilityCSS: true})) continue;
    const box = control.getBoundingClientRect();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    if (!inSight(control, x, y, near)) continue;
    for (const [dx, dy] of [[0, 0], [near, 0], [-near, 0], [0, near], [0, -near]]) {
      const hit = document.elementFromPoint(x + dx, y + dy);
      if (control.contains(hit)) continue;
      if (hit?.contains(control) && hit.matches('form, form > div')) continue;
      if (hit?.closest('.shadow-pop:not(dialog)')) continue; // one can scroll away from what floats
      found.push(`${control.ariaLabel ?? control.textContent} at ${dx},${dy}: ` +
        `${hit?.tagName}.${hit?.getAttribute('class')}`);
      break;
    }
  }
  return found;
}
"""
# A line around what has the focus, wherever it is drawn.
FOCUS = """
() => {
  const around = [document.activeElement, document.activeElement.closest('.frame')];
  return document.activeElement === document.body || around.some((element) => element !== null &&
    getComputedStyle(element).outlineStyle === 'solid' &&
    parseFloat(getComputedStyle(element).outlineWidth) >= 2);
}
"""
# Controls without any line of their own.
BARE = """
() => [...document.querySelectorAll('main button, main textarea, nav button, nav input')]
  .filter((control) => control.checkVisibility({checkOpacity: true, checkVisibilityCSS: true}))
  .filter((control) => ![control, control.closest('.frame')].some((element) => {
    const style = element === null ? {} : getComputedStyle(element);
    return parseFloat(style.borderTopWidth) > 0 || style.outlineStyle === 'solid' ||
      style.textDecorationLine === 'underline';
  }))
  .map((control) => control.ariaLabel ?? control.textContent)
"""
MOVING = """
() => document.getAnimations()
  .filter((animation) => animation.effect.getComputedTiming().duration > 1)
  .map((animation) => animation.animationName ?? animation.transitionProperty)
"""


async def faults(desk: Desk, what: str, least: int) -> list[str]:
    """What is cut off, covered or too small, and what axe finds."""
    found = await desk.page.evaluate(OVERFLOW)
    found += await desk.page.evaluate(HARD_TO_HIT, least)
    return [f"{what}: {fault}" for fault in found + await desk.axe()]


async def walk(desk: Desk, least: int = 24) -> list[str]:
    """The faults of everything that the page shows."""
    page, found = desk.page, list[str]()

    async def look(what: str) -> None:
        found.extend(await faults(desk, what, least))

    await desk.open()
    await look("empty")
    for question in ("What is 17.5 % of 2,340?", "show the orders"):
        await desk.ask_and_wait(question)
        await look(question)
    closed = desk.answer.locator("button[aria-expanded=false]")
    while await closed.count():
        await closed.first.click()
    await look("everything open")
    await desk.ask("fail")
    await expect(page.get_by_label("This answer failed")).to_be_visible()
    await look("error")
    await desk.ask("gate")
    await desk.reached("middle")
    await expect(desk.text).to_have_text("Before the gate.")
    await desk.type("one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine")
    await look("streaming, and a long draft")
    await desk.type("")
    desk.model.open("middle")
    await desk.idle()
    await desk.button("Settings").click()
    await look("menu")
    await page.get_by_role("menuitem", name="Keyboard shortcuts").click()
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    await look("shortcuts")
    await page.keyboard.press("Escape")
    if await desk.button("Open conversations").count():
        await desk.button("Open conversations").click()
        await expect(page.get_by_role("dialog", name="Conversations")).to_be_visible()
        await look("list")
        await page.keyboard.press("Escape")
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_page_at_200_percent_can_be_used(open_desk: OpenDesk, scheme: str):
    window = ZOOMED | {"color_scheme": scheme, "reduced_motion": "reduce"}
    async with open_desk(window, mcp=SHOP) as desk:
        assert await walk(desk) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_page_in_the_systems_colours_can_be_used(open_desk: OpenDesk, scheme: str):
    window = FORCED | {"color_scheme": scheme, "reduced_motion": "reduce"}
    async with open_desk(window, mcp=SHOP) as desk:
        assert await walk(desk) == []
        assert await desk.page.evaluate(BARE) == []
        await desk.box.focus()
        for _ in range(20):
            await desk.page.wait_for_function(FOCUS)
            await desk.page.keyboard.press("Tab")
        await desk.button("Settings").focus()
        await desk.page.keyboard.press("Enter")
        await expect(desk.page.get_by_role("menuitemradio", name="Match")).to_be_focused()
        await desk.page.wait_for_function(FOCUS)


async def test_a_finger_hits_everything(open_desk: OpenDesk):
    async with open_desk(PHONE | {"reduced_motion": "reduce"}, mcp=SHOP) as desk:
        assert await walk(desk, least=44) == []


async def still(desk: Desk) -> bool:
    """Whether nothing moves."""
    return await desk.page.evaluate(MOVING) == []


async def test_nothing_moves_for_people_who_want_no_motion(open_desk: OpenDesk):
    async with open_desk() as desk:
        await desk.open()
        await desk.ask("quiet")
        await desk.reached("begin")
        await expect(desk.page.get_by_text("Thinking")).to_be_visible()
        assert await desk.page.evaluate(MOVING) != []  # or the next lines would say nothing
        await desk.page.emulate_media(reduced_motion="reduce")
        # What had begun to move before may end; nothing goes on.
        await until(lambda: still(desk), "nothing moves")
        desk.model.open("begin")
        await desk.idle()
