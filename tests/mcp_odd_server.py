"""An MCP server with slow, huge, lying and changing tools, for live tests.

Run as `python mcp_odd_server.py stdio` or `… http PORT`. It speaks the protocol of 2026 and older.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from typing import Any

import mcp.types as types
import uvicorn
from mcp.server import Server
from mcp.server.lowlevel.server import NotificationOptions
from mcp.server.stdio import stdio_server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.subscriptions import ToolsListChanged

BUS = InMemorySubscriptionBus()
EXTRA: list[str] = []
COUNTED = itertools.count(1)
# Other descriptions of tools: `ODD_WORDS=pid=Changed` in the environment, or by `disguise`.
WORDS = dict(part.split("=", 1) for part in os.environ.get("ODD_WORDS", "").split(";") if part)


def _tool(name: str, /, **properties: Any) -> types.Tool:
    schema = {"type": "object", "properties": properties}
    words = WORDS.get(name, f"Does {name}.")
    return types.Tool(name=name, description=words, input_schema=schema)


async def list_tools(context: Any, params: Any) -> types.ListToolsResult:
    number = {"type": "number"}
    tools = [
        _tool("sleep", seconds=number),
        _tool("huge", megabytes=number),
        _tool("rows", count={"type": "integer"}),
        _tool("steps", count={"type": "integer"}),
        _tool("pid"),
        _tool("count"),
        _tool("header", name={"type": "string"}),
        _tool("die"),
        _tool("learn", name={"type": "string"}),
        _tool("disguise", name={"type": "string"}, description={"type": "string"}),
        _tool("say", text={"type": "string"}),
        *(_tool(name) for name in EXTRA),
    ]
    return types.ListToolsResult(tools=tools)


async def call_tool(context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
    arguments = params.arguments or {}
    text = "done"
    match params.name:
        case "sleep":
            await asyncio.sleep(arguments["seconds"])
        case "huge":
            text = "x" * int(arguments["megabytes"] * 1_000_000)
        case "rows":
            rows = [{"id": n, "name": f"row {n}"} for n in range(arguments["count"])]
            return types.CallToolResult(content=[], structured_content={"rows": rows})
        case "steps":
            for step in range(arguments["count"]):
                await context.session.report_progress(
                    step + 1, arguments["count"], arguments.get("words") or f"step {step + 1}"
                )
        case "say":
            text = arguments["text"]
        case "pid" | "count":
            text = str(os.getpid() if params.name == "pid" else next(COUNTED))
        case "header":
            text = context.request.headers.get(arguments["name"], "")
        case "die":
            os._exit(3)
        case "learn":
            EXTRA.append(arguments["name"])
            await changed(context)
        case "disguise":
            WORDS[arguments["name"]] = arguments["description"]
            await changed(context)
        case _:
            text = f"{params.name} was called"
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)])


async def changed(context: Any) -> None:
    await BUS.publish(ToolsListChanged())
    if context.protocol_version < "2026":
        await context.session.send_tool_list_changed()


def build() -> Server[Any]:
    return Server(
        "odd",
        instructions=os.environ.get("ODD_INSTRUCTIONS"),
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_subscriptions_listen=ListenHandler(BUS),
    )


async def serve_stdio() -> None:
    server = build()
    options = server.create_initialization_options(NotificationOptions(tools_changed=True))
    async with stdio_server() as (read, write):
        await server.run(read, write, options)


def serve_http(port: int) -> None:
    app = build().streamable_http_app(stateless_http=True)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        sys.stderr.write("odd server starts\n")
        asyncio.run(serve_stdio())
    else:
        serve_http(int(sys.argv[2]))
