"""Personal data in every place it can come from: the page, tools, what is older than the policy."""

from __future__ import annotations

import json
import sys
from typing import Any

from parlour.events import types as ev
from tests.house import House, events_of, final, said
from tests.journey.conftest import OpenHouse, Script
from tests.journey.test_privacy import ECHO, MAIL, MASK, heard, rows
from tests.journey.test_tool_servers import ODD, listed

BOB = "bob.canary@example.org"
ALL = {"privacy": {"email": "mask", "national_id": "mask", "card": "mask"}}
SERVER: dict[str, Any] = {"command": sys.executable, "args": [str(ODD), "stdio"], "reads": ["*"]}
LICENSE = "BB1388568"  # a medical licence, which Presidio knows and the patterns do not


def look_up(tool: str, **arguments: Any) -> Script:
    call = {"calls": [{"name": f"odd__{tool}", "arguments": arguments}]}
    return [
        {"when": "look", "rounds": [[call], [{"text": "It says {{result}}"}]]},
        {"when": ".", "steps": [{"text": "You wrote: {{message}}"}]},
    ]


def sent(house: House) -> str:
    """All that the model has been sent, as it reads it."""
    return heard(house).replace('\\"', '"')


def last_result(house: House) -> str:
    """What the model was told by a tool."""
    messages = house.services.model.requests[-1].messages  # type: ignore[attr-defined]
    return next(m["content"] for m in reversed(messages) if m["role"] == "tool")


async def shown_to_owner(house: House) -> str:
    return json.dumps((await house.get("/api/threads/c1"))[1]["messages"])


async def test_numbers_and_names_of_fields_on_the_page_are_masked(open_house: OpenHouse):
    fields = {"card": 4111111111111111, "bsn": 123456782, MAIL: 5, "rows": [10_000_000]}
    async with open_house(ECHO, policy=ALL) as it:
        await it.ask("c1", "hello", context={"kind": "customer", "fields": fields})
        for canary in ("4111111111111111", "123456782", MAIL):
            assert canary not in heard(it)
        assert 'field "card": "[CARD_1]"' in sent(it)
        assert 'field "bsn": "[ID_1]"' in sent(it)
        assert 'field "[EMAIL_1]": 5' in sent(it)
        assert "10000000" in sent(it)
        page = (await it.get("/api/threads/c1"))[1]["messages"][0]["metadata"]["page"]
        assert page["fields"][MAIL] == 5


async def test_what_presidio_finds_is_masked_on_the_page_and_in_tool_results(
    open_house: OpenHouse,
):
    policy = {"privacy": {"national_id": "mask", "presidio": True}}
    text = f"Medical license {LICENSE}"
    async with open_house(look_up("say", text=text), policy=policy, mcp={"odd": SERVER}) as it:
        await listed(it, "odd__say")
        await it.ask("c1", "hello", context={"kind": "doctor", "title": text})
        assert LICENSE not in heard(it)
        assert "Medical license [ID_1]" in sent(it)
        assert LICENSE in said(await it.ask("c2", "look"))  # its owner reads it
        assert last_result(it) == "Medical license [ID_1]"


async def test_a_number_that_only_its_column_tells_is_hidden_from_the_model_too(
    open_house: OpenHouse,
):
    rows = [["Ann", 5], ["Bob, who has moved twice", 6], ["Eve", 219099999]]
    table = json.dumps({"columns": ["name", "SSN"], "rows": rows})
    async with open_house(look_up("say", text=table), policy=ALL, mcp={"odd": SERVER}) as it:
        await listed(it, "odd__say")
        assert "219099999" in said(await it.ask("c1", "look"))  # its owner reads it
        assert last_result(it).endswith('["Eve", [ID_1]]]}')


async def test_what_presidio_finds_in_a_table_alone_is_hidden_in_it(
    open_house: OpenHouse, database_url: str
):
    policy = {"privacy": {"national_id": "mask", "presidio": True}}
    written = f"Medical license {LICENSE}".replace("B", "\\u0042")  # only the table has it plainly
    table = '{"columns": ["text"], "rows": [["' + written + '"]]}'
    async with open_house(look_up("say", text=table), policy=policy, mcp={"odd": SERVER}) as it:
        await listed(it, "odd__say")
        await it.ask("c1", "look")
        assert LICENSE in await shown_to_owner(it)
    assert LICENSE not in await rows(database_url, "messages")


