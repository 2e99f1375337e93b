"""A long conversation keeps what matters: the page, the name, what was said at its beginning."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from parlour.models.scripted import ScriptedModel
from parlour.store.database import Database
from tests.house import WAIT_S, House, final, said
from tests.journey.conftest import OpenHouse, Script
from tests.journey.test_garbage import SECRET, token

CHART = {"kind": "chart", "title": "Revenue by region"}
SUMMARY = "summarise this conversation"
TALK: Script = [
    {"when": rf"{SUMMARY}[\s\S]*name is (\w+)", "steps": [{"text": "Their name is {{group:1}}."}]},
    {"when": SUMMARY, "steps": [{"text": "They said hello."}]},
    {"when": "long answer", "steps": [{"text": "word " * 1_500}]},
    {"when": "", "steps": [{"text": "I see."}]},
]
SMALL = {"memory": {"window_messages": 4, "context_tokens": 400, "summary_after_tokens": 300}}


def asked(house: House, *, summaries: bool = False) -> list[list[dict[str, Any]]]:
    """The prompts of the last answers, or of the last summaries."""
    assert isinstance(house.services.model, ScriptedModel)
    prompts = [request.messages for request in house.services.model.requests]
    return [p for p in prompts if (SUMMARY in p[-1]["content"].lower()) == summaries]


async def settled(house: House) -> None:
    """Wait until no summary is under way."""
    del house
    tasks = [t for t in asyncio.all_tasks() if t.get_name().startswith("summary ")]
    if tasks:
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), WAIT_S)


async def kept(database_url: str, sql: str) -> list[Any]:
    database = await Database.open(database_url)
    try:
        return [row[0] for row in await database.fetch(sql)]  # type: ignore[arg-type]
    finally:
        await database.close()


async def talk(house: House, count: int, thread: str = "c1", **more: Any) -> None:
    for number in range(count):
        frames = await house.ask(thread, f"Something {number}", **more)
        assert final(frames).status == "done"
        await settled(house)


async def test_a_conversation_of_300_messages_still_knows_the_page_and_the_users_name(
    open_house: OpenHouse, database_url: str
):
    person = token("ann", name="Ann\u202e Lee\n", tier="custom")
    async with open_house(TALK, token=person, secret=SECRET) as house:
        await house.ask("c1", "My name is Ada, I live in Oslo.", context=CHART)
        await talk(house, 149, context=CHART)
        await house.ask("c1", "What is my name, and what do I look at?", context=CHART)
        system, *rest = asked(house)[-1]
        assert 'signed in as "Ann Lee"' in system["content"]
        assert 'title: "Revenue by region"' in system["content"]
        assert "| Their name is Ada." in system["content"]
        assert len(rest) <= 20
        assert rest[-1]["content"].startswith("What is my name")
        roles = [entry["role"] for entry in rest]
        assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]
        await settled(house)
        _, body = await house.get("/api/threads/c1")
        assert len(body["messages"]) == 30
        purposes = await kept(database_url, "SELECT DISTINCT purpose FROM model_calls ORDER BY 1")
        assert purposes == ["answer", "summary"]


async def test_no_summary_is_asked_for_before_an_answer_has_ended(open_house: OpenHouse):
    script = [{"when": SUMMARY, "steps": [{"gate": "summary"}, {"text": "Short."}]}, *TALK[2:]]
    async with open_house(script, policy=SMALL) as house:
        await house.ask("c1", "One")
        await house.ask("c1", "Two")
        model = house.services.model
        assert isinstance(model, ScriptedModel)
        await asyncio.wait_for(model.reached("summary"), WAIT_S)
        # It hangs, and the conversation goes on without it.
        assert said(await house.ask("c1", "Three")) == "I see."
        assert "conversation_summary" not in asked(house)[-1][0]["content"]
        model.open("summary")
        await settled(house)
        await house.ask("c1", "Four")
        assert "| Short." in asked(house)[-1][0]["content"]


async def test_a_summary_that_fails_hurts_nobody_and_is_made_the_next_time(open_house: OpenHouse):
    script = [
        {"when": rf"{SUMMARY}[\s\S]*Something 2", "steps": [{"text": "At last."}]},
        {"when": SUMMARY, "steps": [{"text": "half"}, {"cut": True}]},
        *TALK[2:],
    ]
    async with open_house(script, policy=SMALL) as house:
        await talk(house, 3)
        assert "conversation_summary" not in asked(house)[-1][0]["content"]
        await talk(house, 2)
        assert "| At last." in asked(house)[-1][0]["content"]


async def test_the_old_summary_goes_into_the_new_one(open_house: OpenHouse):
    async with open_house(TALK, policy=SMALL) as house:
        await house.ask("c1", "My name is Ada.")
        await talk(house, 5)
        first, *later = asked(house, summaries=True)
        assert "conversation_summary" not in first[-1]["content"]
        assert "| My name is Ada." in first[-1]["content"]
        assert later
        for prompt in later:
            assert "| Their name is Ada." in prompt[-1]["content"]
            assert "| My name is Ada." not in prompt[-1]["content"]


async def test_an_edited_message_is_not_remembered_as_it_was(open_house: OpenHouse):
    async with open_house(TALK, policy=SMALL) as house:
        await house.ask("c1", "My name is Ada.", message_id="m1")
        await talk(house, 4)
        assert "Ada" in asked(house)[-1][0]["content"]
        await house.ask("c1", "My name is Eve.", trigger="edit", target="m1", message_id="m2")
        assert "Ada" not in str(asked(house)[-1])
        await talk(house, 4)
        told = asked(house)[-1][0]["content"]
        assert "| Their name is Eve." in told
        assert "Ada" not in told
        # The version before is still there, and remembers what was said on it.
        status, _ = await house.post("/api/threads/c1/versions", {"message_id": "m1"})
        assert status == 200
        await house.ask("c1", "Who am I?")
        told = asked(house)[-1][0]["content"]
        assert "Ada" in told
        assert "Eve" not in told


async def test_what_a_killed_process_left_undone_is_made_after_the_next_answer(
    open_house: OpenHouse, database_url: str
):
    # Its summary had not been made when the process died.
    async with open_house(
        TALK, policy={"memory": {**SMALL["memory"], "summaries": False}}
    ) as house:
        await house.ask("c1", "My name is Ada.")
        await talk(house, 60)
        assert await kept(database_url, "SELECT text FROM summaries") == []
    async with open_house(TALK, policy=SMALL) as house:
        await talk(house, 2)  # a hundred messages at a time
        await house.ask("c1", "Who am I?")
        assert "| Their name is Ada." in asked(house)[-1][0]["content"]


async def test_a_summary_that_was_being_made_when_its_process_went_is_made_again(
    open_house: OpenHouse,
):
    hangs = [{"when": SUMMARY, "steps": [{"gate": "summary"}]}, *TALK[2:]]
    async with open_house(hangs, policy=SMALL) as house:
        await house.ask("c1", "My name is Ada.")
        await house.ask("c1", "Something")
        model = house.services.model
        assert isinstance(model, ScriptedModel)
        await asyncio.wait_for(model.reached("summary"), WAIT_S)
    async with open_house(TALK, policy=SMALL) as house:
        await talk(house, 1)
        await house.ask("c1", "Who am I?")
        assert "| Their name is Ada." in asked(house)[-1][0]["content"]


async def test_a_long_answer_is_cut_for_the_next_question_and_kept_for_people(
    open_house: OpenHouse,
):
    async with open_house(TALK, policy=SMALL) as house:
        await house.ask("c1", "A long answer please")
        await house.ask("c1", "And now?")
        _, *rest = asked(house)[-1]
        assert rest[-2]["content"].endswith("[…]")
        assert len(rest[-2]["content"]) < 2_100
        assert rest[-1]["content"] == "And now?"
        _, body = await house.get("/api/threads/c1")
        assert len(body["messages"][1]["parts"][0]["text"]) == 7_500


async def test_a_caller_who_keeps_the_conversation_is_sent_all_of_it(
    open_house: OpenHouse, database_url: str
):
    messages = [
        {"role": ("user", "assistant")[n % 2], "content": f"m{n} " + "word " * 100}
        for n in range(61)
    ]
    async with open_house(TALK) as house:
        status, _ = await house.post(
            "/v1/chat/completions", {"model": "parlour", "messages": messages}
        )
        assert status == 200
        assert len(asked(house)[-1]) == 62
        await settled(house)
        assert await kept(database_url, "SELECT text FROM summaries") == []


@pytest.mark.parametrize("window", [2, 3])
async def test_a_workspace_may_have_a_smaller_window(open_house: OpenHouse, window: int):
    changes = {"local": {"memory": {"window_messages": window, "summaries": False}}}
    async with open_house(TALK, workspaces=changes) as house:
        await talk(house, 3)
        _, *rest = asked(house)[-1]
        assert [entry["role"] for entry in rest][-2:] == (["assistant", "user"])
        assert len([e for e in rest if not e["content"].startswith("(Earlier")]) == window
