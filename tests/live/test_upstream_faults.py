"""A provider that breaks its word, through the whole house to both kinds of reader."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from parlour.events import types as ev
from tests.house import House, events_of, final, said
from tests.journey.conftest import OpenHouse
from tests.live.ai_sdk import answer_of, chats, text_of
from tests.mcp_servers import odd_server
from tests.upstream import FAULTS, Reply, Upstream

STOP_S = 0.5
# What goes wrong, and what was said before it.
BROKEN = {
    "html": "",
    "empty": "",
    "silent": "",
    "hangup": "",
    "server_error": "",
    "cut_fin": "Hello from",
    "cut_rst": "Hello from",
    "no_finish": "Hello from",
    "stall": "Hello from",
    "bad_json": "Hello from",
    "error_event": "Hello from",
}


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as it:
        yield it


@pytest.fixture
async def house(open_house: OpenHouse, upstream: Upstream) -> AsyncIterator[House]:
    async with open_house(
        model="openai:mock-1",
        OPENAI_API_KEY="sk-test",
        OPENAI_BASE_URL=upstream.openai_url,
        models={"idle_s": 0.3, "first_byte_s": 0.3, "breaker_failures": 1_000},
    ) as it:
        yield it


@pytest.mark.promise("P8")
@pytest.mark.promise("P20")
@pytest.mark.parametrize("fault", BROKEN)
async def test_a_broken_reply_is_a_failed_turn_that_keeps_the_words(house: House, fault: str):
    words = BROKEN[fault]
    frames = await house.ask("c1", f"[[fault:{fault}]]")
    end = final(frames)
    assert (end.status, end.finish_reason) == ("failed", "")
    assert end.error is not None
    assert end.error.code == FAULTS[fault]
    assert end.error.message.endswith(".")
    assert said(frames).endswith(words)
    answer = (await house.get("/api/threads/c1"))[1]["messages"][1]
    assert answer["status"] == "failed"
    *kept, error = answer["parts"]
    assert [part["text"] for part in kept] == ([words] if words else [])
    assert (error["type"], error["code"]) == ("error", FAULTS[fault])
    assert await house.read("c1", str(frames[0].body["turn_id"])) == frames
    assert said(await house.ask("c1", "and now?")) == "Hello from upstream."


@pytest.mark.promise("P8")
async def test_the_ai_sdk_sees_each_broken_reply_as_an_error_with_the_words(house: House):
    async with chats(house.url) as client:
        for fault, words in BROKEN.items():
            await client.open(fault, fault.replace("_", "-"))
            view = await client.say(fault, f"[[fault:{fault}]]")
            assert view["status"] == "error", fault
            assert json.loads(view["error"]["message"])["code"] == FAULTS[fault]
            message = answer_of(view)
            assert text_of(message) == words
            assert message["metadata"]["error"]["code"] == FAULTS[fault]
            states = {part.get("state") for part in message["parts"] if part["type"] == "text"}
            assert states <= {"done"}


STRANGE = {
    "nul": Reply(name="a\0b", calls=[("parlour__calculator", '{"expression": "6*7"}')]),
    "long": Reply(name="x" * 100_000, calls=[("parlour__calculator", '{"expression": "6*7"}')]),
    "a tool": Reply(calls=[("parlour__calculator\0", '{"expression": "6*7"}')]),
    "arguments": Reply(calls=[("parlour__calculator", '{"expression": "6*7\\u0000"}')]),
    "a model": Reply(model="mock-1\0" + "x" * 100_000),
    "words": Reply(text=["a\0b"], reasoning=["a\0b"]),
}


@pytest.mark.promise("P8")
@pytest.mark.parametrize("reply", STRANGE.values(), ids=STRANGE)
async def test_a_provider_may_name_and_say_what_it_likes(
    house: House, upstream: Upstream, reply: Reply
):
    upstream.next(reply)
    frames = await house.ask("c1", "x")
    assert final(frames).status == "done"
    view = (await house.get("/api/threads/c1"))[1]
    assert [message["status"] for message in view["messages"]] == ["done", "done"]
    assert len(json.dumps(view)) < 20_000
    assert said(await house.ask("c1", "and now?")) == "Hello from upstream."


@pytest.mark.promise("P4")
async def test_a_stop_closes_the_request_upstream_at_once(house: House, upstream: Upstream):
    upstream.next(Reply(text=[" word"] * 10, hold_at=3))
    turn = (await house.begin("c1", "x"))["turn_id"]
    await upstream.until(lambda: upstream.tokens_sent == 3)
    asked = time.monotonic()
    await house.post(f"/api/threads/c1/turns/{turn}/stop")
    await upstream.until(lambda: upstream.streaming == 0)
    assert time.monotonic() - asked < STOP_S
    assert upstream.aborted == 1
    frames = await house.read("c1", turn)
    assert final(frames).status == "stopped"
    assert said(frames) == " word" * 3


@pytest.mark.promise("P4")
@pytest.mark.parametrize("face", ["native", "ai-sdk"])
async def test_a_stop_ends_a_turn_that_waits_for_a_tool(
    open_house: OpenHouse, upstream: Upstream, face: str
):
    odd = odd_server()
    settings: dict[str, Any] = {
        "model": "openai:mock-1",
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": upstream.openai_url,
        "mcp": {"odd": {"command": odd.command, "args": list(odd.args), "no_approve": ["*"]}},
    }
    async with open_house(**settings) as house:
        await house.offers("odd__sleep")
        upstream.next(Reply(text=[], calls=[("odd__sleep", '{"seconds": 60}')]))
        async with house.start("c1", "x") as reader:
            turn = reader.headers["x-turn-id"]
            await reader.content.readuntil(b"event: tool_call")
            asked = time.monotonic()
            path = f"threads/c1/turns/{turn}" if face == "native" else "chat/c1"
            await house.post(f"/api/{path}/stop")
            frames = await asyncio.wait_for(house.read("c1", turn), 5)
        assert time.monotonic() - asked < STOP_S
        assert final(frames).status == "stopped"
        (result,) = [e for e in events_of(frames) if isinstance(e, ev.ToolResult)]
        assert result.status == "failed"
        answer = (await house.get("/api/threads/c1"))[1]["messages"][1]
        assert answer["status"] == "stopped"
        assert [part["status"] for part in answer["parts"]] == ["failed"]
        assert len(upstream.requests) == 1
