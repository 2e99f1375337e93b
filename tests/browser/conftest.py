"""A browser for the session; a server and a window for each test."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from parlour.api.access import LOCAL
from parlour.safety.disclosures.engine import Now, utc_now
from parlour.settings import Settings
from tests.browser.desk import WATCH, Desk, until
from tests.browser.scripts import SCRIPT
from tests.house import WAIT_S, House, house
from tests.postgres import fresh_database

HERE = Path(__file__).parent
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)
WINDOW = {"width": 1280, "height": 800}

OpenDesk = Callable[..., AbstractAsyncContextManager[Desk]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for all: the browser lives as long as the session."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The machine's own Chromium."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    assert program, "no Chromium is installed; `python scripts/browser.py` says how to get one"
    expect.set_options(timeout=WAIT_S * 1000)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=[*FLAGS])
        yield browser
        await browser.close()


@pytest.fixture
def open_desk(browser: Browser, postgres: str) -> OpenDesk:
    """`async with open_desk(...)`: a server of its own with settings, and a window at it.

    `window` are Playwright's options of a context, `through` an own address to reach the server
    by, `house` a server that is there already. No unexpected complaint may be left at the end.
    """

    @contextlib.asynccontextmanager
    async def opened(
        window: dict[str, Any] | None = None,
        through: str = "",
        at: House | None = None,
        **settings: Any,
    ) -> AsyncGenerator[Desk]:
        async with contextlib.AsyncExitStack() as stack:
            served = at or await stack.enter_async_context(serve(postgres, **settings))
            options: Any = {"viewport": WINDOW, "locale": "en-GB", **(window or {})}
            context = await browser.new_context(**options)
            stack.push_async_callback(context.close)
            await context.add_init_script(WATCH)
            context.set_default_timeout(WAIT_S * 1000)
            desk = Desk(served, context, await context.new_page(), through)
            yield desk
            assert await desk.faults() == []
            assert desk.dialogs == []

    return opened


@contextlib.asynccontextmanager
async def serve(postgres: str, clock: Now = utc_now, **settings: Any) -> AsyncGenerator[House]:
    """A Parlour with the scripted model and a database of its own."""
    folder = Path(tempfile.mkdtemp(prefix="parlour-browser-"))
    file = folder / "script.json"
    file.write_text(json.dumps(SCRIPT), encoding="utf-8")
    try:
        async with fresh_database(postgres) as url:
            given: dict[str, Any] = {
                "model": f"scripted:{file}",
                "database_url": url,
                "data_dir": folder,
                "shutdown_s": 2,
                **settings,
            }
            async with house(Settings(**given), clock=clock) as served:
                toolbox = served.services.toolbox

                async def connected() -> bool:
                    await toolbox.specs(LOCAL)
                    return all(server.status == "ready" for server in toolbox.servers())

                await until(connected, "the tool servers answer")
                yield served
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture(loop_scope="session")
async def desk(open_desk: OpenDesk) -> AsyncIterator[Desk]:
    """A window at an empty Parlour."""
    async with open_desk() as desk:
        await desk.open()
        yield desk
