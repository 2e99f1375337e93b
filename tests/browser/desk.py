"""A person at a browser: what they do to the page, and what they can see."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, Locator, Page, expect

from parlour.models.scripted import ScriptedModel
from tests.house import WAIT_S, House

AXE = Path(__file__).parent.parent.parent / "ui" / "node_modules" / "axe-core" / "axe.min.js"
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

# Put into every page before anything runs: what the policy forbade, and what listeners hear.
WATCH = """
window.violations = [];
document.addEventListener('securitypolicyviolation', (event) =>
  violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sourceFile}`));
window.heard = [];
document.addEventListener('DOMContentLoaded', () => {
  const hear = () => {
    for (const live of document.querySelectorAll('[aria-live],[role=status],[role=alert],output')) {
      const said = live.textContent.trim();
      if (said !== '' && !heard.includes(said)) heard.push(said);
    }
  };
  new MutationObserver(hear).observe(document.body,
    {subtree: true, childList: true, characterData: true});
});
"""


# A conversation that turns out not to be there takes its box away while it is loaded.
TOLD = """() => !document.querySelector('#message-box')
  || document.querySelector('#disclosure-line[aria-busy=false]') !== null"""


class Desk:
    """One browser window with its own storage, at the page of `house`.

    Everything the browser complains about is kept; `faults()` gives what no test has expected.
    """

    def __init__(self, house: House, context: BrowserContext, page: Page, url: str = "") -> None:
        self.house = house
        self.context = context
        self.page = page
        self.url = url or house.url
        self.dialogs: list[str] = []
        self.strangers: list[str] = []
        self._complaints: list[str] = []
        self._expected: list[str] = []
        self._pages: list[Page] = []
        self.watch(page)

    def watch(self, page: Page) -> None:
        """Keep what a page of this window complains about."""
        self._pages.append(page)

        async def dismiss(dialog: Any) -> None:
            self.dialogs.append(dialog.message)
            await dialog.dismiss()

        page.on("dialog", dismiss)
        page.on("pageerror", lambda error: self._complaints.append(f"error: {error}"))
        page.on(
            "console",
            lambda said: (
                self._complaints.append(f"{said.type}: {said.text}")
                if said.type in {"error", "warning"}
                else None
            ),
        )
        page.on("request", lambda request: self._asked(request.url))

    def _asked(self, url: str) -> None:
        if urlsplit(url).scheme != "blob" and not url.startswith(self.url):
            self.strangers.append(url)

    def expects(self, *patterns: str) -> None:
        """These complaints belong to the test."""
        self._expected += patterns

    async def faults(self) -> list[str]:
        """What went wrong that was not expected: errors, warnings, violations, foreign requests."""
        found = [
            text
            for text in self._complaints
            if not any(re.search(pattern, text) for pattern in self._expected)
        ]
        for page in self._pages:
            if not page.is_closed():
                found += await page.evaluate("window.violations ?? []")
        return found + [f"foreign request: {url}" for url in self.strangers]

    # --- what a person does ---

    async def open(self, path: str = "/") -> None:
        """Go to an address of the page and wait for the box or for what stands in its place.

        Where there is a box, what has to be read before anything is sent is there, too.
        """
        await self.page.goto(self.url + path)
        await self.page.locator("#message-box, main h1").first.wait_for()
        await self.page.wait_for_function(TOLD)

    async def type(self, text: str) -> None:
        """Put words into the box."""
        await self.box.fill(text)

    async def ask(self, text: str) -> None:
        """Send a message by keyboard."""
        await self.type(text)
        await self.box.press("Enter")

    async def ask_and_wait(self, text: str) -> None:
        """Send a message and wait until its answer is complete."""
        before = await self.articles.count()
        await self.ask(text)
        await self.articles.nth(before + 1).wait_for()
        await self.idle()

    async def idle(self) -> None:
        """Wait until nothing is being answered."""
        await expect(self.toolbar).to_be_visible()
        await expect(self.button("Stop")).to_have_count(0)

    # --- what a person sees ---

    @property
    def box(self) -> Locator:
        """The message box."""
        return self.page.locator("#message-box")

    @property
    def articles(self) -> Locator:
        """Questions and answers."""
        return self.page.locator("article")

    @property
    def answer(self) -> Locator:
        """The newest answer, all of it."""
        return self.articles.last

    @property
    def text(self) -> Locator:
        """The words of the newest answer."""
        return self.answer.locator(".md:not(.quiet)").last

    @property
    def toolbar(self) -> Locator:
        """The row of actions under the newest answer."""
        return self.answer.get_by_role("toolbar")

    def button(self, name: str | re.Pattern[str]) -> Locator:
        """A button by its whole name."""
        return self.page.get_by_role("button", name=name, exact=isinstance(name, str))

    def thread(self) -> str:
        """The id of the conversation in the address."""
        return self.page.url.rpartition("/c/")[2]

    # --- what happens elsewhere ---

    @property
    def model(self) -> ScriptedModel:
        """The model that answers."""
        assert isinstance(self.house.services.model, ScriptedModel)
        return self.house.services.model

    async def reached(self, gate: str) -> None:
        """Wait until the model stands at a gate."""
        await asyncio.wait_for(self.model.reached(gate), WAIT_S)

    async def axe(self) -> list[str]:
        """What axe finds wrong with the page as it stands: rule, and where."""
        await self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = await self.page.evaluate(
            "(tags) => axe.run(document, {runOnly: tags, resultTypes: ['violations']})", AXE_RULES
        )
        return [
            f"{rule['id']}: {node['target']} {node['failureSummary']}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Ask until it is so, at most `WAIT_S`."""
    loop = asyncio.get_running_loop()
    end = loop.time() + WAIT_S
    while not await condition():
        if loop.time() > end:
            raise AssertionError(f"never: {what}")
        await asyncio.sleep(0.02)
