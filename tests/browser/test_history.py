"""Conversations that are kept: changed, answered again, renamed, deleted, come back to."""

from __future__ import annotations

import re

from playwright.async_api import expect

from tests.browser.desk import Desk, until


async def test_an_edited_question_keeps_its_earlier_version(desk: Desk):
    await desk.ask_and_wait("hello")
    first = desk.page.locator("article").first
    await first.hover()
    await first.get_by_role("button", name="Edit message").click()
    editor = desk.page.get_by_label("Edit your message")
    await expect(editor).to_be_focused()
    await editor.fill("What is 17.5 % of 2,340?")
    await editor.press("Enter")
    await expect(desk.text).to_contain_text("409.5")
    await expect(first.get_by_text("2 / 2")).to_be_visible()
    await first.get_by_role("button", name="Previous version").click()
    await expect(desk.text).to_have_text("Hello there, friend.")
    await first.get_by_role("button", name="Next version").click()
    await expect(desk.text).to_contain_text("409.5")


async def test_an_answer_made_again_keeps_the_earlier_one(desk: Desk):
    await desk.ask_and_wait("hello")
    await desk.toolbar.get_by_role("button", name="Answer again").click()
    await expect(desk.answer.get_by_text("2 / 2")).to_be_visible()
    await desk.answer.get_by_role("button", name="Previous version").click()
    await expect(desk.answer.get_by_text("1 / 2")).to_be_visible()
    await expect(desk.text).to_have_text("Hello there, friend.")
    await desk.page.reload()
    await expect(desk.answer.get_by_text("1 / 2")).to_be_visible()


async def test_a_conversation_can_be_renamed(desk: Desk):
    await desk.ask_and_wait("hello")
    await choose(desk, "hello", "Rename")
    name = desk.page.get_by_label("Name of the conversation")
    await expect(name).to_be_focused()
    await name.fill("A warm welcome")
    await name.press("Enter")
    await expect(desk.page.locator("h1")).to_have_text("A warm welcome")

    async def stored() -> bool:
        _, body = await desk.house.get("/api/threads")
        return body["threads"][0]["title"] == "A warm welcome"

    await until(stored, "the new name is stored")
    await desk.page.reload()
    await expect(desk.page.locator("h1")).to_have_text("A warm welcome")


async def test_a_deleted_conversation_can_be_brought_back_and_then_is_gone(desk: Desk):
    await desk.ask_and_wait("hello")
    thread = desk.thread()
    await choose(desk, "hello", "Delete")
    row = desk.page.get_by_role("link", name="hello")
    await expect(row).to_have_count(0)
    await desk.button("Undo").click()
    await expect(row).to_be_visible()
    await choose(desk, "hello", "Delete")
    await expect(row).to_have_count(0)
    await desk.page.reload()  # leaving makes it final

    async def gone() -> bool:
        status, _ = await desk.house.get(f"/api/threads/{thread}")
        return status == 404

    await until(gone, "the conversation is deleted")
    desk.expects("404")
    await desk.open(f"/c/{thread}")
    await expect(desk.page.get_by_text("This conversation is not here")).to_be_visible()


async def test_a_draft_belongs_to_its_conversation_and_survives_a_reload(desk: Desk):
    await desk.type("for a new conversation")
    await desk.page.reload()
    await expect(desk.box).to_have_value("for a new conversation")
    await desk.ask_and_wait("hello")
    await desk.type("for this one")
    await desk.page.get_by_role("link", name="New conversation").click()
    await expect(desk.box).to_have_value("")
    await desk.page.get_by_role("link", name="hello").click()
    await expect(desk.box).to_have_value("for this one")
    await desk.page.reload()
    await expect(desk.box).to_have_value("for this one")


async def test_a_conversation_is_found_by_a_word_of_its_name(desk: Desk):
    await desk.ask_and_wait("hello")
    await desk.page.get_by_role("link", name="New conversation").click()
    await desk.ask_and_wait("a word of neither, and hello")
    search = desk.page.get_by_label("Search conversations")
    await search.fill("neither")
    await expect(desk.page.locator("nav li")).to_have_count(1)
    await search.press("Escape")
    await expect(desk.page.locator("nav li")).to_have_count(2)


async def choose(desk: Desk, title: str, item: str) -> None:
    """Open the menu of a conversation in the list and choose from it."""
    await desk.page.get_by_role("link", name=title).hover()
    await desk.button(re.compile(f"^Options for {title}")).click()
    await desk.page.get_by_role("menuitem", name=item).click()
