"""How fast the page is in a browser: `python -m benchmarks.page` (docs/benchmarks-page.md).

Each figure is told as a share of its bar, so that 0.5 is twice as fast as promised. The server, the
browser and whatever else the machine does share its cores; the worst of all runs is what counts.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.async_api import Page, async_playwright

from parlour.settings import Settings
from tests.browser.scripts import EVERYTHING
from tests.house import House, house
from tests.postgres import fresh_database, running_postgres

REPORT = Path(__file__).parent.parent / "docs" / "benchmarks-page.md"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
RUNS = 5
TURNS = 100  # two messages each
SLOWDOWN = 4
WAIT_MS = 60_000
NUMBERS = " ".join(str(number) for number in range(1, 301))
SCRIPT = [
    {"when": "count", "steps": [{"text": NUMBERS, "pace": 60}]},
    {"when": "much", "steps": [{"text": EVERYTHING * 5, "pace": 100}]},
    {"when": "gate", "steps": [{"text": "Before the gate. "}, {"gate": "middle"}]},
    {"when": "turn", "steps": [{"text": EVERYTHING}]},
]

# When each piece of text came over the line, and when a frame with it had been drawn.
WATCH_TEXT = """
window.pieces = [];
window.delays = [];
const drawn = (then) => requestAnimationFrame(() => {
  const channel = new MessageChannel();
  channel.port1.onmessage = () => then(performance.now());
  channel.port2.postMessage(0);
});
const fetchPlain = window.fetch;
window.fetch = async (...given) => {
  const response = await fetchPlain(...given);
  if (!response.headers.get('content-type')?.includes('event-stream')) return response;
  const [one, other] = response.body.tee();
  (async () => {
    const reader = one.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '', text = '';
    for (;;) {
      const {done, value} = await reader.read();
      if (done) return;
      const lines = (rest + value).split('\\n');
      rest = lines.pop();
      const before = text;
      for (const line of lines) {
        if (!line.startsWith('data: {')) continue;
        const frame = JSON.parse(line.slice(6));
        if (frame.type === 'text-delta') text += frame.delta;
      }
      if (text !== before) pieces.push({at: performance.now(), length: text.trim().length});
    }
  })();
  return new Response(other, response);
};
document.addEventListener('DOMContentLoaded', () => new MutationObserver(() => {
  const last = [...document.querySelectorAll('article .md')].at(-1);
  const shown = last?.textContent.trim().length ?? 0;
  const there = pieces.filter((piece) => piece.length <= shown && !piece.seen);
  for (const piece of there) piece.seen = true;
  if (there.length > 0) drawn((at) => there.forEach((piece) => delays.push(at - piece.at)));
}).observe(document.body, {subtree: true, childList: true, characterData: true}));
"""
# When a frame with `text` in the newest answer has been drawn, counted from the last press.
PRESSED = """
(text) => new Promise((done) => {
  let pressed = 0;
  addEventListener('click', (event) => { pressed = event.timeStamp; }, {capture: true, once: true});
  const look = () => {
    const last = [...document.querySelectorAll('article')].at(-1);
    if (pressed > 0 && last?.textContent.includes(text)) {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => done(performance.now() - pressed);
      channel.port2.postMessage(0);
    } else requestAnimationFrame(look);
  };
  look();
})
"""
OPENED = """
() => new Promise((done) => {
  const look = () => {
    const heading = [...document.querySelectorAll('article .md h4')].at(-1);
    if (heading === undefined) return requestAnimationFrame(look);
    requestAnimationFrame(() => setTimeout(() => done(performance.now())));
  };
  look();
})
"""
LONG_TASKS = """
window.tasks = [];
new PerformanceObserver((list) => tasks.push(...list.getEntries().map((task) => task.duration)))
  .observe({type: 'longtask'});
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured in all runs, in milliseconds, and what it may be at most."""

    what: str
    values: Sequence[float]
    bar_ms: float

    @property
    def row(self) -> str:
        """One line of the table."""
        worst, share = max(self.values), max(self.values) / self.bar_ms
        verdict = "met" if share <= 1 else "**missed**"
        middle = statistics.median(self.values)
        return (
            f"| {self.what} | {len(self.values)} | {middle:,.0f} | {worst:,.0f} "
            f"| {self.bar_ms:,.0f} | {share:.2f} | {verdict} |"
        )


class Bench:
    """A browser at a Parlour with one long conversation."""

    def __init__(self, served: House, new_page: Callable[[], Awaitable[Page]]) -> None:
        self._house = served
        self._new_page = new_page

    async def fill(self) -> str:
        """A conversation of `TURNS` turns; its address."""
        thread = "long"
        for number in range(TURNS):
            await self._house.ask(thread, f"turn {number}")
        return f"{self._house.url}/c/{thread}"

    async def _ask(self, page: Page, text: str) -> None:
        await page.locator("#message-box").fill(text)
        await page.locator("#message-box").press("Enter")

    async def _idle(self, page: Page) -> None:
        done = page.locator("article").last.get_by_role("button", name="Details", exact=True)
        await done.wait_for(timeout=WAIT_MS)

    async def text(self) -> list[float]:
        """From each piece of text on the line to the frame that shows it."""
        page = await self._new_page()
        await page.add_init_script(WATCH_TEXT)
        await page.goto(self._house.url)
        await self._ask(page, "count")
        await self._idle(page)
        delays: list[float] = await page.evaluate("delays")
        missed = await page.evaluate("pieces.filter((piece) => !piece.seen).length")
        assert delays, "no text came"
        assert missed == 0, f"{missed} pieces were never seen"
        return delays

    async def stop(self) -> list[float]:
        """From the press on Stop to the mark."""
        page = await self._new_page()
        await page.goto(self._house.url)
        found: list[float] = []
        for _ in range(RUNS):
            await self._ask(page, "gate")
            await page.locator("article .md", has_text="Before the gate").last.wait_for()
            stopped = asyncio.create_task(page.evaluate(PRESSED, "Stopped"))
            await asyncio.sleep(0.3)  # the listener is there
            await page.get_by_role("button", name="Stop", exact=True).click()
            found.append(await stopped)
            await self._idle(page)
        return found

    async def load(self, address: str) -> list[float]:
        """A long conversation by its address: from the navigation to a frame with its end."""
        page = await self._new_page()
        found: list[float] = []
        for _ in range(RUNS + 1):
            await page.goto(address)
            found.append(await page.evaluate(OPENED))
        return found[1:]  # the first one fills the browser's cache

    async def switch(self) -> list[float]:
        """The same from the list of conversations."""
        found: list[float] = []
        for _ in range(RUNS):
            page = await self._new_page()
            await page.goto(self._house.url)
            row = page.locator("nav li a", has_text="turn 0")
            await row.wait_for()
            await page.wait_for_load_state("networkidle")
            opened = asyncio.create_task(page.evaluate(PRESSED, "The second heading"))
            await asyncio.sleep(0.3)
            await row.click()
            found.append(await opened)
            await page.close()
        return found

    async def tasks(self, address: str) -> list[float]:
        """Every long task while an answer of about 1,900 tokens comes, on a slow machine."""
        page = await self._new_page()
        await page.goto(address)
        await page.evaluate(OPENED)
        await page.wait_for_timeout(3000)  # what lies above has been drawn too
        session: Any = await page.context.new_cdp_session(page)
        await session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWDOWN})
        await page.evaluate(LONG_TASKS)
        await self._ask(page, "much")
        await page.get_by_role("button", name="Stop", exact=True).wait_for()
        await self._idle(page)
        return await page.evaluate("tasks") or [0]


async def measure() -> list[Figure]:
    """All figures, one after another."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    assert program, "no Chromium is installed; `python scripts/browser.py` says how to get one"
    folder = Path(tempfile.mkdtemp(prefix="parlour-page-"))
    script = folder / "script.json"
    script.write_text(json.dumps(SCRIPT), encoding="utf-8")
    given: dict[str, Any] = {"model": f"scripted:{script}", "data_dir": folder}
    try:
        async with (
            running_postgres() as server,
            fresh_database(server) as url,
            house(Settings(**given, database_url=url)) as served,
            async_playwright() as playwright,
        ):
            browser = await playwright.chromium.launch(
                executable_path=program, args=["--no-sandbox", "--disable-gpu"]
            )

            async def new_page() -> Page:
                context = await browser.new_context(viewport={"width": 1280, "height": 800})
                return await context.new_page()

            bench = Bench(served, new_page)
            long = await bench.fill()
            figures = [
                Figure("text: from the line to the screen", await bench.text(), 100),
                Figure("Stop: from the press to the mark", await bench.stop(), 300),
                Figure("200 messages: from their address", await bench.load(long), 500),
                Figure("200 messages: from the list", await bench.switch(), 500),
                Figure(f"long tasks, CPU {SLOWDOWN}x slower", await bench.tasks(long), 200),
            ]
            await browser.close()
            return figures
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def report(figures: Sequence[Figure], load: float) -> str:
    """The page of the docs."""
    rows = "\n".join(figure.row for figure in figures)
    return f"""# The page, measured

`python -m benchmarks.page` measures what [the page](reference/page.md) promises in time and writes
this. A share of 1 is the bar; the worst of all samples counts. The server, the browser and whatever
else the machine does share its cores, so a quiet machine shows smaller figures.

| what | samples | median ms | worst ms | bar ms | share | verdict |
| --- | ---: | ---: | ---: | ---: | ---: | --- |
{rows}

{datetime.now(UTC):%d %B %Y}, {os.cpu_count()} cores, load {load:.1f} when it began.

- **Text** is taken where it arrives (`fetch` is wrapped) and where a frame with it has been drawn.
- **Stop** counts from the press to a frame that says "Stopped", with the server's part in it.
- **200 messages** are 100 turns with headings, a table, code and lists; the newest page of them is
  shown, older ones are fetched when people scroll up. Drawn is the last answer's last heading.
- **Long tasks** (over 50 ms) are all of one answer of about 1,900 tokens at 100 a second, at the
  end of that conversation, with the browser's CPU slowed down; 0 when there was none.
"""


def main() -> int:
    """Measure, print and write; 1 when a bar is missed."""
    load = os.getloadavg()[0]
    figures = asyncio.run(measure())
    text = report(figures, load)
    print(text)
    if "--dry" not in sys.argv:
        REPORT.write_text(text, encoding="utf-8")
    return 0 if all(max(figure.values) <= figure.bar_ms for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
