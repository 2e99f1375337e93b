"""The page in a made-up language, read from right to left: no word of its own is left behind."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Route, expect

from tests.browser.conftest import OpenDesk
from tests.browser.desk import Desk
from tests.browser.scripts import SHOP
from tests.browser.test_everybody import OVERFLOW, PHONE

ROOT = Path(__file__).parent.parent.parent
BUILD = ["npm", "exec", "-w", "app", "--", "vite", "build", "-c", "vite.pseudo.ts", "-l", "error"]

# Every text, label, hint and placeholder of the page that has letters outside of ⟦ ⟧. Not the
# page's own are: answers, questions, code, keys, cells, figures, and what `data` names.
UNMARKED = r"""
(data) => {
  const own = (element) => element !== null && element.closest(
    '.md, .bg-bubble, code, pre, kbd, td, th, dd, noscript, [lang]:not(html)') === null;
  const rest = (text) => {
    for (let before = ''; before !== text; ) {
      before = text;
      text = text.replace(/⟦[^⟦⟧]*⟧/g, '');
    }
    for (const known of data) text = text.replaceAll(known, '');
    return text;
  };
  const found = new Set();
  const check = (text, where) => {
    if (/\p{L}/u.test(rest(text))) found.add(`${where}: ${text.trim()}`);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const parent = texts.currentNode.parentElement;
    if (own(parent)) check(texts.currentNode.data, parent.tagName);
  }
  for (const name of ['aria-label', 'title', 'placeholder', 'alt', 'data-hint']) {
    for (const element of document.querySelectorAll(`[${name}]`)) {
      if (own(element.parentElement)) check(element.getAttribute(name), name);
    }
  }
  check(document.title, 'title of the document');
  return [...found];
}
"""
BROKE = "The connection to the model broke in the middle of its answer. Try again."
DATA = (
    BROKE,
    "What is 17.5 % of 2,340?",
    "show the orders",
    "hello",
    "fail",
    "gate",
    "Orders",
    "python",
)


@pytest.fixture(scope="module")
def pseudo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, built with the made-up language."""
    folder = tmp_path_factory.mktemp("pseudo")
    subprocess.run(
        [sys.executable, "scripts/node.py", *BUILD],
        cwd=ROOT,
        env=os.environ | {"PARLOUR_PSEUDO_OUT": str(folder)},
        check=True,
    )
    return folder


async def speak(desk: Desk, folder: Path) -> None:
    """Give this window the page of `folder`; everything else comes from the server."""

    async def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path.startswith("/assets/"):
            return await route.fulfill(path=folder / path.removeprefix("/"))
        if path != "/" and not path.startswith("/c/"):
            return await route.fallback()
        response = await route.fetch()
        hidden = {"content-encoding", "content-length"}
        headers = {name: text for name, text in response.headers.items() if name not in hidden}
        page = (folder / "index.html").read_text(encoding="utf-8")
        return await route.fulfill(status=response.status, headers=headers, body=page)

    await desk.context.route(f"{desk.url}/**", answer)


async def look(desk: Desk, what: str) -> None:
    """Nothing in this state of the page is outside of the catalogue."""
    _, me = await desk.house.get("/api/me")
    assert await desk.page.evaluate(UNMARKED, [me["disclosure"], *DATA]) == [], what


async def test_every_word_of_the_page_comes_from_the_catalogue(open_desk: OpenDesk, pseudo: Path):
    async with open_desk(mcp=SHOP) as desk:
        await speak(desk, pseudo)
        await desk.open()
        await expect(desk.page.locator("html")).to_have_attribute("lang", "en-XA")
        await expect(desk.page.locator("html")).to_have_attribute("dir", "rtl")
        await look(desk, "empty")
        for question in ("What is 17.5 % of 2,340?", "show the orders", "fail"):
            await desk.ask(question)
            await expect(desk.button("⟦Stop⟧")).to_have_count(0)
            await expect(desk.answer.get_by_role("button", name="⟦Details⟧")).to_be_visible()
            closed = desk.answer.locator("button[aria-expanded=false]")
            while await closed.count():
                await closed.first.click()
            await look(desk, question)
        await desk.ask("gate")
        await desk.reached("middle")
        await expect(desk.text).to_have_text("Before the gate.")
        await desk.ask("hello")
        await look(desk, "streaming, and a message that waits")
        desk.model.open("middle")
        await expect(desk.text).to_have_text("Hello there, friend.")


