"""Every anchor that the page makes of an answer leads where somebody but the model has been."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.desk import Desk
from tests.browser.scripts import GIVEN
from tests.browser.test_page_context import in_view

# Every address that an answer has ever linked to, for however short a time.
WATCH = """() => {
  window.led = new Set();
  const look = () => {
    for (const a of document.querySelectorAll('article a[href]')) led.add(a.href);
  };
  new MutationObserver(look).observe(document.body,
    {subtree: true, childList: true, attributes: true, characterData: true});
}"""


async def test_no_anchor_ever_leads_where_nothing_but_the_model_has_been(desk: Desk):
    here = f"{desk.url}/dash/1"
    page = {"title": "Sales", "url": here, "fields": {"help": GIVEN}}
    await in_view(desk, page)
    await desk.page.evaluate(WATCH)
    await desk.ask_and_wait(f"links at {desk.url}")
    await expect(desk.text).to_contain_text("The end.")
    led = await desk.page.evaluate("[...led]")
    assert sorted(led) == sorted([GIVEN, here])
    anchors = await desk.text.locator("a[href]").all()
    leads = [await anchor.evaluate("a => a.href") for anchor in anchors]
    assert leads == [GIVEN] * 7 + [here] * 3, "each form of a given link is one"
    for anchor in anchors:
        await anchor.click(trial=True)
    for words in ("words", "two slashes", "by label", "no such page", "nor here", "anchor"):
        await expect(desk.text).to_contain_text(words)
    await desk.page.reload()
    await expect(desk.text).to_contain_text("The end.")
    after = await desk.text.locator("a[href]").evaluate_all("all => all.map(a => a.href)")
    assert after == leads
