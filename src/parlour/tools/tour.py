"""The one tool of the guided tour: it takes its time and says how far it is.

It is there only while the scripted guide answers, so that people see what waiting looks like on a
machine where nothing else is slow. It bakes nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any

from mcp import types
from mcp.server import Server, ServerRequestContext

import parlour
from parlour.domain import Principal
from parlour.tools.config import ServerConfig
from parlour.tools.own import failed

NAME = "tour"
TOOL = "bake"
# What is done, and the seconds it takes. While it rests people read what they wait for.
STEPS = (("Kneading", 1.2), ("Resting", 3.2), ("Baking", 1.2))
LOAF = "1 imaginary loaf, 0 calories. How real ones are made: https://en.wikipedia.org/wiki/Bread"

_BAKE = types.Tool(
    name=TOOL,
    title="Bake an imaginary loaf",
    description="Bake an imaginary loaf of bread. Takes six seconds.",
    input_schema={"type": "object", "properties": {}, "additionalProperties": False},
    annotations=types.ToolAnnotations(
        read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    ),
)

Context = ServerRequestContext[Any, Any]


def tour_server() -> ServerConfig:
    """The server, in process and the same for all."""
    return ServerConfig(NAME, build=_build, call_by_name=False)


def _build(principal: Principal) -> Server[dict[str, Any]]:
    del principal  # everybody gets the same loaf

    async def list_tools(
        context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_BAKE])

    async def call_tool(
        context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        if params.name != TOOL:
            return failed(f"There is no tool named {params.name!r}.")
        for done, (step, seconds) in enumerate(STEPS, 1):
            await context.session.report_progress(done, len(STEPS), f"{step} ({done} of 3)")
            await asyncio.sleep(seconds)
        return types.CallToolResult(content=[types.TextContent(type="text", text=LOAF)])

    return Server(
        NAME,
        version=parlour.__version__,
        title="Guided tour",
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
