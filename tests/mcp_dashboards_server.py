"""An MCP server on stdio with a workspace's dashboards, all of them to be read only.

`find_dashboard` fails for a name that is not there, as real servers do; `list_dashboards` has them
all.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import mcp.types as types
from mcp.server import Server
from mcp.server.lowlevel.server import NotificationOptions
from mcp.server.stdio import stdio_server

BASE = "https://acme.com/superset/dashboard"
DASHBOARDS = [
    {"name": "Sales", "url": f"{BASE}/3/", "charts": 1204},
    {"name": "Revenue by region", "url": f"{BASE}/5/", "charts": 12},
]
READS = types.ToolAnnotations(read_only_hint=True, open_world_hint=False)


def _tool(name: str, title: str, /, **properties: Any) -> types.Tool:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return types.Tool(
        name=name, title=title, description=f"{title}.", input_schema=schema, annotations=READS
    )


async def list_tools(context: Any, params: Any) -> types.ListToolsResult:
    return types.ListToolsResult(
        tools=[
            _tool("find_dashboard", "Find a dashboard", name={"type": "string"}),
            _tool("list_dashboards", "List dashboards"),
        ]
    )


async def call_tool(context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
    found: Any = {"dashboards": DASHBOARDS}
    if params.name == "find_dashboard":
        name = (params.arguments or {})["name"]
        found = next(
            (d for d in DASHBOARDS if d["name"] == name),
            {"success": False, "error": f"There is no dashboard named {name!r}."},
        )
    return types.CallToolResult(content=[types.TextContent(type="text", text=json.dumps(found))])


async def serve() -> None:
    server: Server[Any] = Server("dashboards", on_list_tools=list_tools, on_call_tool=call_tool)
    options = server.create_initialization_options(NotificationOptions())
    async with stdio_server() as (read, write):
        await server.run(read, write, options)


if __name__ == "__main__":
    asyncio.run(serve())
