"""What the checks look like: hidden values, withdrawn answers, questions to ask next."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.async_api import expect

from tests.browser.conftest import OpenDesk

MAIL = "ann.lee@example.org"
KEY = "sk-live-4f8a9c0e1b2d3f4a5b6c7d"
LONG = "A sentence that goes on and on and says little about it. " * 24
SCRIPT = [
    {"when": "<exchange>", "steps": [{"text": "ASK: And in April?\nASK: Who sold most?"}]},
    {"when": "key", "steps": [{"text": f"{LONG}{KEY} {LONG}"}]},
    {"when": ".", "steps": [{"text": "I wrote to {{message}}"}]},
]


def played(folder: Path) -> str:
    """The model that plays `SCRIPT`."""
    file = folder / "guarded.json"
    file.write_text(json.dumps(SCRIPT), encoding="utf-8")
    return f"scripted:{file}"


POLICY = {"privacy": {"email": "mask"}, "followups": {"questions": 2}}


async def test_a_hidden_value_has_a_quiet_mark_now_and_later(open_desk: OpenDesk, tmp_path: Path):
    async with open_desk(model=played(tmp_path), policy=POLICY) as desk:
        await desk.open()
        box = desk.page.get_by_role("textbox", name="Message")
        await box.fill(f"write to {MAIL}")
        await box.press("Enter")
        mark = desk.page.locator(".masked").first
        await expect(mark).to_contain_text(MAIL)
        await expect(mark).to_contain_text("Hidden from the model")
        await expect(desk.page.get_by_text(f"I wrote to write to {MAIL}")).to_be_visible()
        await desk.page.reload()
        await expect(desk.page.locator(".masked").first).to_contain_text(MAIL)


async def test_questions_to_ask_next_are_asked_by_keyboard(open_desk: OpenDesk, tmp_path: Path):
    async with open_desk(model=played(tmp_path), policy=POLICY) as desk:
        await desk.open()
        box = desk.page.get_by_role("textbox", name="Message")
        await box.fill("How were sales?")
        await box.press("Enter")
        chip = desk.page.get_by_role("list", name="Ask next").get_by_role("button").first
        await expect(chip).to_have_text("And in April?")
        await chip.focus()
        await desk.page.keyboard.press("Enter")
        await expect(desk.page.get_by_text("I wrote to And in April?")).to_be_visible()
        await expect(desk.page.get_by_role("list", name="Ask next")).to_have_count(1)


async def test_a_withdrawn_answer_leaves_its_room_and_not_its_words(
    open_desk: OpenDesk, tmp_path: Path
):
    async with open_desk(model=played(tmp_path), policy=POLICY) as desk:
        await desk.open()
        box = desk.page.get_by_role("textbox", name="Message")
        await box.fill("say the key")
        await box.press("Enter")
        withdrawn = desk.page.locator("p.italic", has_text="This answer was withdrawn")
        await expect(withdrawn).to_be_visible()
        await desk.page.reload()
        await expect(withdrawn).to_be_visible()
        await expect(desk.page.get_by_text(KEY)).to_have_count(0)
