"""Parlour's own MCP server at /mcp, spoken to by the official client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.house import House
from tests.journey.conftest import OpenHouse, open_house
from tests.journey.test_garbage import SECRET, token

__all__ = ["open_house"]  # the fixture of the journeys

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
ACCEPT = "application/json, text/event-stream"


@asynccontextmanager
async def client(house: House, bearer: str = "") -> AsyncIterator[Client]:
    headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
    async with httpx2.AsyncClient(headers=headers) as http:
        transport = streamable_http_client(f"{house.url}/mcp", http_client=http)
        async with Client(transport) as connected:
            yield connected


async def test_the_official_client_lists_and_calls_the_tools(open_house: OpenHouse):
    async with open_house() as house, client(house) as mcp:
        tools = (await mcp.list_tools()).tools
        assert [tool.name for tool in tools] == [
            "calculator",
            "current_time",
            "get_user_data",
            "read_result",
            "search_knowledge_base",
        ]
        assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools)
        answer = await mcp.call_tool("calculator", {"expression": "17.5 % of 2340"})
        assert answer.structured_content is not None
        assert answer.structured_content["result"] == "409.5"


@pytest.mark.promise("P21")
async def test_each_caller_is_who_the_token_says(open_house: OpenHouse):
    async with open_house(secret=SECRET) as house:
        for name in ("Ann", "Bob"):
            bearer = token(name.lower(), name=name)
            async with client(house, bearer) as mcp:
                data = await mcp.call_tool("get_user_data", {})
                assert data.structured_content is not None
                assert data.structured_content["name"] == name
                assert data.structured_content["workspace"] == "w1"


async def test_nobody_gets_in_without_a_token(open_house: OpenHouse):
    async with open_house(secret=SECRET) as house:
        for bearer in ("", "x.y.z", token("ann", exp=1)):
            headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
            status, problem = await house.post("/mcp", INITIALIZE, accept=ACCEPT, **headers)
            assert (status, problem["code"]) == (401, "unauthenticated")


async def test_without_a_secret_only_this_machine_is_served(open_house: OpenHouse):
    async with open_house() as house:
        status, problem = await house.post("/mcp", INITIALIZE, accept=ACCEPT, host="evil.example")
        assert (status, problem["code"]) == (403, "forbidden")
        headers = {"accept": ACCEPT, "origin": "http://evil.example"}
        address = f"{house.url}/mcp"
        async with house.http.post(address, json=INITIALIZE, headers=headers) as response:
            assert response.status == 403
        status, answer = await house.post("/mcp", INITIALIZE, accept=ACCEPT)
        assert status == 200
        assert answer["result"]["serverInfo"]["name"] == "parlour"
