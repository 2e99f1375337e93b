"""An MCP server on stdio that changes something: notes in a file, one a line.

Run as `python mcp_notes_server.py FILE`. Every call that writes first adds `began <text>`, so that
a test sees how often it was really called. A note that begins with "slow" waits for FILE.go.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from pathlib import Path
from typing import Any

import mcp.types as types
from mcp.server import Server
from mcp.server.lowlevel.server import NotificationOptions
from mcp.server.stdio import stdio_server

FILE = Path(sys.argv[1])
LOOK_S = 0.02


def _tool(name: str, title: str, hints: dict[str, bool] | None, **properties: Any) -> types.Tool:
    return types.Tool(
        name=name,
        title=title,
        description=f"{title}.",
        input_schema={
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        },
        annotations=None if hints is None else types.ToolAnnotations(**hints),
    )


TEXT = {"type": "string"}
TOOLS = [
    _tool("read_notes", "Read notes", {"read_only_hint": True}),
    _tool("add_note", "Add a note", {"destructive_hint": False}, text=TEXT),
    _tool("wipe_notes", "Wipe all notes", {"destructive_hint": True}),
    _tool("odd_note", "Do something", None, text=TEXT),
    _tool("run_sql", "Run SQL", {"destructive_hint": True}, sql=TEXT),
    _tool(
        "search_web", "Search the web", {"read_only_hint": True, "open_world_hint": True}, q=TEXT
    ),
]


def _write(line: str) -> None:
    with FILE.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


async def _note(text: str) -> str:
    _write(f"began {text}")
    if text.startswith("slow"):
        while not FILE.with_name(f"{FILE.name}.go").exists():  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)
    _write(text)
    return f"Noted: {text}"


def _sql(statement: str) -> str:
    _write(f"began {statement}")
    connection = sqlite3.connect(FILE.with_name(f"{FILE.name}.db"))
    with connection:
        connection.execute("CREATE TABLE IF NOT EXISTS t (a)")
        return str(connection.execute(statement).fetchall())


async def call_tool(context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
    arguments = params.arguments or {}
    match params.name:
        case "read_notes":
            text = FILE.read_text(encoding="utf-8") if FILE.exists() else "No notes."  # noqa: ASYNC240
        case "wipe_notes":
            _write("began wiping")
            text = "Wiped."
        case "run_sql":
            text = _sql(arguments["sql"])
        case "search_web":
            text = f"Nothing was found for {arguments['q']}."
        case _:
            text = await _note(arguments["text"])
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)])


async def list_tools(context: Any, params: Any) -> types.ListToolsResult:
    return types.ListToolsResult(tools=TOOLS)


async def main() -> None:
    server = Server("notes", on_list_tools=list_tools, on_call_tool=call_tool)
    options = server.create_initialization_options(NotificationOptions())
    async with stdio_server() as (read, write):
        await server.run(read, write, options)


if __name__ == "__main__":
    asyncio.run(main())
