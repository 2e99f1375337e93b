"""Words that attack the page, and people who may not see it."""

from __future__ import annotations

import time
from typing import Any

import jwt
from playwright.async_api import expect

from tests.browser.conftest import OpenDesk
from tests.browser.desk import Desk
from tests.browser.scripts import SHOP

SECRET = "a secret that is long enough for HS256"

# What may never be made of words: things that run, load or send.
DANGEROUS = """
() => [...document.querySelectorAll('article *')].flatMap((element) => {
  const found = [];
  if (/^(script|iframe|object|embed|form|style|link|base|meta|foreignobject)$/i
      .test(element.tagName)) found.push(element.outerHTML);
  for (const {name, value} of element.attributes) {
    if (/^on/i.test(name)) found.push(`${name}=${value}`);
    const leads = /^(href|src|action|xlink:href)$/i.test(name);
    if (leads && /^\\s*(javascript|data|vbscript):/i.test(value)) found.push(`${name}=${value}`);
    const away = name === 'src' && new URL(value, location.href).origin !== location.origin;
    if (away) found.push(`${name}=${value}`);
  }
  return found;
})
"""


async def test_an_answer_cannot_run_load_or_send_anything(desk: Desk):
    await desk.ask_and_wait("evil text")
    await expect(desk.text).to_contain_text("Before the attack.")
    await expect(desk.text).to_contain_text("After the attack.")
    assert await desk.page.evaluate(DANGEROUS) == []
    await click_all(desk)
    await desk.page.reload()
    await expect(desk.text).to_contain_text("After the attack.")
    assert await desk.page.evaluate(DANGEROUS) == []
    assert desk.dialogs == []
    assert desk.strangers == []


async def test_a_tool_cannot_run_load_or_send_anything(open_desk: OpenDesk):
    async with open_desk(mcp=SHOP) as desk:
        await desk.open()
        await desk.ask_and_wait("evil tool")
        row = desk.answer.locator("button[aria-expanded]").first
        await row.click()
        await expect(row).to_have_attribute("aria-expanded", "true")
        assert await desk.page.evaluate(DANGEROUS) == []
        await click_all(desk)
        assert desk.dialogs == []
        assert desk.strangers == []


async def click_all(desk: Desk) -> None:
    """Click on every word of the answer that looks like something to click on."""
    for link in await desk.answer.locator("a:not([target=_blank])").all():
        await link.click()
    for name in ("link", "page", "anchor", "cell", "go"):
        for word in await desk.answer.get_by_text(name, exact=True).all():
            if await word.is_visible():
                await word.click()


async def test_a_picture_and_a_link_that_nothing_but_the_model_gave_are_words(desk: Desk):
    await desk.ask_and_wait("evil text")
    await expect(desk.answer.get_by_role("link", name="remote")).to_have_count(0)
    await expect(desk.answer.locator("img")).to_have_count(0)
    await expect(desk.answer).to_contain_text("remote")


async def test_without_a_good_token_nothing_is_shown_and_with_one_it_works(open_desk: OpenDesk):
    async with open_desk(secret=SECRET) as desk:
        desk.expects("401")
        for path in ("/", "/#token=not-a-token", f"/#token={token(aud='somebody else')}"):
            await desk.page.goto("about:blank")
            await desk.open(path)
            await expect(desk.page.locator("h1")).to_have_text("You are signed out")
            assert "token" not in desk.page.url
        await desk.page.goto("about:blank")
        await desk.open(f"/#token={token()}")
        await expect(desk.page.locator("h1")).to_contain_text("Ada")
        assert "token" not in desk.page.url
        await desk.ask_and_wait("hello")
        await expect(desk.text).to_have_text("Hello there, friend.")
        stored = await desk.page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")
        assert token().split(".")[0] not in stored
        desk.strangers.clear()  # about:blank


def token(**claims: Any) -> str:
    """What a host would sign for one of its users."""
    given = {"sub": "ada", "name": "Ada", "workspace": "acme", "aud": "parlour", **claims}
    return jwt.encode({"exp": int(time.time()) + 600, **given}, SECRET, algorithm="HS256")
