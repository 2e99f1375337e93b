"""Asking and reading an answer."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenDesk
from tests.browser.desk import Desk
from tests.browser.scripts import SHOP


async def test_the_page_opens_under_a_strict_policy_without_a_complaint(desk: Desk):
    response = await desk.page.request.get(desk.url)
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    await expect(desk.box).to_be_focused()
    await expect(desk.page.locator("h1")).to_have_text(re.compile("Good"))
    assert await desk.faults() == []


async def test_people_are_told_that_it_is_a_machine_before_and_after_the_first_message(desk: Desk):
    status, me = await desk.house.get("/api/me")
    assert status == 200
    line = desk.page.get_by_text(me["disclosure"])
    await expect(line).to_be_in_viewport()
    await desk.ask_and_wait("hello")
    await expect(line).to_be_in_viewport()
    await expect(line).to_have_count(1)


async def test_an_answer_shows_its_thinking_its_tools_and_its_markdown_apart(desk: Desk):
    await desk.ask_and_wait("What is 17.5 % of 2,340?")
    thought = desk.answer.get_by_role("button", name=re.compile("^Thought"))
    await expect(thought).to_have_attribute("aria-expanded", "false")
    await expect(desk.answer.get_by_text("I use the calculator")).to_have_count(0)
    await thought.click()
    await expect(desk.answer.get_by_text("I use the calculator")).to_be_visible()

    tool = desk.answer.get_by_role("button", name=re.compile("^Calculated"))
    await expect(tool).to_contain_text("= 409.5")
    await tool.click()
    await expect(desk.answer.get_by_text('{ "expression": "17.5 / 100 * 2340" }')).to_be_visible()

    await expect(desk.text.locator("strong")).to_have_text("409.5")
    await expect(desk.text.locator("li")).to_have_text(["one", "two"])
    await expect(desk.text.locator("table td")).to_have_text(["Porto", "41 %", "Lyon", "59 %"])
    await expect(desk.text.locator("pre code")).to_have_text("print(17.5 / 100 * 2340)")
    await expect(desk.text.locator("figcaption")).to_contain_text("python")
    assert "calculator" not in await desk.text.inner_text()


async def test_a_tool_that_returns_rows_shows_a_table(open_desk: OpenDesk):
    async with open_desk(mcp=SHOP) as desk:
        await desk.open()
        await desk.ask_and_wait("show the orders")
        await expect(
            desk.answer.get_by_role("button", name=re.compile("^Searched"))
        ).to_contain_text("Searched orders· 4 rows")
        table = desk.answer.get_by_role("table")
        await expect(table.get_by_role("row")).to_have_count(5)
        await table.get_by_role("button", name=re.compile("total")).click()
        await expect(table.get_by_role("row").nth(1)).to_contain_text("Brightwater")


async def test_a_tool_that_fails_says_so_in_words(desk: Desk):
    await desk.ask_and_wait("broken tool")
    row = desk.answer.get_by_role("button", name=re.compile("did not work"))
    await expect(row).to_be_visible()
    await expect(desk.answer).to_contain_text("zero")
    await expect(desk.text).to_have_text("That cannot be done.")


async def test_words_stand_on_the_screen_while_the_answer_has_not_begun(desk: Desk):
    await desk.ask("quiet")
    await desk.reached("begin")
    await expect(desk.page.get_by_text("Thinking")).to_be_visible(timeout=1000)
    desk.model.open("begin")
    await expect(desk.text).to_have_text("At last.")
    await expect(desk.page.get_by_text("Thinking")).to_have_count(0)


async def test_an_answer_is_read_while_it_is_written(desk: Desk):
    await desk.ask("gate")
    await desk.reached("middle")
    await expect(desk.text).to_have_text("Before the gate.")
    await expect(desk.button("Stop")).to_be_visible()
    desk.model.open("middle")
    await expect(desk.text).to_have_text("Before the gate. After the gate.")
    await expect(desk.button("Stop")).to_have_count(0)


@pytest.mark.promise("P4")
async def test_stop_keeps_what_was_said_and_marks_it(desk: Desk):
    await desk.ask("gate")
    await desk.reached("middle")
    await expect(desk.text).to_have_text("Before the gate.")
    await desk.button("Stop").click()
    await expect(desk.answer.get_by_text("Stopped", exact=True)).to_be_visible()
    await expect(desk.text).to_have_text("Before the gate.")
    await desk.page.reload()
    await expect(desk.answer.get_by_text("Stopped", exact=True)).to_be_visible()
    await expect(desk.text).to_have_text("Before the gate.")


async def test_a_failed_turn_says_what_happened_a_code_and_a_way_on(desk: Desk):
    await desk.ask("fail")
    card = desk.page.get_by_label("This answer failed")
    await expect(card).to_contain_text("again")
    await expect(card.locator("code").first).to_have_text("upstream_cut")
    await expect(desk.text).to_have_text("Half an answer")
    await card.get_by_role("button", name="Try again").click()
    await expect(desk.page.get_by_text("Version 2 of 2")).to_have_count(1)
    await expect(card).to_have_count(1)


async def test_what_is_typed_while_an_answer_runs_waits_for_its_turn(desk: Desk):
    await desk.ask("gate")
    await desk.reached("middle")
    await desk.ask("hello")
    await expect(desk.page.get_by_text("Next, when this answer is done")).to_be_visible()
    desk.model.open("middle")
    await expect(desk.text).to_have_text("Hello there, friend.")
    await expect(desk.page.locator("article")).to_have_count(4)


async def test_the_details_of_an_answer_have_its_figures(desk: Desk):
    await desk.ask_and_wait("What is 17.5 % of 2,340?")
    await desk.toolbar.get_by_role("button", name="Details").click()
    details = desk.answer.locator("dl")
    await expect(details).to_contain_text("scripted:script")
    await expect(details).to_contain_text("800")
