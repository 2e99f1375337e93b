"""Streamable HTTP to an MCP server, hardened.

In the SDK one failed HTTP connection cancels the whole client and with it every call that is under
way. So every failure is turned into an error answer to its own request before the SDK sees it.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp.client.streamable_http import streamable_http_client

from parlour.tools.failures import BROKEN, NOT_SENT, SESSION_GONE

CONNECT_S = 5.0  # TCP and TLS to a healthy server take well under one second.
WRITE_S = 30.0  # A request is small; a server that takes nothing for so long is gone.
KEEP_ALIVE_S = 60.0  # Calls of one conversation share a TCP connection; the default is 5 s.
ERROR_BYTES_MAX = 16_384  # Of an HTTP error page, to look for a reason in it.


@asynccontextmanager
async def http_transport(
    url: str,
    headers: Mapping[str, str],
    *,
    identity: Callable[[], Mapping[str, str]] | None = None,
    verify: ssl.SSLContext,
    message_bytes_max: int,
) -> AsyncGenerator[tuple[Any, Any]]:  # Any: the SDK keeps the streams' types private
    """Speak streamable HTTP. Connection failures become error answers, see `failures`.

    `identity` is asked for each request's headers that say who asks. No redirect is followed, so
    they reach no other server.
    """
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
            transport=_Guard(inner, message_bytes_max, identity),
            headers=dict(headers),
            timeout=timeout,
            follow_redirects=False,
        ) as client,
        streamable_http_client(
            url, http_client=client, max_sse_event_size=message_bytes_max
        ) as streams,
    ):
        yield streams


class _Guard(httpx2.AsyncBaseTransport):
    """Says who asks, turns every failure of a POST into a JSON-RPC error answer, and bounds JSON
    answers."""

    def __init__(
        self,
        inner: httpx2.AsyncBaseTransport,
        bytes_max: int,
        identity: Callable[[], Mapping[str, str]] | None,
    ) -> None:
        self._inner = inner
        self._bytes_max = bytes_max
        self._identity = identity

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if self._identity is not None:
            request.headers.update(self._identity())
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
