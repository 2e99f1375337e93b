"""A tool server that believes nobody: it checks each token and remembers what it was sent.

Served in this process over real HTTP, so that a test can look at every header that ever arrived.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import jwt
import mcp.types as types
import uvicorn
from mcp.server import Server
from starlette.responses import JSONResponse

from tests.house import WAIT_S

KEY = "a key that only this server and Parlour know"


class Recorder:
    """One server; `requests` are the headers of all that arrived, `port` is where."""

    def __init__(self, key: str = KEY, algorithm: str = "HS256") -> None:
        self.requests: list[dict[str, str]] = []
        self.port = 0
        self._key = key
        self._algorithm = algorithm

    @property
    def url(self) -> str:
        """Its address, which is the audience of its tokens too."""
        return f"http://127.0.0.1:{self.port}/mcp"

    def claims(self, headers: dict[str, str]) -> dict[str, Any]:
        """What a request's token says. Raises when it is not good for this server."""
        token = headers.get("authorization", "").removeprefix("Bearer ")
        must = {"require": ["exp", "sub", "aud", "iat"]}
        return jwt.decode(
            token, self._key, algorithms=[self._algorithm], audience=self.url, options=must
        )

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Recorder]:
        """Serve on a free port."""
        server = Server("recorder", on_list_tools=_list, on_call_tool=self._call)
        inner = server.streamable_http_app(stateless_http=True)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                headers = {k.decode(): v.decode() for k, v in scope["headers"]}
                self.requests.append(headers)
                try:
                    self.claims(headers)
                except jwt.InvalidTokenError as error:
                    await JSONResponse({"error": str(error)}, 401)(scope, receive, send)
                    return
            await inner(scope, receive, send)

        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        config = uvicorn.Config(app, lifespan="on", log_config=None, ws="none")
        running = uvicorn.Server(config)
        task = asyncio.create_task(running.serve(sockets=[listening]))
        try:
            yield self
        finally:
            running.should_exit = True
            await asyncio.wait_for(task, WAIT_S)

    async def _call(self, context: Any, params: types.CallToolRequestParams) -> Any:
        claims = self.claims({k.lower(): v for k, v in context.request.headers.items()})
        await asyncio.sleep(0)  # others get their turn while this call is under way
        text = f"{claims['sub']} {(params.arguments or {}).get('word', '')}".strip()
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=text)], structured_content=claims
        )


async def _list(context: Any, params: Any) -> types.ListToolsResult:
    schema = {"type": "object", "properties": {"word": {"type": "string"}}}
    tool = types.Tool(name="whoami", description="Says who asks.", input_schema=schema)
    return types.ListToolsResult(tools=[tool])
