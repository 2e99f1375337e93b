"""An MCP server on stdio with a table to show and an answer that attacks the page."""

from __future__ import annotations

import asyncio
from typing import Any

import mcp.types as types
from mcp.server import Server
from mcp.server.lowlevel.server import NotificationOptions
from mcp.server.stdio import stdio_server

ORDERS = [
    {"order": 1041, "customer": "Alder & Sons", "city": "Porto", "total": 1284.5},
    {"order": 1042, "customer": "Brightwater", "city": "Kyoto", "total": 96.0},
    {"order": 1043, "customer": "Café Lumière", "city": "Lyon", "total": 407.25},
    {"order": 1044, "customer": "Dune Optics", "city": "Tunis", "total": 2210.0},
]
HOSTILE = (
    "<script>alert('tool')</script><img src=x onerror=\"alert('tool')\">"
    "[go](javascript:alert('tool')) ![see](https://evil.example/tool.png)"
)


async def list_tools(context: Any, params: Any) -> types.ListToolsResult:
    schema: dict[str, Any] = {"type": "object", "properties": {}}
    return types.ListToolsResult(
        tools=[
            types.Tool(
                name="search_orders",
                title="Search orders",
                description="Orders of the shop.",
                input_schema=schema,
            ),
            types.Tool(
                name="hostile",
                title="<b onclick=alert(1)>Look</b>",
                description="Says bad things.",
                input_schema=schema,
            ),
        ]
    )


async def call_tool(context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
    if params.name == "search_orders":
        return types.CallToolResult(content=[], structured_content={"orders": ORDERS})
    rows = [{"name": HOSTILE, "link": "javascript:alert('cell')"}]
    text = types.TextContent(type="text", text=HOSTILE)
    return types.CallToolResult(content=[text], structured_content={"rows": rows})


async def main() -> None:
    server = Server("shop", on_list_tools=list_tools, on_call_tool=call_tool)
    options = server.create_initialization_options(NotificationOptions())
    async with stdio_server() as (read, write):
        await server.run(read, write, options)


if __name__ == "__main__":
    asyncio.run(main())
