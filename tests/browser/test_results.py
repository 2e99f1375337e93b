"""Results that are too long to be sent at once: people get all of them, when they ask."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from playwright.async_api import expect

from tests.browser.conftest import OpenDesk

ODD = Path(__file__).parent.parent / "mcp_odd_server.py"
SERVER = {
    "command": sys.executable,
    "args": [str(ODD), "stdio"],
    "connect_s": 60,
    "reads": ["*"],
}
SERVERS = {"odd": SERVER}
SHOTS = os.environ.get("PARLOUR_SHOTS", "")  # a folder, to look at the page


def script_of(folder: Path, name: str, **arguments: Any) -> str:
    call = {"calls": [{"name": f"odd__{name}", "arguments": arguments}]}
    rounds = [[call], [{"text": "There are many; the first ones stand above."}]]
    file = folder / "script.json"
    file.write_text(json.dumps([{"when": "show", "rounds": rounds}]), encoding="utf-8")
    return f"scripted:{file}"


async def test_a_table_of_thirty_thousand_rows_is_shown_whole(open_desk: OpenDesk, tmp_path: Path):
    model = script_of(tmp_path, "rows", count=30_000)
    async with open_desk(model=model, mcp=SERVERS) as desk:
        await desk.open()
        await desk.ask_and_wait("show me all rows")
        page = desk.page
        await expect(page.get_by_text("of 30,000 rows")).to_be_visible()
        await shoot(page, "cut")
        await page.reload()
        await page.get_by_role("button", name="Show everything").click()
        await expect(page.get_by_text("30,000 rows", exact=True)).to_be_visible()
        await expect(page.get_by_role("button", name="Show everything")).to_have_count(0)
        await page.get_by_role("button", name="Show 1,000 more rows").click()
        await expect(page.get_by_role("cell", name="row 999", exact=True)).to_be_attached()
        async with page.expect_download() as download:
            await page.get_by_role("button", name="Download CSV").click()
        saved = await (await download.value).path()
        assert saved.read_text(encoding="utf-8-sig").count("\n") >= 30_000
        assert await desk.axe() == []


async def test_a_long_text_is_read_page_by_page(open_desk: OpenDesk, tmp_path: Path):
    model = script_of(tmp_path, "huge", megabytes=0.3)
    phone = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}
    async with open_desk(phone, model=model, mcp=SERVERS) as desk:
        await desk.open()
        await desk.ask_and_wait("show me the text")
        page = desk.page
        await shoot(page, "text-cut")
        await page.get_by_role("button", name="Show everything").click()
        await page.get_by_role("button", name="Show more").click()
        await expect(page.get_by_role("button", name="Show more")).to_have_count(0)
        block = page.locator("pre").last
        assert len(await block.inner_text()) == 300_000
        await shoot(page, "text-whole")
        assert await desk.axe() == []


async def shoot(page: Any, name: str) -> None:
    if SHOTS:
        await page.screenshot(path=f"{SHOTS}/{name}.png")
