"""A model provider on a loopback port, for every test that needs one: honest, slow or broken.

It speaks both dialects (`POST /v1/chat/completions`, `POST /v1/messages`) over sockets of its own,
so that it can break the rules of HTTP too. What it says is set by `next(Reply(...))`, by directives
in the last user message (see upstream_frames.reply_to), or is "Hello from upstream.". It records
what it was asked, which connections are open and how many tokens it sent:

    async with Upstream() as upstream:
        model = OpenAIModel("m", base_url=upstream.openai_url)
        ...
        await upstream.until(lambda: upstream.streaming == 0)
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from tests.upstream_frames import (
    Dialect,
    Reply,
    bare_end,
    error_body,
    error_frame,
    frames,
    reply_to,
)

LEAKY = "sk-live-4f8a9c0e1b2d3f4a5b6c"  # stands in error texts, as real providers quote keys

# name -> status, extra header, error type, error code or message, and the code it must become
HTTP_FAULTS: dict[str, tuple[int, str, str, str, str]] = {
    "bad_key": (401, "", "authentication_error", "invalid_api_key", "upstream_key_rejected"),
    "no_credit": (402, "", "billing_error", "no_credit", "upstream_quota_spent"),
    "forbidden": (403, "", "permission_error", "forbidden", "upstream_forbidden"),
    "no_model": (404, "", "not_found_error", "model_not_found", "upstream_model_unknown"),
    "bad_request": (400, "", "invalid_request_error", "bad_param", "upstream_bad_request"),
    "unprocessable": (422, "", "invalid_request_error", "bad_param", "upstream_bad_request"),
    "context": (
        400,
        "",
        "invalid_request_error",
        "context_length_exceeded: prompt is too long",
        "upstream_context_too_long",
    ),
    "too_large": (413, "", "request_too_large", "too_large", "upstream_request_too_large"),
    "rate_limit": (
        429,
        "Retry-After: 7\r\n",
        "rate_limit_error",
        "rate_limit_exceeded",
        "upstream_rate_limited",
    ),
    "quota": (429, "", "insufficient_quota", "insufficient_quota", "upstream_quota_spent"),
    "redirect": (307, "Location: /elsewhere\r\n", "moved", "moved", "upstream_redirect"),
    "server_error": (500, "", "api_error", "internal", "upstream_server_error"),
    "unavailable": (503, "", "overloaded", "busy", "upstream_overloaded"),
    "overloaded": (529, "", "overloaded_error", "overloaded", "upstream_overloaded"),
    "gateway_timeout": (504, "", "timeout_error", "timeout", "upstream_gateway_timeout"),
}

# What goes wrong within or instead of the stream -> the code it must become.
STREAM_FAULTS: dict[str, str] = {
    "hangup": "upstream_disconnected",
    "not_http": "upstream_not_http",
    "silent": "upstream_first_byte_timeout",
    "headers_only": "upstream_first_byte_timeout",
    "stall": "upstream_idle_timeout",
    "trickle": "upstream_total_timeout",
    "html": "upstream_not_a_stream",
    "json": "upstream_not_a_stream",
    "noise": "upstream_not_a_stream",
    "json_error": "upstream_bad_request",
    "empty": "upstream_empty",
    "keep_alive_only": "upstream_empty",
    "cut_fin": "upstream_cut",
    "cut_rst": "upstream_cut",
    "cut_line": "upstream_cut",
    "bad_chunk": "upstream_cut",
    "no_finish": "upstream_no_finish",
    "end_mark_only": "upstream_no_finish",
    "bad_finish": "upstream_bad_finish",
    "bad_json": "upstream_bad_json",
    "wrong_shape": "upstream_wrong_shape",
    "bad_utf8": "upstream_bad_utf8",
    "long_line": "upstream_line_too_long",
    "flood": "upstream_reply_too_long",
    "error_event": "upstream_error_event",
    "overloaded_event": "upstream_overloaded",
}

FAULTS: dict[str, str] = {name: row[-1] for name, row in HTTP_FAULTS.items()} | STREAM_FAULTS


@dataclass
class Seen:
    """One request as it arrived."""

    dialect: Dialect
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Upstream:
    """The provider. Counters only grow, but for `streaming` and `connections`, which are now."""

    def __init__(self) -> None:
        self.requests: list[Seen] = []
        self.tokens_sent = 0
        self.streaming = 0  # replies under way
        self.aborted = 0  # replies whose reader left
        self.connections = 0  # open sockets
        self.accepted = 0  # sockets ever
        self.release = asyncio.Event()  # lets replies with `hold_at` go on
        self._next: deque[Reply] = deque()
        self._open: set[_Connection] = set()
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def openai_url(self) -> str:
        return f"{self.url}/v1"

    def next(self, *replies: Reply) -> None:
        """Say these first, in this order, one a request, whatever is asked."""
        self._next.extend(replies)

    async def until(self, condition: Callable[[], bool], within_s: float = 5) -> None:
        """Wait until `condition`; it is looked at whenever something happens here."""
        async with asyncio.timeout(within_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def __aenter__(self) -> Upstream:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for connection in tuple(self._open):
            connection.abort()
        await self.until(lambda: self.connections == 0)

    def connected(self, connection: _Connection) -> None:
        self._open.add(connection)
        self.connections += 1
        self.accepted += 1
        self.changed()

    def disconnected(self, connection: _Connection) -> None:
        self._open.discard(connection)
        self.connections -= 1
        self.changed()

    def changed(self) -> None:
        self._changed.set()

    def choose(self, body: dict[str, Any]) -> Reply:
        return self._next.popleft() if self._next else reply_to(body)


class _Connection(asyncio.Protocol):
    """One socket: requests one after another, each answered by a task that dies with it."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._buffer = b""
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is not a subclass
        self._writable.set()
        self._upstream.connected(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._task is not None:
            self._task.cancel()
        self._upstream.disconnected(self)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._buffer[:1] == b"\x16":  # a TLS hello, which plain servers answer like this
            self._transport.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            return self._transport.close()
        head, mark, rest = self._buffer.partition(b"\r\n\r\n")
        if not mark:
            return None
        request_line, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        size = int(headers.get("content-length", "0"))
        if len(rest) < size:
            return None
        self._buffer = rest[size:]
        path = request_line.split(" ")[1]
        seen = Seen(
            "anthropic" if path.endswith("/messages") else "openai",
            path,
            headers,
            json.loads(rest[:size] or b"{}"),
        )
        self._upstream.requests.append(seen)
        self._task = asyncio.get_running_loop().create_task(self._answer(seen))
        return None

    def abort(self) -> None:
        self._transport.abort()

    async def _answer(self, seen: Seen) -> None:
        upstream = self._upstream
        reply = upstream.choose(seen.body)
        upstream.streaming += 1
        upstream.changed()
        try:
            if reply.fault in HTTP_FAULTS:
                self._refuse(seen.dialect, reply)
            elif not await self._instead(reply.fault):
                await self._stream(seen, reply)
        except asyncio.CancelledError:
            upstream.aborted += 1
        finally:
            upstream.streaming -= 1
            upstream.changed()

    # --- instead of a stream -------------------------------------------------------------------

    def _refuse(self, dialect: Dialect, reply: Reply) -> None:
        status, header, kind, code, _ = HTTP_FAULTS[reply.fault]
        if reply.retry_after:
            header = f"Retry-After: {reply.retry_after}\r\n"
        message = f"{code} (key {LEAKY}, authorization Bearer {LEAKY})"
        body = json.dumps(error_body(dialect, kind, message, code)).encode()
        self._document(status, "application/json", body, header)

    async def _instead(self, fault: str) -> bool:
        match fault:
            case "hangup":
                self._transport.close()
            case "not_http":
                self._transport.write(b"220 mail.example ESMTP ready\r\n")
                self._transport.close()
            case "silent":
                await asyncio.Event().wait()
            case "html":
                self._document(200, "text/html; charset=utf-8", b"<!doctype html><p>Welcome</p>")
            case "json":
                self._document(200, "application/json", b'{"ok": true}')
            case "json_error":
                self._document(200, "application/json", b'{"error": {"message": "no"}}')
            case "noise":
                self._document(200, "text/plain", b"It works!")
            case "empty":
                self._document(200, "text/event-stream", b"")
            case _:
                return False
        return True

    def _document(self, status: int, kind: str, body: bytes, header: str = "") -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        self._transport.write((head + header + "\r\n").encode() + body)

    # --- the stream and what breaks it -----------------------------------------------------------

    async def _stream(self, seen: Seen, reply: Reply) -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        if reply.fault == "headers_only":
            await asyncio.Event().wait()
        if reply.fault == "keep_alive_only":
            return self._chunk(b": keep-alive\n\n", last=True)
        opening, tokens, ending = frames(seen.dialect, reply, str(seen.body.get("model", "")))
        self._chunk(opening)
        for number, token in enumerate(tokens):
            if reply.fault and number == reply.at:
                break
            if number == reply.hold_at:
                await self._upstream.release.wait()
            if reply.gap_s:
                await asyncio.sleep(reply.gap_s)
            await self._writable.wait()
            self._chunk(token)
            self._upstream.tokens_sent += 1
            self._upstream.changed()
        if reply.hold_at is not None and reply.hold_at >= len(tokens):
            await self._upstream.release.wait()
        if reply.fault:
            return await self._break(seen.dialect, reply.fault, tokens)
        return self._chunk(ending, last=True)

    async def _break(self, dialect: Dialect, fault: str, tokens: list[bytes]) -> None:
        match fault:
            case "stall":
                await asyncio.Event().wait()
            case "trickle":
                while True:
                    self._chunk(b": keep-alive\n\n")
                    await asyncio.sleep(0.02)
            case "flood":
                while True:
                    await self._writable.wait()
                    self._chunk(tokens[0] * 100)
                    await asyncio.sleep(0)
            case "long_line":
                with contextlib.suppress(asyncio.CancelledError):
                    for _ in range(200):
                        await self._writable.wait()
                        self._chunk(b"data: " + b"x" * 100_000)
                        await asyncio.sleep(0)
            case "cut_fin":
                self._transport.close()
            case "cut_rst":
                sock = self._transport.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self._transport.abort()
            case "bad_chunk":
                await asyncio.sleep(0.05)  # or it arrives together with the head and spoils that
                self._transport.write(b"zz\r\nthis is no chunk\r\n")
            case "no_finish":
                self._chunk(b"", last=True)
            case _:
                self._chunk(_last_words(dialect, fault, tokens), last=True)

    def _chunk(self, data: bytes, *, last: bool = False) -> None:
        if data:
            self._transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        if last:
            self._transport.write(b"0\r\n\r\n")


def _last_words(dialect: Dialect, fault: str, tokens: list[bytes]) -> bytes:
    """The bytes that break a stream which otherwise ends in good order."""
    match fault:
        case "cut_line":
            return tokens[0][: len(tokens[0]) // 2].rstrip(b"\n")
        case "end_mark_only":
            return bare_end(dialect)
        case "bad_finish":
            return frames(dialect, Reply(finish="mystery"), "m")[2]
        case "bad_json":
            return b'data: {"type": "content_block_delta", "choices": [}\n\n'
        case "wrong_shape":
            return b'data: ["not", "what", "was", "agreed"]\n\n'
        case "bad_utf8":
            bad = tokens[0].replace(b"Hello", b"H\xff\xfello").replace(b"w0", b"\xff\xfe")
            return bad + frames(dialect, Reply(), "m")[2]
        case "error_event":
            return error_frame(dialect, "api_error")
        case "overloaded_event":
            return error_frame(dialect, "overloaded_error")
        case _:
            raise ValueError(f"no fault {fault!r}")
