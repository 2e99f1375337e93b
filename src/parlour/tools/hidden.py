"""Servers that hide their tools behind two: one finds tools, the other calls them by name.

Such a pair is known by its settings, or by its shape: a tool that takes a name and an object of
arguments beside one that takes a query, both about tools. What is called through the pair is the
hidden tool; its title, hints and schema are learned from what the finder answers. A hidden tool
that no answer has described is called without them, and whoever judges it knows nothing good of it.
"""

from __future__ import annotations

import json
import re
import time
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from mcp import types

from parlour.domain import ToolSpec
from parlour.tools.catalog import (
    CallByName,
    CatalogTool,
    Listing,
    catalog_tools,
    model_name,
    prettified,
)
from parlour.tools.config import ServerConfig
from parlour.tools.connections import Key
from parlour.tools.shapes import as_list, as_object

FRESH_S = 600.0  # What was learned is asked for anew after so long.
ABSENT_S = 30.0  # A name that the finder did not know is asked for again after so long.
LEARNED_MAX = 512  # Tools of one server and user.
USERS_MAX = 5_000  # Servers and users whose hidden tools are remembered.
DEPTH_MAX = 5  # Of the wrapping around a list of tools.
ANSWER_CHARS_MAX = 1_048_576  # A longer answer of a finder is not looked into.

