"""The page names what the host's user looks at, and asks about it."""

from __future__ import annotations

import json
import re
from typing import Any

from playwright.async_api import Route, expect

from parlour.models.scripted import ScriptedModel
from tests.browser.desk import Desk

CHART = {"kind": "chart", "id": 7, "title": "Revenue by region", "text": "SELECT 1"}


async def in_view(desk: Desk, context: Any) -> None:
    """The host's document says what is in view, as one that embeds Parlour would."""

    async def written(route: Route) -> None:
        response = await route.fetch()
        block = (
            f'<script type="application/json" id="parlour-context">{json.dumps(context)}</script>'
        )
        body = (await response.text()).replace("</head>", f"{block}</head>")
        await route.fulfill(response=response, body=body)

    await desk.page.route(re.compile(rf"^{re.escape(desk.url)}/(\?.*|c/.*)?$"), written)
    await desk.open()


async def test_the_empty_page_names_what_is_in_view_and_asks_about_it(desk: Desk):
    await in_view(desk, CHART)
    await expect(desk.page.get_by_text("In view: Revenue by region")).to_be_visible()
    prompts = desk.page.locator("main ul button")
    await expect(prompts).to_have_count(4)
    for prompt in await prompts.all_inner_texts():
        assert "chart" in prompt
    await prompts.first.click()
    await desk.idle()
    model = desk.house.services.model
    assert isinstance(model, ScriptedModel)
    asked = model.requests[-1].messages
    assert 'title: "Revenue by region"' in asked[0]["content"]
    assert asked[-1]["content"] == "Explain this chart."
    await expect(desk.page.get_by_text("Asked from Revenue by region")).to_have_count(1)


async def test_a_question_says_where_it_was_asked_after_a_reload(desk: Desk):
    await in_view(desk, CHART)
    await desk.ask_and_wait("hello")
    await desk.page.unroute_all()
    await desk.page.reload()
    await expect(desk.page.get_by_text("Revenue by region")).to_have_count(1)
    await desk.ask_and_wait("hello again")
    _, body = await desk.house.get("/api/threads")
    _, thread = await desk.house.get(f"/api/threads/{body['threads'][0]['id']}")
    pages = [m["metadata"].get("page", {}).get("title") for m in thread["messages"][::2]]
    assert pages == ["Revenue by region", None]


async def test_a_host_that_says_nonsense_breaks_nothing(desk: Desk):
    await in_view(desk, ["no", "page"])
    await expect(desk.page.get_by_text("In view")).to_have_count(0)
    await desk.ask_and_wait("hello")
