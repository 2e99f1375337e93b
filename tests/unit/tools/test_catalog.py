"""Names, order, what is hidden, and what is pinned."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import types

from parlour.errors import ConfigurationError
from parlour.tools.catalog import catalog_tools, model_name
from parlour.tools.config import ServerConfig

SERVER = ServerConfig("web", url="http://127.0.0.1:1/mcp")


def _tool(name: str, **about: Any) -> types.Tool:
    return types.Tool(name=name, **{"input_schema": {"type": "object"}, **about})


@given(st.text(min_size=0, max_size=200))
def test_any_name_becomes_one_that_models_take(name: str) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", model_name("web", name))


@given(st.sets(st.text(alphabet="ab._- /", max_size=80), min_size=2, max_size=20))
def test_different_tools_never_share_a_name(names: set[str]) -> None:
    assert len({model_name("web", name) for name in names}) == len(names)


def test_a_plain_name_stays_as_it_is() -> None:
    assert model_name("web", "get-sum_2") == "web__get-sum_2"


def test_the_order_does_not_depend_on_the_server() -> None:
    there = catalog_tools(SERVER, [_tool("b"), _tool("a"), _tool("c")])
    back = catalog_tools(SERVER, [_tool("c"), _tool("b"), _tool("a")])

    assert [t.spec.name for t in there] == ["web__a", "web__b", "web__c"]
    assert [t.spec for t in there] == [t.spec for t in back]


def test_tools_for_apps_only_are_not_shown_to_the_model() -> None:
    shown = catalog_tools(
        SERVER,
        [
            _tool("app", _meta={"ui": {"visibility": ["app"]}}),
            _tool("both", _meta={"ui": {"visibility": ["model", "app"]}}),
            _tool("plain"),
        ],
    )
    assert [t.real_name for t in shown] == ["both", "plain"]


def test_allow_and_deny_take_names_and_patterns() -> None:
    server = ServerConfig("web", url="http://x/mcp", allow=("get_*", "list"), deny=("*_secret",))
    tools = [_tool(name) for name in ("get_a", "get_secret", "list", "drop")]

    assert [t.real_name for t in catalog_tools(server, tools)] == ["get_a", "list"]


def test_titles_come_from_the_server_or_from_the_name() -> None:
    tools = catalog_tools(
        SERVER,
        [
            _tool("a", title="Search"),
            _tool("b", annotations=types.ToolAnnotations(title="Find")),
            _tool("getChart_data"),
        ],
    )
    assert [t.spec.title for t in tools] == ["Search", "Find", "Get chart data"]


def test_hidden_characters_leave_descriptions_but_not_argument_names() -> None:
    schema = {
        "type": "object",
        "properties": {"description": {"type": "string", "description": "a\u200bb"}},
    }
    (tool,) = catalog_tools(SERVER, [_tool("t", description="x\u202ey", input_schema=schema)])

    assert tool.spec.description == "xy"
    assert tool.spec.parameters["properties"] == {
        "description": {"type": "string", "description": "ab"}
    }


def test_the_digest_changes_with_all_that_a_server_says_of_a_tool() -> None:
    def digest(**about: Any) -> str:
        return catalog_tools(SERVER, [_tool("t", **about)])[0].digest

    same = digest(description="d")
    assert digest(description="d") == same
    safe = types.ToolAnnotations(read_only_hint=True)
    changed = [
        digest(description="d\u200b"),
        digest(description="d", input_schema={"type": "object", "required": []}),
        digest(description="d", title="Another"),  # people read it before they approve
        digest(description="d", annotations=safe),  # and this decides whether they are asked
    ]
    assert len({same, *changed}) == 5


def test_the_digest_does_not_depend_on_the_order_of_keys() -> None:
    first = {"type": "object", "properties": {"a": {}, "b": {}}}
    second = {"properties": {"b": {}, "a": {}}, "type": "object"}
    tools = [catalog_tools(SERVER, [_tool("t", input_schema=x)])[0] for x in (first, second)]
    assert tools[0].digest == tools[1].digest


def test_hints_are_kept() -> None:
    hints = types.ToolAnnotations(read_only_hint=False, destructive_hint=True)
    (tool,) = catalog_tools(SERVER, [_tool("t", annotations=hints)])

    assert (tool.read_only, tool.destructive, tool.idempotent) == (False, True, None)


def test_a_schema_of_a_megabyte_leaves_its_tool_out() -> None:
    schema = {"type": "object", "description": "x" * 1_000_000}
    assert catalog_tools(SERVER, [_tool("t", input_schema=schema)]) == []


@pytest.mark.parametrize("name", ["", "a__b", "a_", "-a", "a b", "x" * 31, "\u00e4"])
def test_a_bad_server_name_is_refused_in_words(name: str) -> None:
    with pytest.raises(ConfigurationError, match="MCP server name"):
        ServerConfig(name, url="http://x/mcp")


def test_a_server_needs_exactly_one_way_to_reach_it() -> None:
    with pytest.raises(ConfigurationError, match="either a command or a url"):
        ServerConfig("a")
    with pytest.raises(ConfigurationError, match="either a command or a url"):
        ServerConfig("a", url="http://x/mcp", command="x")