_NAMES = ("name", "tool_name", "toolName", "tool", "tool_id")
_ARGUMENTS = ("arguments", "args", "params", "parameters", "input", "tool_arguments", "tool_input")
_QUERIES = ("query", "q", "search", "pattern", "text", "keywords", "task", "intent")
_SCHEMAS = ("inputSchema", "input_schema", "parameters", "schema")
_ABOUT_TOOLS = re.compile(r"\btools?\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Pair:
    """The two tools. `finder` may be missing when the settings name only the caller."""

    caller: CatalogTool
    by_name: CallByName
    finder: CatalogTool | None
    query_key: str


@dataclass(slots=True)
class _Learned:
    tool: CatalogTool | None
    until: float


class HiddenTools:
    """What is known of hidden tools, for each server and user."""

    def __init__(self) -> None:
        self._pairs: weakref.WeakKeyDictionary[Listing, Pair | None] = weakref.WeakKeyDictionary()
        self._known: OrderedDict[Key, dict[str, _Learned]] = OrderedDict()

    def pair_of(self, listing: Listing) -> Pair | None:
        """The pair of a server, if it is one that hides tools."""
        if not listing.server.call_by_name:
            return None
        if listing not in self._pairs:
            self._pairs[listing] = find_pair(listing)
        return self._pairs[listing]

    def learn(self, key: Key, pair: Pair, result: types.CallToolResult) -> None:
        """Remember the tools that a finder's answer describes; what is listed openly is not."""
        found = list(described_tools(result))
        for tool in catalog_tools(pair.caller.server, found):
            self._remember(key, tool.real_name, replace(tool, via=pair.by_name), FRESH_S)

    def absent(self, key: Key, name: str) -> None:
        """Remember that the finder does not know a name."""
        self._remember(key, name, None, ABSENT_S)

    def known(self, key: Key, name: str) -> bool:
        """Whether a name needs no asking."""
        learned = self._known.get(key, {}).get(name)
        return learned is not None and time.monotonic() < learned.until

    def get(self, key: Key, pair: Pair, name: str) -> CatalogTool:
        """A hidden tool by its own name; one that was never described has no hints."""
        learned = self._known.get(key, {}).get(name)
        if learned is not None and learned.tool is not None and time.monotonic() < learned.until:
            return learned.tool
        return undescribed(pair.caller.server, name, pair.by_name)

    def _remember(self, key: Key, name: str, tool: CatalogTool | None, seconds: float) -> None:
        known = self._known.setdefault(key, {})
        self._known.move_to_end(key)
        known.pop(name, None)
        known[name] = _Learned(tool, time.monotonic() + seconds)
        if len(known) > LEARNED_MAX:
            del known[next(iter(known))]
        if len(self._known) > USERS_MAX:
            self._known.popitem(last=False)


def undescribed(server: ServerConfig, name: str, via: CallByName) -> CatalogTool:
    """A tool of which nothing is known but its name."""
    parameters: dict[str, Any] = {"type": "object"}
    spec = ToolSpec(model_name(server.name, name), "", parameters, prettified(name))
    return CatalogTool(server=server, real_name=name, spec=spec, via=via)


def find_pair(listing: Listing) -> Pair | None:
    """The caller and the finder among a server's tools: as configured, else by their shape."""
    server, tools = listing.server, listing.by_real_name
    callers = {name: shape for name, tool in tools.items() if (shape := _caller(tool))}
    finders = {name: key for name, tool in tools.items() if (key := _finder(tool))}
    if server.call_tool:
        chosen = server.call_tool if server.call_tool in callers else ""
        found = server.search_tool if server.search_tool in finders else ""
    else:
        about = [name for name in callers if _about_tools(tools[name])]
        found = next((n for n in finders if n not in about and _about_tools(tools[n])), "")
        chosen = about[0] if len(about) == 1 and found else ""
        found = server.search_tool if server.search_tool in finders else found
    if not chosen:
        return None
    by_name = CallByName(chosen, *callers[chosen])
    return Pair(tools[chosen], by_name, tools.get(found), finders.get(found, ""))


def described_tools(result: types.CallToolResult) -> Iterator[types.Tool]:
    """The tools that a finder's answer lists, in its structured content or its JSON text."""
    if result.is_error:
        return
    if result.structured_content is not None:
        yield from _tools_in(result.structured_content)
        return
    for block in result.content:
        if isinstance(block, types.TextContent) and len(block.text) <= ANSWER_CHARS_MAX:
            try:
                yield from _tools_in(json.loads(block.text))
            except (ValueError, RecursionError):
                continue  # words, which describe nothing that could be relied on


def _tools_in(data: Any, depth: int = 0) -> Iterator[types.Tool]:
    if (fields := as_object(data)) is not None:
        tool = _tool(fields)
        if tool is not None:
            yield tool
        elif depth < DEPTH_MAX:
            for value in fields.values():
                yield from _tools_in(value, depth + 1)
    elif (items := as_list(data)) is not None and depth < DEPTH_MAX:
        for item in items[:LEARNED_MAX]:
            yield from _tools_in(item, depth + 1)


def _tool(fields: dict[str, Any]) -> types.Tool | None:
    name, description = fields.get("name"), fields.get("description")
    schemas = [schema for key in _SCHEMAS if (schema := as_object(fields.get(key))) is not None]
    hints = as_object(fields.get("annotations"))
    if not isinstance(name, str) or not (isinstance(description, str) or schemas or hints):
        return None
    title = fields.get("title")
    try:
        return types.Tool(
            name=name,
            title=title if isinstance(title, str) else None,
            description=description if isinstance(description, str) else None,
            input_schema=schemas[0] if schemas else {"type": "object"},
            annotations=types.ToolAnnotations.model_validate(hints) if hints else None,
        )
    except ValueError:
        return None


def _caller(tool: CatalogTool) -> tuple[str, str] | None:
    """Which of its arguments hold the name and the arguments, when it looks like a caller."""
    properties = as_object(_schema(tool).get("properties")) or {}
    names = [key for key in _NAMES if "string" in _kinds(properties.get(key))]
    objects = [key for key in _ARGUMENTS if "object" in _kinds(properties.get(key))]
    if not names or not objects or not _needs_only(tool, {names[0], objects[0]}):
        return None
    return names[0], objects[0]


def _finder(tool: CatalogTool) -> str:
    """Which of its arguments holds the query, when it looks like a finder."""
    properties = as_object(_schema(tool).get("properties")) or {}
    keys = [key for key in _QUERIES if "string" in _kinds(properties.get(key))]
    return keys[0] if keys and _needs_only(tool, {keys[0]}) else ""


def _needs_only(tool: CatalogTool, keys: set[str]) -> bool:
    return set(as_list(_schema(tool).get("required")) or []) <= keys


def _schema(tool: CatalogTool) -> dict[str, Any]:
    """As its server describes it, also while that is not approved: a pair stays one."""
    return as_object((tool.definition or {}).get("input_schema")) or {}


def _about_tools(tool: CatalogTool) -> bool:
    return bool(_ABOUT_TOOLS.search(prettified(tool.real_name)))


def _kinds(schema: Any) -> set[str]:
    """The JSON types that a simple schema takes."""
    fields = as_object(schema)
    if fields is None:
        return set()
    kind = fields.get("type")
    kinds = {kind} if isinstance(kind, str) else set(as_list(kind) or [])
    for branch in as_list(fields.get("anyOf")) or []:
        kinds |= _kinds(branch)
    return kinds
