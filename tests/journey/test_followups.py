"""Follow-up questions and titles: made after the answer, in nobody's way."""

from __future__ import annotations

import asyncio

from tests.house import WAIT_S, final, said
from tests.journey.conftest import OpenHouse, Script
from tests.journey.test_judge import scripted
from tests.journey.test_privacy import MAIL, heard, rows

ON = {"followups": {"questions": 2, "title": True}}
MADE = "TITLE: Sales in March\nASK: And in April?\n- ASK: Who sold most?\nASK: A third one?"
LEAKS = """ASK: What is sk-live-4f8a9c0e1b2d3f4a5b6c7d?
ASK: See http://x.y ?
ASK: What is at www.evil.example/?d=sales?
TITLE: [Sales](//evil.example/x)"""
SCRIPT: Script = [
    {"when": "<exchange>[^<]*gated", "steps": [{"gate": "made"}, {"text": MADE}]},
    {"when": "<exchange>[^<]*broken", "steps": [{"cut": True}]},
    {"when": "<exchange>[^<]*odd", "steps": [{"text": "Sure! Here you go."}]},
    {
        "when": "<exchange>[^<]*leak",
        "steps": [{"text": LEAKS}],
    },
    {"when": "<exchange>[^<]*EMAIL_1", "steps": [{"text": "ASK: Who is [EMAIL_1]?"}]},
    {"when": "<exchange>", "steps": [{"text": MADE}]},
    {"when": ".", "steps": [{"text": "Up by 12 %."}]},
]


async def test_an_answer_gets_questions_and_a_title(open_house: OpenHouse):
    async with open_house(SCRIPT, policy=ON) as it:
        frames = await it.ask("c1", "How were sales?")
        assert said(frames) == "Up by 12 %."
        turn = frames[0].body["turn_id"]
        _, made = await it.get(f"/api/threads/c1/turns/{turn}/followups")
        assert made == {"questions": ["And in April?", "Who sold most?"], "title": "Sales in March"}
        _, body = await it.get("/api/threads/c1")
        assert body["thread"]["title"] == "Sales in March"
        assert body["messages"][1]["metadata"]["followups"] == made["questions"]
        assert body["messages"][1]["metadata"]["finish_reason"] == "stop"
        frames = await it.ask("c1", "And costs?")
        turn = frames[0].body["turn_id"]
        await it.get(f"/api/threads/c1/turns/{turn}/followups")
        asked = scripted(it).requests[-1].messages[0]["content"]
        assert "TITLE" not in asked  # the conversation has its title


async def test_nobody_waits_for_them(open_house: OpenHouse):
    async with open_house(SCRIPT, policy=ON) as it:
        frames = await it.ask("c1", "gated")
        assert final(frames).status == "done"
        await asyncio.wait_for(scripted(it).reached("made"), WAIT_S)
        assert final(await it.ask("c1", "the next question")).status == "done"
        turn = frames[0].body["turn_id"]
        waiting = asyncio.create_task(it.get(f"/api/threads/c1/turns/{turn}/followups"))
        scripted(it).open("made")
        _, made = await waiting
        assert made["questions"] == ["And in April?", "Who sold most?"]


async def test_off_means_no_call(open_house: OpenHouse):
    async with open_house(SCRIPT) as it:
        frames = await it.ask("c1", "How were sales?")
        turn = frames[0].body["turn_id"]
        _, made = await it.get(f"/api/threads/c1/turns/{turn}/followups")
        assert made == {"questions": [], "title": "How were sales?"}
        assert len(scripted(it).requests) == 1
        assert (await it.get("/api/me"))[1]["followups"] is False


async def test_a_model_that_says_something_else_has_said_nothing(open_house: OpenHouse):
    async with open_house(SCRIPT, policy=ON) as it:
        for word in ("odd", "broken", "leak"):
            frames = await it.ask(word, word)
            turn = frames[0].body["turn_id"]
            _, made = await it.get(f"/api/threads/{word}/turns/{turn}/followups")
            assert made == {"questions": [], "title": word}


async def test_a_title_that_people_gave_stays(open_house: OpenHouse):
    async with open_house(SCRIPT, policy=ON) as it:
        await it.post("/api/threads", {"id": "c1", "title": "Mine"})
        frames = await it.ask("c1", "How were sales?")
        turn = frames[0].body["turn_id"]
        _, made = await it.get(f"/api/threads/c1/turns/{turn}/followups")
        assert made["title"] == "Mine"


async def test_they_are_their_owners_and_have_placeholders_at_rest(
    open_house: OpenHouse, database_url: str
):
    policy = {**ON, "privacy": {"email": "mask"}}
    async with open_house(SCRIPT, policy=policy) as it:
        frames = await it.ask("c1", f"Find {MAIL}")
        turn = frames[0].body["turn_id"]
        _, made = await it.get(f"/api/threads/c1/turns/{turn}/followups")
        assert made["questions"] == [f"Who is {MAIL}?"]
        _, body = await it.get("/api/threads/c1")
        assert body["messages"][1]["metadata"]["followups"] == [f"Who is {MAIL}?"]
        assert MAIL not in heard(it)
        assert MAIL not in await rows(database_url, "messages", "threads")
        assert (await it.get("/api/threads/c2/turns/t_1/followups"))[0] == 404


async def test_their_calls_are_booked(open_house: OpenHouse, database_url: str):
    async with open_house(SCRIPT, policy=ON) as it:
        frames = await it.ask("c1", "How were sales?")
        turn = frames[0].body["turn_id"]
        await it.get(f"/api/threads/c1/turns/{turn}/followups")
        assert "followups" in await rows(database_url, "model_calls")
