"""Personal data: what its owner reads, and what nobody else ever sees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from parlour.models.scripted import ScriptedModel
from parlour.settings import Settings
from tests.house import House, final, house, parse_frames, said
from tests.journey.conftest import OpenHouse, Script
from tests.upstream import Upstream

MAIL, CARD, IBAN = "ann.canary@example.org", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00"
MASK = {"privacy": {"email": "mask", "phone": "mask", "ip": "mask"}}
ECHO: Script = [
    {
        "when": "calculate",
        "needs": ["parlour__calculator"],
        "rounds": [
            [
                {
                    "calls": [
                        {
                            "name": "parlour__calculator",
                            "arguments": {"expression": "1 + {{message}}"},
                        }
                    ]
                }
            ],
            [{"text": "The tool said {{result}}"}],
        ],
    },
    {"when": "split", "steps": [{"text": "To [EMA"}, {"text": "IL_1]"}, {"text": ", done."}]},
    {"when": ".", "steps": [{"text": "You wrote: {{message}}"}]},
]


def heard(house: House) -> str:
    """All that the model has been sent."""
    assert isinstance(house.services.model, ScriptedModel)
    return json.dumps([request.messages for request in house.services.model.requests])


async def rows(url: str, *tables: str) -> str:
    """Everything in some tables as text; bytes as they are."""
    found: list[Any] = []
    async with await psycopg.AsyncConnection.connect(url) as connection:
        for table in tables:
            cursor = await connection.execute(f"SELECT * FROM {table}")  # type: ignore[arg-type]
            found += await cursor.fetchall()
    return repr(found)


async def test_the_model_and_the_store_have_placeholders_and_the_owner_has_the_value(
    open_house: OpenHouse, database_url: str
):
    async with open_house(ECHO, policy=MASK) as it:
        frames = await it.ask("c1", f"I am {MAIL}, write to {MAIL}")
        assert said(frames) == f"You wrote: I am {MAIL}, write to {MAIL}"
        assert "I am [EMAIL_1], write to [EMAIL_1]" in heard(it)
        assert MAIL not in heard(it)
        assert MAIL not in await rows(database_url, "messages", "threads", "turns", "masked_values")
        notice = next(e for e in frames if e.event == "notice")
        assert notice.body == {"type": "notice", "kind": "masked", "text": MAIL}
        _, body = await it.get("/api/threads/c1")
        assert body["thread"]["title"] == f"I am {MAIL}, write to {MAIL}"
        assert body["messages"][0]["parts"][0]["text"] == f"I am {MAIL}, write to {MAIL}"
        assert MAIL in body["messages"][1]["parts"][0]["text"]
        assert body["masked"] == [MAIL]
        _, listing = await it.get("/api/threads")
        assert MAIL in listing["threads"][0]["title"]
        turn = frames[0].body["turn_id"]
        assert said(await it.read("c1", turn)) == said(frames)


async def test_a_placeholder_in_two_tokens_is_one_value_for_its_owner(open_house: OpenHouse):
    async with open_house(ECHO, policy=MASK) as it:
        assert said(await it.ask("c1", f"split {MAIL}")) == f"To {MAIL}, done."


async def test_a_placeholder_is_stable_in_a_conversation_and_another_one_starts_anew(
    open_house: OpenHouse,
):
    async with open_house(ECHO, policy=MASK) as it:
        await it.ask("c1", f"first bob@example.org then {MAIL}")
        await it.ask("c1", f"again {MAIL}")
        await it.ask("c2", f"elsewhere {MAIL}")
        asked = [r.messages[-1]["content"] for r in it.services.model.requests]  # type: ignore[attr-defined]
        assert asked == [
            "first [EMAIL_1] then [EMAIL_2]",
            "again [EMAIL_2]",
            "elsewhere [EMAIL_1]",
        ]


@pytest.mark.parametrize("same", [True, False])
async def test_the_same_message_again_is_the_same_message_masked_or_not(
    open_house: OpenHouse, same: bool
):
    async with open_house(ECHO, policy=MASK) as it:
        await it.ask("c1", f"I am {MAIL}", message_id="m1")
        text = f"I am {MAIL}" if same else "I am bob@example.org"
        async with it.start("c1", text, message_id="m1") as response:
            assert response.status == (200 if same else 409), await response.text()


async def test_what_is_blocked_is_refused_and_nothing_is_kept(
    open_house: OpenHouse, database_url: str
):
    async with open_house(ECHO, policy={"privacy": {"card": "block"}}) as it:
        status, problem = await it.post("/api/threads/c1/turns", {"text": f"pay {CARD}"})
        assert (status, problem["code"]) == (422, "personal_data")
        assert "a card number" in problem["detail"]
        assert CARD not in json.dumps(problem)
        assert (await it.get("/api/threads/c1"))[0] == 404
        assert await rows(database_url, "messages") == "[]"
        assert final(await it.ask("c1", "pay 12")).status == "done"


async def test_with_everything_off_nothing_is_changed(open_house: OpenHouse):
    off = {"card": "off", "iban": "off", "national_id": "off"}
    async with open_house(ECHO, policy={"privacy": off}) as it:
        assert said(await it.ask("c1", CARD)) == f"You wrote: {CARD}"
        assert CARD in heard(it)


async def test_a_workspace_may_differ(open_house: OpenHouse):
    async with open_house(ECHO, workspaces={"local": MASK}) as it:
        await it.ask("c1", f"I am {MAIL}")
        assert MAIL not in heard(it)


async def test_tools_get_placeholders_unless_their_server_is_trusted(open_house: OpenHouse):
    async with open_house(ECHO, policy=MASK) as it:
        frames = await it.ask("c1", f"calculate for {MAIL}")
        call = next(f for f in frames if f.event == "tool_call")
        assert MAIL in call.body["arguments"]["expression"]  # the owner sees their own data
        assert MAIL not in heard(it)
    async with open_house(
        ECHO, policy={"privacy": {"email": "mask", "clear_arguments": ["parlour"]}}
    ) as it:
        frames = await it.ask("c3", f"calculate for {MAIL}")
        result = next(f for f in frames if f.event == "tool_result")
        assert "[EMAIL_1]" not in result.data
        # What the tool says of it goes to the model as a placeholder again.
        assert MAIL not in heard(it)


async def test_what_was_said_before_the_policy_reaches_no_model_any_more(open_house: OpenHouse):
    async with open_house(ECHO) as it:
        await it.ask("c1", f"I am {MAIL}")
        assert MAIL in heard(it)
    async with open_house(ECHO, policy=MASK) as it:
        await it.ask("c1", "who am I?")
        assert MAIL not in heard(it)
        assert "[EMAIL_1]" in heard(it)


async def test_with_another_key_the_placeholders_stay_and_work_goes_on(
    open_house: OpenHouse, tmp_path: Path
):
    async with open_house(ECHO, policy=MASK) as it:
        await it.ask("c1", f"I am {MAIL}")
    (tmp_path / "masking.key").unlink()
    async with open_house(ECHO, policy=MASK) as it:
        _, body = await it.get("/api/threads/c1")
        assert body["messages"][0]["parts"][0]["text"] == "I am [EMAIL_1]"
        assert said(await it.ask("c1", "and bob@example.org")) == "You wrote: and bob@example.org"
        assert "and [EMAIL_2]" in heard(it)


async def test_the_ai_sdk_and_the_openai_face_answer_in_clear(open_house: OpenHouse):
    async with open_house(ECHO, policy=MASK) as it:
        message = {"id": "m1", "role": "user", "parts": [{"type": "text", "text": MAIL}]}
        body = {"id": "c1", "messages": [message]}
        async with it.http.post(f"{it.url}/api/chat", json=body) as response:
            frames = parse_frames((await response.text()).replace("data: [DONE]\n\n", ""))
            words = [f.body["delta"] for f in frames if f.body["type"] == "text-delta"]
            assert "".join(words) == f"You wrote: {MAIL}"
        chat = {"model": "parlour", "messages": [{"role": "user", "content": MAIL}]}
        _, answer = await it.post("/v1/chat/completions", chat)
        assert answer["choices"][0]["message"]["content"] == f"You wrote: {MAIL}"
        async with it.http.post(
            f"{it.url}/v1/chat/completions", json={**chat, "stream": True}
        ) as response:
            assert MAIL in await response.text()
        assert MAIL not in heard(it)


async def test_titles_are_masked_at_rest_and_clear_for_their_owner(
    open_house: OpenHouse, database_url: str
):
    async with open_house(ECHO, policy=MASK) as it:
        status, made = await it.post("/api/threads", {"id": "c1", "title": f"About {MAIL}"})
        assert (status, made["title"]) == (201, f"About {MAIL}")
        url = f"{it.url}/api/threads/c1"
        async with it.http.patch(url, json={"title": f"For {MAIL}"}) as response:
            assert (await response.json())["title"] == f"For {MAIL}"
        assert MAIL not in await rows(database_url, "threads", "masked_values")
        assert "[EMAIL_1]" in await rows(database_url, "threads")


async def test_deleting_a_conversation_deletes_the_values(open_house: OpenHouse, database_url: str):
    async with open_house(ECHO, policy=MASK) as it:
        await it.ask("c1", f"I am {MAIL}")
        assert "EMAIL_1" in await rows(database_url, "masked_values")
        async with it.http.delete(f"{it.url}/api/threads/c1") as response:
            assert response.status == 204
        assert await rows(database_url, "masked_values") == "[]"


async def test_canaries_reach_neither_upstream_nor_logs_nor_the_database(
    tmp_path: Path, database_url: str, capfd: pytest.CaptureFixture[str]
):
    async with Upstream() as upstream:
        settings: dict[str, Any] = {
            "model": "openai:m",
            "database_url": database_url,
            "data_dir": tmp_path,
            "OPENAI_API_KEY": "k",
            "OPENAI_BASE_URL": upstream.openai_url,
            "policy": MASK,
            "log_level": "debug",
        }
        async with house(Settings(**settings)) as it:
            await it.ask("c1", f"{MAIL} {CARD} {IBAN}")
            await it.ask("c1", f"and {MAIL} again")
            await it.get("/api/threads/c1")
            await it.ask(
                "c1",
                "",
                trigger="regenerate",
                target=(await it.get("/api/threads/c1"))[1]["messages"][-1]["id"],
            )
        assert len(upstream.requests) == 3
        sent = json.dumps([seen.body for seen in upstream.requests])
        assert "[EMAIL_1] [CARD_1] [IBAN_1]" in sent
        log = "".join(capfd.readouterr())
        kept = await rows(
            database_url, "messages", "threads", "turns", "turn_events", "masked_values"
        )
        for canary in (MAIL, CARD, IBAN):
            assert canary not in sent
            assert canary not in log
            assert canary not in kept


async def test_personal_data_on_the_page_is_masked_too(open_house: OpenHouse, database_url: str):
    async with open_house(ECHO, policy=MASK) as it:
        page = {"kind": "customer", "title": "Ann", "fields": {"mail": MAIL}}
        await it.ask("c1", "hello", context=page)
        assert MAIL not in heard(it)
        assert "[EMAIL_1]" in heard(it)
        assert MAIL not in await rows(database_url, "messages", "turns", "masked_values")
