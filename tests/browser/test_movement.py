"""What people look at stays where it is while an answer comes; only its end grows."""

from __future__ import annotations

from playwright.async_api import Locator, expect

from tests.browser.conftest import OpenDesk
from tests.browser.desk import Desk, until
from tests.browser.scripts import SHOP

# Every shift of something in sight, also those that the browser forgives after a key: what moved,
# and between which heights. What is written pushes its own line along (the columns of a table whose
# rows still come, the arrow behind a tool's name); that is growth, and is left out.
WATCH_SHIFTS = """
window.shifts = [];
const named = (node) => node instanceof Element
  ? `${node.tagName}.${node.getAttribute('class') ?? ''}` : String(node?.data);
new PerformanceObserver((list) => {
  for (const {value, sources} of list.getEntries()) {
    const fell = sources.filter((one) => one.previousRect.y !== one.currentRect.y);
    if (fell.length > 0 || value > 0.001) shifts.push(`${value.toFixed(4)}: ` + sources.map((one) =>
      `${named(one.node)} from ${one.previousRect.y} to ${one.currentRect.y}`).join(', '));
  }
}).observe({type: 'layout-shift'});
"""
# What stands in the answer at every frame, without its code.
WATCH_WORDS = """
window.words = new Set();
const look = () => {
  for (const text of document.querySelectorAll('article:last-of-type .md')) {
    const copy = text.cloneNode(true);
    for (const code of copy.querySelectorAll('pre, code')) code.remove();
    words.add(copy.textContent);
  }
  requestAnimationFrame(look);
};
look();
"""
TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
RAW = r"""
() => [...words].map((text) => /.{0,30}(\*\*|`|\||\]\(|#|~~)/.exec(text)?.[0]).filter(Boolean)
"""


async def shifts(desk: Desk) -> list[str]:
    """What has moved so far."""
    await desk.page.evaluate(TWO_FRAMES)
    return await desk.page.evaluate("shifts")


async def read_up_to(desk: Desk, place: Locator) -> None:
    """Turn the wheel until a place further up is well in sight."""
    await desk.page.mouse.move(640, 300)

    async def is_in_sight() -> bool:
        await desk.page.mouse.wheel(0, -150)
        await desk.page.evaluate(TWO_FRAMES)
        box = await place.bounding_box()
        return box is not None and box["y"] > 100

    await until(is_in_sight, "the place further up is in sight")


async def test_nothing_moves_while_an_answer_comes(open_desk: OpenDesk):
    async with open_desk(mcp=SHOP) as desk:
        await desk.open()
        await desk.ask_and_wait("hello")
        await desk.page.evaluate(WATCH_SHIFTS)
        for question in ("everything", "show the orders", "think", "What is 17.5 % of 2,340?"):
            await desk.ask(question)
            if question == "think":
                await desk.reached("thought")
                desk.model.open("thought")
            await desk.idle()
            assert await shifts(desk) == [], question
        for _ in range(6):  # so many that the first are old
            await desk.ask_and_wait("hello")
        await desk.ask_and_wait("everything")
        assert await shifts(desk) == [], "after many"


async def test_whoever_reads_further_up_is_left_there_when_the_answer_goes_on_and_ends(desk: Desk):
    await desk.ask_and_wait("everything")
    await desk.ask("long gate")
    await desk.reached("middle")
    heading = desk.page.get_by_role("heading", name="The second heading")
    await expect(heading).to_have_count(2)
    await read_up_to(desk, heading.first)
    await expect(desk.button("Jump to the latest")).to_be_visible()
    await expect(heading.first).to_be_in_viewport()
    place = await heading.first.bounding_box()
    desk.model.open("middle")
    await desk.idle()
    await expect(heading).to_have_count(3)
    await expect(desk.answer.get_by_role("button", name="Details")).to_have_count(1)
    await desk.page.evaluate(TWO_FRAMES)
    assert await heading.first.bounding_box() == place
    await desk.ask("hello")
    await expect(desk.page.locator("article").nth(4)).to_be_in_viewport()


async def test_half_written_markdown_is_never_shown_raw(desk: Desk):
    await desk.ask_and_wait("hello")
    await desk.page.evaluate(WATCH_WORDS)
    await desk.ask_and_wait("everything")
    assert await desk.page.evaluate("words.size") > 10
    assert await desk.page.evaluate(RAW) == []
