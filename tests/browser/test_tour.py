"""The guided tour on the page: what people see of waiting, of limits and of invented links.

With PARLOUR_PICTURES=folder it leaves pictures there.
"""

from __future__ import annotations

import os
from pathlib import Path

from playwright.async_api import expect

from tests.browser.conftest import OpenDesk
from tests.browser.desk import Desk

PICTURES = os.environ.get("PARLOUR_PICTURES", "")
# All that an answer has said, also what stood there for a second only.
WATCH_ANSWER = """
window.seen = [];
new MutationObserver(() => {
  const words = [...document.querySelectorAll('article')].at(-1)?.textContent ?? '';
  if (seen.at(-1) !== words) seen.push(words);
}).observe(document.body, {subtree: true, childList: true, characterData: true});
"""
WAITING = "Still waiting for «Bake an imaginary loaf»…"


async def picture(desk: Desk, name: str) -> None:
    if PICTURES:
        await desk.page.screenshot(path=Path(PICTURES) / f"{name}.png")


async def test_a_slow_tool_shows_its_progress_and_what_we_wait_for(open_desk: OpenDesk):
    async with open_desk(model="scripted:") as desk:
        await desk.open()
        await picture(desk, "tour-start")
        await desk.page.evaluate(WATCH_ANSWER)
        await desk.page.get_by_role("button", name="A slow tool").click()
        await desk.page.wait_for_function("(it) => seen.some((s) => s.includes(it))", arg=WAITING)
        await picture(desk, "tour-waiting")
        await desk.idle()
        seen = await desk.page.evaluate("seen")
        said = ("Baking an imaginary loaf", "Kneading (1 of 3)", WAITING, "Baking (3 of 3)")
        first = [next(at for at, words in enumerate(seen) if part in words) for part in said]
        assert first == sorted(first)
        # With the next step it is old news.
        assert not any(WAITING in words for words in seen[first[-1] :])
        await expect(desk.page.get_by_role("link", name="wikipedia.org")).to_be_visible()
        assert WAITING in await desk.page.evaluate("heard")
        await picture(desk, "tour-baked")


async def test_a_limit_is_said_plainly(open_desk: OpenDesk):
    async with open_desk(model="scripted:") as desk:
        await desk.open()
        await desk.page.get_by_role("button", name="A limit").click()
        await desk.idle()
        await expect(desk.answer).to_contain_text("was not called")
        await expect(desk.answer).to_contain_text("Not called: a question may use 3 tool calls")
        await expect(desk.answer).to_contain_text(
            "One question may use 3 tool calls: 1 tool call was not made."
        )
        await picture(desk, "tour-limit")
        assert await desk.axe() == []


async def test_an_invented_link_is_plain_words(open_desk: OpenDesk):
    async with open_desk(model="scripted:") as desk:
        await desk.open()
        await desk.page.get_by_role("button", name="An invented link").click()
        await desk.idle()
        await expect(desk.answer).to_contain_text("quarterly report on daydreams")
        assert await desk.answer.get_by_role("link").count() == 0
        await picture(desk, "tour-link")