async def test_every_word_that_lies_over_the_page_comes_from_the_catalogue(
    open_desk: OpenDesk, pseudo: Path
):
    async with open_desk() as desk:
        desk.expects("ERR_INTERNET_DISCONNECTED", "404")
        await speak(desk, pseudo)
        page = desk.page
        await desk.open()
        await desk.ask("hello")
        await expect(desk.answer.get_by_role("button", name="⟦Details⟧")).to_be_visible()
        await desk.button("⟦When you were told⟧").click()
        await expect(page.locator("dialog[open] time")).to_have_count(1)
        await page.evaluate("document.querySelector('dialog[open] code').remove()")
        await look(desk, "receipts")
        await page.keyboard.press("Escape")
        await desk.button("⟦Settings⟧").click()
        await look(desk, "settings")
        await page.get_by_role("menuitem", name="About").click()
        await look(desk, "about the model")
        await page.keyboard.press("Escape")
        await page.keyboard.press("Escape")
        await page.locator("main h1").click()
        await page.keyboard.press("?")
        await expect(page.locator("dialog[open] kbd").first).to_be_visible()
        await look(desk, "shortcuts")
        await page.keyboard.press("Escape")
        await page.get_by_role("searchbox").fill("xyz")
        await look(desk, "a search without a match")
        await page.get_by_role("searchbox").fill("")
        await desk.context.set_offline(True)
        await desk.ask("hello")
        await expect(page.get_by_label("⟦Your message was not sent⟧")).to_be_visible()
        await look(desk, "offline")
        await desk.context.set_offline(False)
        await page.locator("nav li").first.hover()
        await page.locator("nav li button").first.click()
        await look(desk, "the menu of a conversation")
        await page.get_by_role("menuitem", name="Delete").click()
        await expect(page.get_by_text("deleted⟧")).to_be_visible()
        await look(desk, "deleted")
        await desk.open("/c/00000000-0000-4000-8000-000000000000")
        await look(desk, "missing")


async def test_a_page_that_is_read_from_right_to_left_is_mirrored(
    open_desk: OpenDesk, pseudo: Path
):
    async with open_desk(mcp=SHOP) as desk:
        await speak(desk, pseudo)
        await desk.open()
        await desk.ask("show the orders")
        await expect(desk.answer.get_by_role("button", name="⟦Details⟧")).to_be_visible()

        async def spans(selector: str) -> tuple[float, float]:
            box = await desk.page.locator(selector).first.bounding_box()
            assert box is not None, selector
            return box["x"], box["x"] + box["width"]

        (_, main_end), (list_start, _) = await asyncio.gather(spans("main"), spans("nav"))
        assert main_end <= list_start, "the list is on the right"
        (bubble, _), (answer, _) = await asyncio.gather(
            spans(".bg-bubble"), spans("article:last-of-type figure")
        )
        assert abs(bubble - answer) < 1, "a question stands at the left edge of the column"
        (_, send), (box, _) = await asyncio.gather(spans("form button"), spans("#message-box"))
        assert send <= box, "the button is left of what it sends"
        assert await desk.page.evaluate(OVERFLOW) == []
        shots = os.environ.get("PARLOUR_SHOTS", "")
        if shots:
            await desk.page.screenshot(path=Path(shots) / "rtl.png")


async def test_the_list_of_a_phone_comes_from_the_right_where_people_read_so(
    open_desk: OpenDesk, pseudo: Path
):
    async with open_desk(PHONE | {"reduced_motion": "reduce"}) as desk:
        await speak(desk, pseudo)
        await desk.open()
        await desk.button("⟦Open conversations⟧").click()
        drawer = await desk.page.locator("dialog[open]").bounding_box()
        assert drawer is not None
        assert drawer["x"] + drawer["width"] == PHONE["viewport"]["width"]
        assert drawer["x"] > 0
