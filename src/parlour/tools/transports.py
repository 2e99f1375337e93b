"""The ways to reach an MCP server, hardened.

The SDK's transports have three traps, met here: one failed HTTP connection cancels the whole
client, so every HTTP failure is turned into an error answer to its own request; a server that
goes away is noticed only by the next request, so the end of a stream is reported; a server's
stderr is ours, so it is drained and its last lines kept for the one who asks why.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Any

import httpx2
from mcp import StdioServerParameters
from mcp.client._transport import ReadStream, TransportStreams
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage

from parlour.tools.failures import BROKEN, NOT_SENT, SESSION_GONE

CONNECT_S = 5.0  # TCP and TLS to a healthy server take well under one second.
WRITE_S = 30.0  # A request is small; a server that takes nothing for so long is gone.
KEEP_ALIVE_S = 60.0  # Calls of one conversation share a TCP connection; the default is 5 s.
ERROR_BYTES_MAX = 16_384  # Of an HTTP error page, to look for a reason in it.
STDERR_LINES_KEPT = 20
_STDERR_LINE_MAX = 300

Transport = AbstractAsyncContextManager[TransportStreams]


@asynccontextmanager
async def stdio_transport(
    command: str,
    args: tuple[str, ...],
    env: Mapping[str, str],
    *,
    said: deque[str],
    on_end: Callable[[], None],
) -> AsyncGenerator[TransportStreams]:
    """Start a server as a child process in its own process group; it is killed at the end.

    The last lines of its stderr go to `said`. `on_end` is called when it closes its stdout.
    Raises OSError when it cannot be started.
    """
    read_end, write_end = os.pipe()
    errors = os.fdopen(write_end, "w")
    try:
        parameters = StdioServerParameters(command=command, args=list(args), env=dict(env))
        async with stdio_client(parameters, errlog=errors) as (read, write):
            errors.close()  # the child holds its own copy; ours would keep the pipe open
            listener = asyncio.create_task(_listen(read_end, said))
            try:
                yield _Watched(read, on_end), write
            finally:
                listener.cancel()
    finally:
        errors.close()


async def _listen(read_end: int, said: deque[str]) -> None:
    """Drain a pipe line by line until its end; keeps the last lines."""
    reader = asyncio.StreamReader(limit=65_536)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", buffering=0)
    )
    try:
        while chunk := await reader.read(65_536):
            for line in chunk.decode("utf-8", "replace").splitlines():
                if line.strip():
                    said.append(line.strip()[:_STDERR_LINE_MAX])
    finally:
        transport.close()


class _Watched:
    """A read stream that tells when it ends."""

    def __init__(
        self, inner: ReadStream[SessionMessage | Exception], on_end: Callable[[], None]
    ) -> None:
        self._inner = inner
        self._on_end = on_end

    async def receive(self) -> SessionMessage | Exception:
        try:
            return await self._inner.receive()
        except Exception:
            self._on_end()
            raise

    async def aclose(self) -> None:
        await self._inner.aclose()

    def __aiter__(self) -> _Watched:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self._inner.__anext__()
        except Exception:  # StopAsyncIteration is the usual end, a closed resource another
            self._on_end()
            raise

    async def __aenter__(self) -> _Watched:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> bool | None:
        return await self._inner.__aexit__(exc_type, exc_val, exc_tb)


@asynccontextmanager
async def http_transport(
    url: str, headers: Mapping[str, str], *, verify: ssl.SSLContext, message_bytes_max: int
) -> AsyncGenerator[TransportStreams]:
    """Speak streamable HTTP. Connection failures become error answers, see `failures`."""
    inner = httpx2.AsyncHTTPTransport(
        verify=verify,
        limits=httpx2.Limits(
            max_connections=64, max_keepalive_connections=4, keepalive_expiry=KEEP_ALIVE_S
        ),
    )
    # No read limit here: each call has its own, and streams that wait for changes are meant to.
    timeout = httpx2.Timeout(connect=CONNECT_S, write=WRITE_S, pool=CONNECT_S, read=None)
    async with (
        httpx2.AsyncClient(
            transport=_Guard(inner, message_bytes_max), headers=dict(headers), timeout=timeout
        ) as client,
        streamable_http_client(
            url, http_client=client, max_sse_event_size=message_bytes_max
        ) as streams,
    ):
        yield streams


class _Guard(httpx2.AsyncBaseTransport):
    """Turns every failure of a POST into a JSON-RPC error answer, and bounds JSON answers."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, bytes_max: int) -> None:
        self._inner = inner
        self._bytes_max = bytes_max

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            response = await self._inner.handle_async_request(request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            if request.method != "POST":
                raise
            return _error_answer(502, NOT_SENT, f"no connection ({_words(error)})")
        except httpx2.TransportError as error:
            if request.method != "POST":
                raise
            return _error_answer(502, BROKEN, f"the connection broke ({_words(error)})")
        if request.method != "POST":
            return response
        if response.status_code >= 400:
            return await _explained(request, response)
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            return response  # the SDK bounds each event
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_Bounded(response.stream, self._bytes_max),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Bounded(httpx2.AsyncByteStream):
    """A body of at most so many bytes; failures come out as the SDK can bear them."""

    def __init__(
        self, inner: Any, bytes_max: int
    ) -> None:  # Any: sync or async, as httpx2 types it
        self._inner = inner
        self._bytes_max = bytes_max

    async def __aiter__(self) -> AsyncIterator[bytes]:
        seen = 0
        try:
            async for chunk in self._inner:
                seen += len(chunk)
                if seen > self._bytes_max:
                    raise httpx2.StreamError(f"the answer is over {self._bytes_max:,} bytes")
                yield chunk
        except httpx2.TransportError as error:
            raise httpx2.StreamError(f"the answer broke off ({_words(error)})") from error

    async def aclose(self) -> None:
        await self._inner.aclose()


async def _explained(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
    """An HTTP error as a JSON-RPC error; the server's own JSON-RPC error passes as it is."""
    body = b""
    try:
        async for chunk in _Bounded(response.stream, ERROR_BYTES_MAX):
            body += chunk
    except httpx2.StreamError:
        pass
    finally:
        await response.aclose()
    # Servers of 2025 answer 404 (by the book) or 400 for a session from before their restart.
    if "mcp-session-id" in request.headers and (
        response.status_code == 404 or (response.status_code == 400 and b"ession" in body)
    ):
        return _error_answer(response.status_code, SESSION_GONE, "the session is gone")
    if response.headers.get("content-type", "").startswith("application/json") and (
        b'"jsonrpc"' in body
    ):
        return httpx2.Response(
            response.status_code, headers={"content-type": "application/json"}, content=body
        )
    reason = f"HTTP {response.status_code} {response.reason_phrase}".strip()
    return _error_answer(response.status_code, BROKEN, reason)


def _error_answer(status: int, code: int, message: str) -> httpx2.Response:
    body = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}
    return httpx2.Response(
        status, headers={"content-type": "application/json"}, content=json.dumps(body).encode()
    )


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
