"""Which servers hide their tools behind two, told by the shape of what they list."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcp import types

from parlour.tools.catalog import CallByName, Listing, catalog_tools
from parlour.tools.config import ServerConfig
from parlour.tools.hidden import described_tools, find_pair

TEXT, OBJECT = {"type": "string"}, {"type": "object"}
FIND = ("search_tools", {"query": TEXT}, ["query"])
CALL = ("call_tool", {"name": TEXT, "arguments": OBJECT}, ["name"])


def listing(*tools: tuple[str, dict[str, Any], list[str]], **options: Any) -> Listing:
    server = ServerConfig("web", url="http://x/mcp", **options)
    made = [
        types.Tool(
            name=name, input_schema={"type": "object", "properties": fields, "required": required}
        )
        for name, fields, required in tools
    ]
    return Listing("d", tuple(catalog_tools(server, made)), server)


@pytest.mark.parametrize(
    ("find", "call"),
    [
        (FIND, CALL),
        (("findTools", {"q": TEXT, "limit": {"type": "integer"}}, ["q"]), CALL),
        (FIND, ("invoke-tool", {"tool_name": TEXT, "params": OBJECT}, ["tool_name", "params"])),
        (
            FIND,
            (
                "run_tool",
                {"name": TEXT, "arguments": {"anyOf": [OBJECT, {"type": "null"}]}},
                ["name"],
            ),
        ),
    ],
)
def test_a_finder_and_a_caller_of_tools_are_a_pair(find: Any, call: Any) -> None:
    pair = find_pair(listing(find, call, ("other", {}, [])))
    assert pair is not None
    assert pair.by_name.tool == call[0]
    assert pair.finder is not None
    assert pair.finder.real_name == find[0]


@pytest.mark.parametrize(
    "tools",
    [
        [CALL],  # nothing finds what it could call
        [FIND],
        [("search", {"query": TEXT}, ["query"]), CALL],  # searches something else
        [FIND, ("start_workflow", {"name": TEXT, "arguments": OBJECT}, ["name"])],
        [FIND, ("call_tool", {"name": TEXT, "arguments": OBJECT, "host": TEXT}, ["name", "host"])],
        [FIND, CALL, ("run_tool", CALL[1], ["name"])],  # two callers: which one?
    ],
)
def test_what_only_looks_a_little_like_it_is_no_pair(tools: Any) -> None:
    assert find_pair(listing(*tools)) is None


def test_the_settings_name_a_pair_that_its_shape_does_not() -> None:
    do = ("do", {"tool": TEXT, "input": OBJECT}, ["tool"])
    pair = find_pair(listing(("ask", {"text": TEXT}, []), do, call_tool="do", search_tool="ask"))
    assert pair is not None
    assert pair.by_name == CallByName("do", "tool", "input")
    assert pair.query_key == "text"
    assert find_pair(listing(FIND, CALL, call_tool="not_there")) is None


@pytest.mark.parametrize(
    "data",
    [
        [{"name": "a", "description": "A."}, {"name": "b", "annotations": {"readOnlyHint": True}}],
        {"result": [{"name": "a", "inputSchema": {}}, {"name": "b", "description": "B."}]},
        {"tools": {"found": [{"name": "a", "description": ""}, {"name": "b", "schema": {}}]}},
    ],
)
def test_a_finders_answer_is_read_in_any_wrapping(data: Any) -> None:
    text = [types.TextContent(type="text", text=json.dumps(data))]
    for result in (
        types.CallToolResult(content=text),
        types.CallToolResult(content=[], structured_content={"x": data}),
    ):
        assert [tool.name for tool in described_tools(result)] == ["a", "b"]


@pytest.mark.parametrize(
    "text", ["", "name: a", "[1, 2]", '[{"name": 7}]', '{"name": "a"}', "[" * 9]
)
def test_words_and_other_data_describe_no_tool(text: str) -> None:
    result = types.CallToolResult(content=[types.TextContent(type="text", text=text)])
    assert list(described_tools(result)) == []
