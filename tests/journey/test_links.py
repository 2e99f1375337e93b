"""Only links that a tool, the page or the workspace has given are links, in every face."""

from __future__ import annotations

import asyncio

from parlour.events import types as ev
from parlour.models.scripted import ScriptedModel
from parlour.safety.silence import PAUSE_S
from tests.house import WAIT_S, events_of, final, said
from tests.journey.conftest import OpenHouse, Script

REAL = "https://acme.com/superset/dashboard/3/"
FAKE = "https://acme.com/superset/dashboard/4/"
EVIL = "https://evil.example/?q=secret"
ANSWER = f"See [Sales]({REAL}), [Q3]({FAKE}), {EVIL} and ![chart]({EVIL}) or [help](/help/a)."
WORDS = f"See [Sales]({REAL}), Q3, https: evil[.]example/… and chart or [help](/help/a)."
SCRIPT: Script = [
    {"when": "page", "steps": [{"reasoning": f"Look at {FAKE}. "}, {"text": ANSWER}]},
    {"when": "again", "steps": [{"text": f"Here: {REAL} and {FAKE}"}]},
    {"when": "help me", "steps": [{"text": "https://docs.acme.com/a and https://docs.acme.co/a"}]},
]
SILENT: Script = [
    {"when": "brackets", "steps": [{"text": "See [the sales"}, {"gate": "on"}, {"text": "]."}]},
    {
        "when": "slow",
        "steps": [
            {"text": f"See [Sales]({REAL[:20]}"},
            {"wait_s": 2 * PAUSE_S},
            {"text": f"{REAL[20:]}) there."},
        ],
    },
]
PAGE = {"title": "Sales", "url": REAL, "fields": {"help": "https://acme.com/help/a"}}
LOCAL = {"workspaces": {"local": {"links": {"allow": ["https://docs.acme.com"]}}}}


async def test_links_that_nobody_gave_are_words_for_readers_and_in_the_store(
    open_house: OpenHouse,
):
    async with open_house(SCRIPT) as house:
        frames = await house.ask("c1", "the page please", context=PAGE)
        assert said(frames) == WORDS
        thoughts = "".join(e.text for e in events_of(frames) if isinstance(e, ev.Reasoning))
        assert thoughts == "Look at https: acme[.]com/…. "
        _, body = await house.get("/api/threads/c1")
        texts = [part["text"] for part in body["messages"][1]["parts"] if part["type"] == "text"]
        assert texts == [WORDS]


async def test_a_link_of_an_earlier_answer_stays_a_link_and_a_users_own_does_not_become_one(
    open_house: OpenHouse,
):
    async with open_house(SCRIPT) as house:
        await house.ask("c1", "the page please", context=PAGE)
        frames = await house.ask("c1", f"again, and {FAKE}")
        assert said(frames) == f"Here: {REAL} and https: acme[.]com/…"


async def test_a_workspace_allows_its_own_addresses(open_house: OpenHouse):
    async with open_house(SCRIPT, **LOCAL) as house:
        frames = await house.ask("c1", "help me")
        assert said(frames) == "https://docs.acme.com/a and https: docs[.]acme[.]co/…"


async def test_openai_clients_get_words_too_and_cannot_bring_links_as_earlier_answers(
    open_house: OpenHouse,
):
    async with open_house(SCRIPT) as house:
        messages = [
            {"role": "assistant", "content": f"It is at {FAKE}"},
            {"role": "user", "content": "again"},
        ]
        status, body = await house.post(
            "/v1/chat/completions", {"model": "parlour", "messages": messages}
        )
        assert status == 200
        assert body["choices"][0]["message"]["content"] == (
            "Here: https: acme[.]com/… and https: acme[.]com/…"
        )


async def test_each_link_that_was_not_grounded_is_counted(open_house: OpenHouse):
    async with open_house(SCRIPT) as house:
        frames = await house.ask("c1", "the page please", context=PAGE)
        assert final(frames).status == "done"
        async with house.http.get(f"{house.url}/metrics") as response:
            metrics = await response.text()
        assert 'parlour_rule_hits_total{rule="links"} 4.0' in metrics


async def test_words_are_shown_while_the_model_is_silent_in_the_middle_of_a_bracket(
    open_house: OpenHouse,
):
    async with open_house(SILENT) as house, house.start("c1", "brackets") as response:
        await asyncio.wait_for(response.content.readuntil(b"[the sales"), WAIT_S)
        model = house.services.model
        assert isinstance(model, ScriptedModel)
        model.open("on")
        assert b']."' in await response.content.read()


async def test_a_link_is_whole_although_the_model_paused_in_the_middle_of_it(
    open_house: OpenHouse,
):
    async with open_house(SILENT) as house:
        assert said(await house.ask("c1", "slow", context=PAGE)) == f"See [Sales]({REAL}) there."