async def test_what_is_older_than_the_policy_can_be_read_by_its_owner_afterwards(
    open_house: OpenHouse,
):
    """Its placeholder was made for the prompt alone, in a turn without any tool."""
    async with open_house(ECHO) as it:
        await it.ask("c1", f"I am {MAIL}")
    echo: Script = [{"when": ".", "steps": [{"text": "You are [EMAIL_1]."}]}]
    async with open_house(echo, policy=MASK) as it:
        assert said(await it.ask("c1", "who am I?")) == f"You are {MAIL}."
    async with open_house(echo, policy=MASK) as it:
        assert f"You are {MAIL}." in await shown_to_owner(it)


async def test_a_placeholder_that_no_message_shows_is_not_given_to_another_value(
    open_house: OpenHouse,
):
    script = look_up("say", text=f"Write to {BOB}")
    async with open_house(script, policy=MASK, mcp={"odd": SERVER}) as it:
        await listed(it, "odd__say")
        await it.ask("c1", f"I am {MAIL}", message_id="m1")
        frames = await it.ask("c1", "look", trigger="edit", target="m1")
        assert BOB in said(frames)
        assert BOB in await shown_to_owner(it)
        assert MAIL not in await shown_to_owner(it)
        assert last_result(it) == "Write to [EMAIL_2]"


async def test_every_hit_is_counted_and_in_the_audit_chain(
    open_house: OpenHouse, database_url: str
):
    script = look_up("say", text=f"Write to {BOB} or {MAIL}")
    policy = {"privacy": {"email": "mask", "card": "block"}}
    async with open_house(script, policy=policy, mcp={"odd": SERVER}) as it:
        await listed(it, "odd__say")
        await it.ask("c1", f"I am {MAIL}", context={"kind": "person", "title": BOB})
        await it.ask("c2", "look")
        await it.post("/api/threads/c3/turns", {"text": "pay 4111 1111 1111 1111"})
        metrics = it.services.metrics.render().decode()
        counted = 'parlour_guardrail_hits_total{action="%s",guard="privacy",rule="%s"} %s'
        assert counted % ("mask", "email", "4.0") in metrics
        assert counted % ("block", "card", "1.0") in metrics
        await it.services.audit.flush()
        chain = await rows(database_url, "audit_facts")
        assert "'action': 'mask', 'count': 2, 'guard': 'privacy', 'rule': 'email'" in chain
        assert "'action': 'block', 'guard': 'privacy', 'rule': 'card'" in chain
        assert MAIL not in chain
        assert BOB not in chain


async def test_a_page_that_is_older_than_the_policy_reaches_no_model_any_more(
    open_house: OpenHouse,
):
    page = {"kind": "customer", "title": f"Ann, {MAIL}"}
    async with open_house(ECHO) as it:
        await it.ask("c1", "who is it?", context=page)
        assert MAIL in heard(it)
    async with open_house(ECHO, policy=MASK) as it:
        answer = (await it.get("/api/threads/c1"))[1]["messages"][-1]["id"]
        frames = await it.ask("c1", "", trigger="regenerate", target=answer)
        assert final(frames).status == "done"
        assert "Ann, [EMAIL_1]" in heard(it)
        assert MAIL not in heard(it)


async def test_calls_that_are_older_than_the_policy_reach_no_model_any_more(
    open_house: OpenHouse,
):
    script = look_up("say", text=f"Write to {MAIL}")
    async with open_house(script, mcp={"odd": SERVER}) as it:
        await listed(it, "odd__say")
        await it.ask("c1", "look")
    async with open_house(script, policy=MASK, mcp={"odd": SERVER}) as it:
        await it.ask("c1", "hello")
        assert '"text": "Write to [EMAIL_1]"' in sent(it)
        assert MAIL not in heard(it)


async def test_a_tool_that_works_says_no_personal_data(open_house: OpenHouse):
    script = look_up("steps", count=3, words=f"for {MAIL}")
    async with open_house(script, policy=MASK, mcp={"odd": SERVER}) as it:
        await listed(it, "odd__steps")
        frames = await it.ask("c1", "look")
        steps = [e for e in events_of(frames) if isinstance(e, ev.Progress)]
        assert [step.done for step in steps][-1] == 3
        assert {step.text for step in steps} == {""}
