"""A server that hides its tools behind two: the real tool is what everybody sees."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from parlour.domain import ToolRequest
from parlour.events import types as ev
from parlour.policy import Policies, Policy
from parlour.tools.config import ServerConfig, ToolLimits
from parlour.tools.toolbox import Toolbox
from tests.house import events_of, final
from tests.journey.conftest import OpenHouse
from tests.journey.test_tool_servers import listed
from tests.mcp_servers import person

SERVER = Path(__file__).parent.parent / "mcp_hidden_server.py"
LIMITS = ToolLimits(list_wait_s=15)
Open = Callable[..., Toolbox]


@pytest.fixture
async def open_box() -> AsyncIterator[Open]:
    boxes: list[Toolbox] = []

    def opened(policy: dict[str, Any] | None = None, **options: Any) -> Toolbox:
        config = ServerConfig("bi", command=sys.executable, args=(str(SERVER),), **options)
        policies = Policies(Policy.model_validate({"tools": policy or {}}))
        boxes.append(Toolbox([config], limits=LIMITS, policies=policies))
        return boxes[-1]

    yield opened
    for box in boxes:
        await box.close()


def through(name: str, arguments: object = None, tool: str = "bi__use_tool") -> ToolRequest:
    return ToolRequest("1", tool, {"name": name, "arguments": arguments})


async def test_a_call_by_name_is_a_call_of_the_real_tool(open_box: Open) -> None:
    box = open_box()
    request = through("run_statement", {"request": {"sql": "SELECT 1"}})
    resolved = await box.resolve(person(), request)

    assert resolved.request.name == "bi__run_statement"
    assert resolved.request.arguments == {"request": {"sql": "SELECT 1"}}
    assert resolved.title == "Run statement"
    assert resolved.tool is not None
    assert resolved.tool.destructive is True
    assert resolved.tool.read_only is False


async def test_hints_are_asked_for_and_what_nobody_described_has_none(open_box: Open) -> None:
    box = open_box()
    known = await box.resolve(person(), through("list_reports", {"request": {}}))
    mystery = await box.resolve(person(), through("mystery", {"request": {}}))
    nothing = await box.resolve(person(), through("no_such_tool", {"request": {}}))

    assert known.tool is not None
    assert (known.tool.read_only, known.title) == (True, "List reports")
    assert mystery.tool is not None
    assert (mystery.tool.read_only, mystery.tool.destructive) == (None, None)
    assert nothing.tool is not None
    assert (nothing.tool.read_only, nothing.tool.destructive) == (None, None)


async def test_a_hidden_tool_can_be_called_by_its_own_name(open_box: Open) -> None:
    box = open_box()
    request = ToolRequest("1", "bi__list_reports", {"request": {"page": 2}})
    outcome = await box.call(person(), request)

    assert outcome.ok, outcome.text
    assert outcome.text == '{"called": "list_reports", "with": {"page": 2}}'


async def test_open_tools_stay_what_they_are(open_box: Open) -> None:
    box = open_box()
    outcome = await box.call(person(), ToolRequest("1", "bi__ping", {}))
    inner = await box.call(person(), through("bi__ping", {}))
    itself = await box.call(person(), through("use_tool", {"name": "ping"}))

    assert (outcome.text, inner.text) == ("pong", "pong")
    assert not itself.ok
    assert "cannot call itself" in itself.text


async def test_a_finder_that_finds_nothing_says_so(open_box: Open) -> None:
    box = open_box()
    outcome = await box.call(person(), ToolRequest("1", "bi__find_tools", {"query": "delete"}))
    assert outcome.ok
    assert outcome.text == "(The tool returned nothing.)"


async def test_known_schemas_are_checked_and_wrapped_before_the_call(open_box: Open) -> None:
    box = open_box(env={"SCHEMAS": "1"})
    wrapped = await box.call(person(), through("list_reports", {"page": 2}))
    written = await box.call(person(), through("list_reports", '{"request": {"page": 3}}'))
    wrong = await box.call(person(), through("list_reports", {"request": {"page": 0}}))

    assert '"page": 2' in wrapped.text
    assert '"page": 3' in written.text
    assert not wrong.ok
    assert "less than the minimum of 1" in wrong.text


async def test_arguments_are_wrapped_as_configured_where_no_schema_is_told(open_box: Open) -> None:
    plain = await open_box().call(person(), through("mystery", {"page": 1}))
    wrapping = open_box(wrap_argument="request")
    wrapped = await wrapping.call(person(), ToolRequest("1", "bi__absent", {"page": 1}))
    resolved = await wrapping.resolve(person(), ToolRequest("1", "bi__absent", {"page": 1}))

    assert not plain.ok
    assert "Error ID 4711" in plain.text
    assert not wrapped.ok
    assert resolved.request.arguments == {"request": {"page": 1}}


async def test_deny_and_allow_hold_for_hidden_tools_too(open_box: Open) -> None:
    by_server = open_box(deny=("run_*",))
    by_workspace = open_box({"deny": ["bi__run_*"]})
    for box in (by_server, by_workspace):
        for request in (
            through("run_statement", {"request": {}}),
            ToolRequest("1", "bi__run_statement", {"request": {}}),
        ):
            outcome = await box.call(person(), request)
            assert not outcome.ok
            assert "no tool named" in outcome.text
        assert (await box.call(person(), through("list_reports", {"request": {}}))).ok


async def test_a_server_can_be_told_not_to_be_one_of_these(open_box: Open) -> None:
    box = open_box(call_by_name=False)
    resolved = await box.resolve(person(), through("run_statement"))
    assert resolved.request.name == "bi__use_tool"


async def test_a_turn_shows_counts_and_stores_the_real_tool(open_house: OpenHouse) -> None:
    arguments = {"name": "list_reports", "arguments": {"request": {"page": 1}}}
    failing = {"name": "run_statement", "arguments": {"request": {"sql": "DROP TABLE x"}}}
    calls = [
        {"name": "bi__use_tool", "arguments": arguments},
        {"name": "bi__use_tool", "arguments": failing},
    ]
    script = [{"when": "go", "rounds": [[{"calls": calls}], [{"text": "I went on."}]]}]
    server = {
        "command": sys.executable,
        "args": [str(SERVER)],
        "connect_s": 60,
        "no_approve": ["list_reports", "run_statement"],  # by the real names
    }
    async with open_house(script, mcp={"bi": server}) as house:
        await listed(house, "bi__use_tool")
        frames = await house.ask("c1", "go")
        _, conversation = await house.get("/api/threads/c1")
        async with house.http.get(f"{house.url}/metrics") as response:
            metrics = await response.text()
    events = events_of(frames)
    asked = [e for e in events if isinstance(e, ev.ToolCall)]
    results = {e.name: e for e in events if isinstance(e, ev.ToolResult)}

    assert final(frames).status == "done"
    assert [(e.name, e.title) for e in asked] == [
        ("bi__list_reports", "List reports"),
        ("bi__run_statement", "Run statement"),
    ]
    assert asked[0].arguments == {"request": {"page": 1}}
    assert results["bi__list_reports"].status == "ok"
    assert results["bi__run_statement"].status == "failed"
    assert results["bi__run_statement"].text == "not permitted"
    parts = conversation["messages"][-1]["parts"]
    stored = [part["name"] for part in parts if part["type"] == "tool"]
    assert stored == ["bi__list_reports", "bi__run_statement"]
    assert 'server="bi"' in metrics
