"""A person presses Stop: it is heard, it takes its time, or it reaches nobody; they read which."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

from playwright.async_api import Locator, Route, expect

from tests.browser.conftest import OpenDesk
from tests.browser.desk import Desk
from tests.browser.scripts import SCRIPT
from tests.house import WAIT_S
from tests.live.process import Served, script, served

SIZES = ((1280, 800), (390, 844))
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
# Colours fade into those of another scheme, and have no contrast in between.
COLOURED = "() => !document.getAnimations().some((one) => one instanceof CSSTransition)"
PICTURES = os.environ.get("PARLOUR_PICTURES")  # a folder: keep what the page looked like
GONE_MS = 60_000  # a lease, and the look for those that are over


def told(desk: Desk, words: str) -> Locator:
    return desk.page.get_by_role("status").filter(has_text=words)


@contextlib.asynccontextmanager
async def answering(
    folder: Path, database_url: str, redis_url: str, lease_s: float
) -> AsyncIterator[Served]:
    """Another process of the same Parlour, which begins an answer and stands at a gate in it."""
    other = folder / "other"
    other.mkdir()
    async with served(
        other,
        PARLOUR_DATABASE_URL=database_url,
        PARLOUR_REDIS_URL=redis_url,
        PARLOUR_MODEL=script(other, SCRIPT),
        PARLOUR_LIMITS__LEASE_S=str(lease_s),
    ) as process:
        await process.begin("c1", "gate")
        yield process


async def looks_well(desk: Desk) -> None:
    """The audit passes in both schemes, on a desk and on a phone."""
    for width, height in SIZES:
        await desk.page.set_viewport_size({"width": width, "height": height})
        for scheme in SCHEMES:
            await desk.page.emulate_media(color_scheme=scheme)
            await desk.page.wait_for_function(COLOURED)
            assert await desk.axe() == []
            wide = await desk.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width
            if PICTURES:
                await desk.page.screenshot(path=Path(PICTURES) / f"stop-{width}-{scheme}.png")


async def test_who_is_not_obeyed_at_once_reads_what_happens_now(
    open_desk: OpenDesk, tmp_path: Path, database_url: str, redis_url: str
):
    async with (
        answering(tmp_path, database_url, redis_url, 60) as other,
        open_desk(database_url=database_url, redis_url=redis_url) as desk,
    ):
        desk.expects("503")
        await desk.open("/c/c1")
        await expect(desk.text).to_have_text("Before the gate.")
        other.process.send_signal(signal.SIGSTOP)
        try:
            await desk.button("Stop").click()
            sentence = told(desk, "Your stop is kept: the answer ends as soon as")
            await expect(sentence).to_be_visible()
            await expect(desk.text).to_have_text("Before the gate.")
            await expect(desk.button("Stop again")).to_be_enabled()
            await expect(desk.button("Stop")).to_be_visible()
            await looks_well(desk)
        finally:
            other.process.send_signal(signal.SIGCONT)
        await expect(desk.answer).to_contain_text("Stopped")
        await expect(sentence).to_have_count(0)
        await expect(desk.text).to_have_text("Before the gate.")


async def test_an_answer_whose_process_is_gone_ends_by_itself_after_a_stop(
    open_desk: OpenDesk, tmp_path: Path, database_url: str, redis_url: str
):
    async with (
        answering(tmp_path, database_url, redis_url, 10) as other,
        open_desk(database_url=database_url, redis_url=redis_url) as desk,
    ):
        desk.expects("503", "ERR_")  # the line of a process that is gone breaks
        await desk.open("/c/c1")
        await expect(desk.text).to_have_text("Before the gate.")
        await other.kill()
        await desk.button("Stop").click()
        sentence = told(desk, "is found to be gone")
        await expect(sentence).to_be_visible()
        await expect(desk.answer).to_contain_text("Stopped", timeout=GONE_MS)
        await expect(sentence).to_have_count(0)
        await expect(desk.text).to_have_text("Before the gate.")


async def test_a_stop_that_reaches_nobody_says_so_and_can_be_asked_for_again(desk: Desk):
    desk.expects("ERR_FAILED")
    await desk.ask("gate")
    await desk.reached("middle")
    await expect(desk.text).to_have_text("Before the gate.")
    await desk.page.route("**/stop", lambda route: route.abort())
    await desk.button("Stop").click()
    await expect(told(desk, "The stop did not reach the server")).to_be_visible()
    await expect(desk.text).to_have_text("Before the gate.")
    await desk.page.unroute("**/stop")
    await desk.button("Stop again").click()
    await expect(desk.answer).to_contain_text("Stopped")
    await expect(told(desk, "The stop did not reach the server")).to_have_count(0)
    await desk.idle()


async def test_a_question_that_is_stopped_on_its_way_is_stopped_where_it_arrives(desk: Desk):
    asking, may = asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        asking.set()
        await may.wait()
        await route.continue_()

    await desk.page.route("**/api/chat", hold)
    await desk.ask("gate")
    await asyncio.wait_for(asking.wait(), WAIT_S)
    await desk.button("Stop").click()
    await expect(desk.button("Stopping")).to_be_visible()
    may.set()
    await expect(desk.answer).to_contain_text("Stopped")
    await desk.idle()
