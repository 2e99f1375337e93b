"""What Parlour's own tools are called and take, and the shapes of their answers."""

from __future__ import annotations

from typing import Any

import msgspec
from mcp import types

from parlour.tools.calculator import EXPRESSION_CHARS_MAX


def _read_only(title: str, *, open_world: bool = False) -> types.ToolAnnotations:
    return types.ToolAnnotations(
        title=title,
        read_only_hint=True,
        destructive_hint=False,
        idempotent_hint=True,
        open_world_hint=open_world,
    )


TITLE_CHARS_MAX = 200  # of a conversation's name

_ANSWER_SCHEMA = {
    "type": "object",
    "properties": {
        "expression": {"type": "string"},
        "result": {"type": "string"},
        "exact": {"type": "boolean"},
        "note": {"type": "string"},
    },
    "required": ["expression", "result", "exact"],
}

TOOLS = (
    types.Tool(
        name="calculator",
        title="Calculate",
        description=(
            "Work out arithmetic exactly. Use it for every calculation, also simple ones. "
            "Knows + - * / ^ ( ), percent (17.5 % of 2340), sqrt, round(x, decimals), min, max, "
            "abs, mod."
        ),
        input_schema={
            "type": "object",
            "properties": {
                "expression": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": EXPRESSION_CHARS_MAX,
                    "description": "What to work out, e.g. `17.5 % of 2340` or `(12.5 + 3) * 4`.",
                }
            },
            "required": ["expression"],
            "additionalProperties": False,
        },
        output_schema=_ANSWER_SCHEMA,
        annotations=_read_only("Calculate"),
    ),
    types.Tool(
        name="current_time",
        title="Look up the time",
        description="The date and time now. Use it whenever today's date or the time matters.",
        input_schema={
            "type": "object",
            "properties": {
                "timezone": {
                    "type": "string",
                    "description": "IANA time zone, e.g. Europe/Berlin. Leave out for the user's "
                    "own zone, or UTC when that is not known.",
                }
            },
            "additionalProperties": False,
        },
        annotations=_read_only("Look up the time"),
    ),
    types.Tool(
        name="get_user_data",
        title="Look up your account",
        description="Who the user is: name, workspace, roles and language, as they signed in.",
        input_schema={"type": "object", "properties": {}, "additionalProperties": False},
        annotations=_read_only("Look up your account"),
    ),
    types.Tool(
        name="read_result",
        title="Read on in a long result",
        description=(
            "Read on in a tool result that was cut. Its notice says which handle and offset to "
            "give. Only for results that say so."
        ),
        input_schema={
            "type": "object",
            "properties": {
                "handle": {"type": "string", "description": "As the notice says, e.g. r_0a1b2c."},
                "offset": {
                    "type": "integer",
                    "minimum": 0,
                    "description": "Character to begin at, as the notice says.",
                },
            },
            "required": ["handle"],
            "additionalProperties": False,
        },
        # What is read there came from other servers.
        annotations=_read_only("Read on in a long result", open_world=True),
    ),
    types.Tool(
        name="search_knowledge_base",
        title="Search the documents",
        description="Search the documents that were uploaded to this workspace.",
        input_schema={
            "type": "object",
            "properties": {
                "query": {"type": "string", "minLength": 1, "description": "What to look for."}
            },
            "required": ["query"],
            "additionalProperties": False,
        },
        annotations=_read_only("Search the documents"),
    ),
)

# Offered only where there is a conversation: not to other hosts at /mcp.
NAMING = types.Tool(
    name="name_conversation",
    title="Rename this conversation",
    description=(
        "Give this conversation another name in the user's list. Only when the user asks for it."
    ),
    input_schema={
        "type": "object",
        "properties": {
            "title": {
                "type": "string",
                "minLength": 1,
                "maxLength": TITLE_CHARS_MAX,
                "description": "The new name: a few words.",
            }
        },
        "required": ["title"],
        "additionalProperties": False,
    },
    annotations=types.ToolAnnotations(
        title="Rename this conversation",
        read_only_hint=False,
        destructive_hint=False,
        idempotent_hint=True,
        open_world_hint=False,
    ),
)


def done(text: str, data: dict[str, Any]) -> types.CallToolResult:
    """A result in words and as data."""
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)],
        structured_content=msgspec.to_builtins(data),
    )


def failed(sentence: str) -> types.CallToolResult:
    """A failed call, in words."""
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=sentence)], is_error=True
    )
