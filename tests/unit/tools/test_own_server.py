"""Parlour's own tools, in process and over HTTP, and the toolbox around them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from parlour.domain import Principal, ToolOutcome, ToolRequest, UserId, WorkspaceId
from parlour.errors import ConfigurationError
from parlour.tools.config import ServerConfig, ToolLimits
from parlour.tools.server import SCOPE_KEY, HttpFace
from parlour.tools.toolbox import Toolbox
from tests.mcp_servers import until

ADA = Principal(WorkspaceId("acme"), UserId("ada"), "Ada", frozenset({"staff", "admin"}))
BOB = Principal(WorkspaceId("acme"), UserId("bob"), "Bob", claims={"zoneinfo": "Asia/Tokyo"})


@pytest.fixture
async def toolbox() -> AsyncIterator[Toolbox]:
    box = Toolbox()
    await box.start()
    yield box
    await box.close()


async def _call(box: Toolbox, who: Principal, name: str, **arguments: Any) -> ToolOutcome:
    return await box.call(who, ToolRequest("1", name, arguments))


async def test_the_own_tools_are_there_without_any_setting(toolbox: Toolbox) -> None:
    specs = await toolbox.specs(ADA)

    assert [s.name for s in specs] == [
        "parlour__calculator",
        "parlour__current_time",
        "parlour__get_user_data",
        "parlour__read_result",
        "parlour__search_knowledge_base",
    ]
    assert [s.title for s in specs] == [
        "Calculate",
        "Look up the time",
        "Look up your account",
        "Read on in a long result",
        "Search the documents",
    ]
    assert await toolbox.specs(BOB) is specs


async def test_the_calculator_answers(toolbox: Toolbox) -> None:
    outcome = await _call(toolbox, ADA, "parlour__calculator", expression="17.5 % of 2,340")

    assert outcome.ok
    assert outcome.text == "17.5% of 2340 = 409.5"
    assert outcome.widget["data"]["result"] == "409.5"


async def test_each_user_is_told_their_own_data(toolbox: Toolbox) -> None:
    ada = await _call(toolbox, ADA, "parlour__get_user_data")
    bob = await _call(toolbox, BOB, "parlour__get_user_data")
    promoted = Principal(WorkspaceId("acme"), UserId("bob"), "Bob", frozenset({"admin"}))
    later = await _call(toolbox, promoted, "parlour__get_user_data")

    assert ada.text == "Name: Ada; workspace: acme; roles: admin, staff; locale: en."
    assert bob.text == "Name: Bob; workspace: acme; roles: none; locale: en."
    assert "roles: admin" in later.text


async def test_the_time_is_told_in_words_in_the_users_zone(toolbox: Toolbox) -> None:
    asked = await _call(toolbox, ADA, "parlour__current_time", timezone="Berlin")
    own = await _call(toolbox, BOB, "parlour__current_time")
    utc = await _call(toolbox, ADA, "parlour__current_time")

    assert re.match(r"\w+day, \d+ \w+ 20\d\d, \d\d:\d\d \(Europe/Berlin, UTC\+0\d:00\)", asked.text)
    assert own.widget["data"]["timezone"] == "Asia/Tokyo"
    assert utc.widget["data"]["iso"].endswith("+00:00")


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("parlour__calculator", {"expression": "1/0"}, "Division by zero"),
        ("parlour__calculator", {"expr": "1"}, "'expression' is a required property"),
        ("parlour__current_time", {"timezone": "Europe/Berlinn"}, "Did you mean Europe/Berlin"),
        ("parlour__calc", {}, "Did you mean parlour__calculator"),
        ("nothing", {}, "There is no tool named 'nothing'"),
    ],
)
async def test_what_cannot_be_done_is_a_failed_outcome_in_words(
    toolbox: Toolbox, name: str, arguments: dict[str, Any], words: str
) -> None:
    outcome = await toolbox.call(ADA, ToolRequest("1", name, arguments))

    assert not outcome.ok
    assert words in outcome.text


async def test_arguments_that_are_no_object_are_told(toolbox: Toolbox) -> None:
    outcome = await toolbox.call(ADA, ToolRequest("1", "parlour__calculator", None, raw="[1"))

    assert not outcome.ok
    assert "[1" in outcome.text


async def test_more_users_than_connections_are_served_one_after_the_other() -> None:
    box = Toolbox(limits=ToolLimits(connections_max=3))
    for number in range(10):
        who = Principal(WorkspaceId("acme"), UserId(f"u{number}"), f"U{number}")
        outcome = await _call(box, who, "parlour__get_user_data")
        assert f"Name: U{number};" in outcome.text
    assert box.servers()[0].connections <= 3
    await box.close()


async def test_an_idle_connection_is_closed_and_made_again() -> None:
    box = Toolbox(limits=ToolLimits(idle_s=0.01))
    assert (await _call(box, ADA, "parlour__get_user_data")).ok
    await until(lambda: box.servers()[0].connections == 0, 5, "it is closed")
    assert (await _call(box, ADA, "parlour__get_user_data")).ok
    await box.close()


def test_two_servers_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="Two MCP servers are named 'parlour'"):
        Toolbox([ServerConfig("parlour", url="http://x/mcp")])


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_any_mcp_client_can_use_them_over_http(mode: str) -> None:
    face = HttpFace()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope[SCOPE_KEY] = ADA
        await face(scope, receive, send)

    async with (
        face.running(),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as http,
        Client(streamable_http_client("http://parlour/mcp", http_client=http), mode=mode) as client,
    ):
        tools = await client.list_tools()
        result = await client.call_tool("get_user_data", {})
        found = await client.call_tool("search_knowledge_base", {"query": "holidays"})
        kept = await client.call_tool("read_result", {"handle": "r_0"})

    assert [tool.name for tool in tools.tools] == [
        "calculator",
        "current_time",
        "get_user_data",
        "read_result",
        "search_knowledge_base",
    ]
    assert "Nothing is indexed yet" in found.content[0].text
    assert kept.is_error
    assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools.tools)
    assert result.structured_content["name"] == "Ada"


async def test_the_http_face_refuses_hosts_that_are_not_its_own() -> None:
    face = HttpFace(allowed_hosts=["127.0.0.1:8321"])
    async with face.running(), httpx2.AsyncClient(transport=httpx2.ASGITransport(face)) as http:
        answer = await http.post("http://evil.example/mcp", json={})

    assert answer.status_code == 421
