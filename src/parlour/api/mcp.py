"""Parlour's own MCP server over HTTP, at /mcp: the same tools, for other hosts' assistants.

The same token as everywhere says who is asking, and the tools see that user. Without tokens only
the loopback interface is served, under its own names and to pages from there.
"""

from __future__ import annotations

import asyncio

from fastapi import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from parlour.api import problems
from parlour.api.access import LOOPBACK_HOSTS, Access
from parlour.errors import Problem
from parlour.store.tool_results import ToolResults
from parlour.tools.server import SCOPE_KEY, HttpFace

PATH = "/mcp"


class McpFace:
    """One ASGI app for one process; `start` before it serves, `close` at the end."""

    def __init__(self, access: Access, results: ToolResults) -> None:
        hosts = sorted(LOOPBACK_HOSTS) if access.local else []
        self._access = access
        self._face = HttpFace(
            results=results,
            allowed_hosts=[name for host in hosts for name in (host, f"{host}:*")],
            allowed_origins=[f"http://{host}:*" for host in hosts],
        )
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return when requests can be served."""
        ready = asyncio.Event()
        self._task = asyncio.create_task(self._run(ready), name="mcp")
        await ready.wait()

    async def close(self) -> None:
        """Serve no more."""
        self._closing.set()
        if self._task:
            await asyncio.gather(self._task, return_exceptions=True)

    def route(self) -> Route:
        """The one route, for every method; the protocol decides what each means."""
        return Route(PATH, endpoint=self, include_in_schema=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, as whoever its token names."""
        try:
            scope[SCOPE_KEY] = await self._access.principal(Request(scope))
        except Problem as problem:
            await problems.to_response(problem)(scope, receive, send)
            return
        await self._face(scope, receive, send)

    async def _run(self, ready: asyncio.Event) -> None:
        # The SDK's scope has to be left by the task that entered it, so it has a task of its own.
        async with self._face.running():
            ready.set()
            await self._closing.wait()
