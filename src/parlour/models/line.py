"""Our own HTTP/1.1 client: one request at a time on a line, the reply fed as its bytes arrive.

It does what a model call needs and no more: POST, TLS, keep-alive, chunked and plain bodies, gzip
from servers that compress unasked. What a read brings goes to `Call.take` from within the
transport's callback, so that a token costs no task switch. The bytes of a reply are parsed by
httptools (llhttp).
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Mapping
from typing import cast

import aiohappyeyeballs
import httptools
from yarl import URL

from parlour.models import failures
from parlour.models.call import (
    ERROR_BYTES_MAX,
    KEEP_ALIVE_S,
    SPEAKING,
    Broken,
    Call,
    not_streamed,
    streams,
)
from parlour.models.failures import ModelFailure
from parlour.models.gather import Gather, Group, let_go

HEAD_BYTES_MAX = 65_536  # of status line and headers
SECOND_ADDRESS_S = 0.25  # after which the next address of a host is tried beside the first
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

Origin = tuple[str, str, int]  # scheme, host, port


class Lines:
    """The lines to all providers, without a bound; idle ones are kept for `KEEP_ALIVE_S`."""

    def __init__(self, *, connect_s: float, beat_s: float) -> None:
        self._connect_s = connect_s
        self.idle: dict[Origin, list[Line]] = {}
        self.gather = Gather(beat_s=beat_s)
        self._tls: ssl.SSLContext | None = None

    async def send(self, url: URL, headers: Mapping[str, str], body: bytes, call: Call) -> Exchange:
        """Send a request; `Exchange.read` gives its reply to `call`.

        Raises `Broken`, `OSError`.
        """
        request = _head(url, headers, len(body)) + body
        origin = (url.scheme, url.host or "", url.port or 80)
        line = self._take(origin) or await self._connect(origin)
        line.ask(request, call)
        return Exchange(self, origin, line, keep=headers.get("Connection", "") != "close")

    def close(self) -> None:
        """Close the idle lines; those in use are closed by their calls."""
        for lines in self.idle.values():
            for line in lines:
                line.close()
        self.idle.clear()

    def _take(self, origin: Origin) -> Line | None:
        """The line that was used last, if it is still good."""
        lines = self.idle.get(origin, [])
        oldest = time.monotonic() - KEEP_ALIVE_S
        while lines:
            line = lines.pop()
            if line.reusable and line.idle_since > oldest:
                return line
            line.close()
        return None

    def put_back(self, origin: Origin, line: Line) -> None:
        """Keep a line for the next request."""
        lines = self.idle.setdefault(origin, [])
        now = line.idle_since = time.monotonic()
        lines.append(line)
        while lines[0].idle_since < now - KEEP_ALIVE_S or not lines[0].reusable:
            lines.pop(0).close()  # the newest is good, so this ends

    async def _connect(self, origin: Origin) -> Line:
        scheme, host, port = origin
        tls = self._context() if scheme == "https" else None
        kind: type[ModelFailure] = failures.Unreachable
        try:
            async with asyncio.timeout(self._connect_s):
                ready = await _socket(host, port)
                if tls:  # the handshake comes now, and a server without TLS may just hang up
                    kind = failures.TlsFailed
                _, line = await asyncio.get_running_loop().create_connection(
                    lambda: Line(ready, self.gather, plain=tls is None),
                    sock=ready,
                    ssl=tls,
                    server_hostname=host if tls else None,
                )
        except TimeoutError:
            raise  # of ours, or of the call's own limits: `Wire.post` knows which
        except OSError as error:
            raise Broken(kind, error) from error
        return line

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:  # made late: reading the trusted roots takes 20 ms
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


class Exchange:
    """A request that was sent. It does not hold the request: thousands wait for replies at once."""

    __slots__ = ("_keep", "_line", "_lines", "_origin")

    def __init__(self, lines: Lines, origin: Origin, line: Line, *, keep: bool) -> None:
        self._lines = lines
        self._origin = origin
        self._line = line
        self._keep = keep

    async def read(self) -> None:
        """Return when the reply is over. Cancelling hangs up.

        Raises `Broken`, a `ModelFailure`, and whatever the call raises.
        """
        line = self._line
        gather = self._lines.gather
        gather.streams += 1
        try:
            await line.reply()
        finally:
            gather.streams -= 1
            line.rest()
            if line.reusable and self._keep:
                self._lines.put_back(self._origin, line)
            else:
                line.close()


class Line(asyncio.Protocol):
    """One connection. The callbacks from `on_status` on are httptools'."""

    __slots__ = (
        "_body",
        "_call",
        "_complete",
        "_document",
        "_done",
        "_framed",
        "_gather",
        "_head_left",
        "_headers",
        "_parser",
        "_status",
        "_streams",
        "_transport",
        "_unzip",
        "group",
        "idle_since",
        "on_body",
        "plain",
        "reusable",
        "socket",
    )

    def __init__(self, ready: socket.socket, gather: Gather, *, plain: bool) -> None:
        self.socket: socket.socket | None = ready
        self.plain = plain
        self.group: Group | None = None  # while it is read together with others
        self._gather = gather
        self.reusable = True
        self.idle_since = 0.0
        self._transport: asyncio.Transport | None = None
        self._call: Call | None = None
        self._done: asyncio.Future[None] | None = None
        # Pieces of the body within one read. A read may end several chunks, and they go on as one.
        self._body: list[bytes] = []
        self.on_body = self._body.append
        self._clear()

    def _clear(self) -> None:
        self._parser: httptools.HttpResponseParser | None = None
        self._headers: dict[str, str] = {}
        self._status = 0
        self._head_left = HEAD_BYTES_MAX
        self._framed = False  # the end of the body is told by length or by chunks
        self._complete = False
        self._streams = False
        self._document = b""  # the beginning of an answer that is no stream
        self._unzip: Callable[[bytes], bytes] | None = None

    def ask(self, request: bytes, call: Call) -> None:
        """Send a request, and feed `call` with what comes."""
        self._clear()
        self._call = call
        self._parser = httptools.HttpResponseParser(self)
        self._done = asyncio.get_running_loop().create_future()
        self.reusable = False  # until the reply is over
        if self._transport is None:
            raise Broken(failures.Disconnected, "the line was closed")
        self._transport.write(request)

    async def reply(self) -> None:
        """Return when the reply is over; cancel it and call `close`."""
        if self._done is not None:
            await self._done

    def rest(self) -> None:
        """Feed no more, whatever still comes."""
        let_go(self)
        self._call = self._done = self._parser = None
        self._body.clear()

    def close(self) -> None:
        """Hang up at once."""
        self.reusable = False
        if self._transport is not None:
            self._transport.abort()

    # --- the transport's calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to write to."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        """One read. This runs for every token."""
        call, parser, done = self._call, self._parser, self._done
        if call is None or parser is None or done is None or done.done():
            return self.close()  # nobody asked
        try:
            try:
                parser.feed_data(data)
            except httptools.HttpParserError as error:
                kind = failures.CutOff if call.answered else failures.NotHttp
                raise Broken(kind, error) from error
            if not call.answered:
                self._bound_head(len(data))
            body = self._body
            if body:
                piece = body[0] if len(body) == 1 else b"".join(body)
                body.clear()
                self._read(call, piece)
                if call.state == SPEAKING:
                    self._gather.hold(self)
            if self._complete:
                self._finish(call)
        except Exception as error:  # noqa: BLE001  # whatever it is, the call gets it
            if not done.done():
                done.set_exception(error)
        return None

    def eof_received(self) -> None:
        """Nothing: the transport closes itself, and `connection_lost` tells."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The line is gone: the end of a body without a length, or a break."""
        self._transport = self.socket = None
        self.reusable = False
        call, done = self._call, self._done
        if call is None or done is None or done.done():
            return
        try:
            if not call.answered:
                raise Broken(failures.Disconnected, exc or "hung up before the answer")
            if self._framed or exc is not None:
                if not self._streams:
                    raise self._other()
                raise Broken(failures.CutOff, exc or "hung up within the answer")
            self._finish(call)
        except Exception as error:  # noqa: BLE001  # whatever it is, the call gets it
            done.set_exception(error)

    # --- the parser's calls ---

    def on_status(self, status: bytes) -> None:
        """The reason of the status line says nothing that the number does not."""

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; of several with one name the last."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1").strip()

    def on_headers_complete(self) -> None:
        """The head of the answer is whole (or of a note before it, such as 103)."""
        if self._parser is None or self._call is None:
            return
        self._status = self._parser.get_status_code()
        if self._status < 200:
            self._headers.clear()
            return
        self._call.answered = True
        self._streams = streams(self._status, self._kind())
        headers = self._headers
        self._framed = "content-length" in headers or "transfer-encoding" in headers
        packing = headers.get("content-encoding", "identity").lower()
        if packing in ("gzip", "deflate"):
            self._unzip = zlib.decompressobj(wbits=47).decompress  # either, as its first bytes say
        elif packing != "identity":
            self._streams = False

    def on_message_complete(self) -> None:
        """The answer is over."""
        if self._parser is not None and self._status >= 200:
            self._complete = True
            self.reusable = self._framed and self._parser.should_keep_alive()

    # --- between the two ---

    def _read(self, call: Call, piece: bytes) -> None:
        if self._unzip is not None:
            try:
                piece = self._unzip(piece)
            except zlib.error as error:
                raise Broken(failures.CutOff, error) from error
        if self._streams:
            call.take(piece)
            return
        self._document += piece
        if len(self._document) >= ERROR_BYTES_MAX:
            raise self._other()

    def _finish(self, call: Call) -> None:
        if not self._streams:
            raise self._other()
        if call is self._call and self._done is not None:
            self._done.set_result(None)

    def _kind(self) -> str:
        return self._headers.get("content-type", "").partition(";")[0].strip().lower()

    def _other(self) -> ModelFailure:
        told = {"Retry-After": self._headers.get("retry-after", "")}
        return not_streamed(self._status, self._kind(), told, self._document[:ERROR_BYTES_MAX])

    def _bound_head(self, size: int) -> None:
        self._head_left -= size
        if self._head_left < 0:
            raise Broken(failures.NotHttp, "more than 64 KB of headers")


def _head(url: URL, headers: Mapping[str, str], size: int) -> bytes:
    host = url.host_port_subcomponent or ""
    lines = [f"POST {url.raw_path_qs} HTTP/1.1", f"Host: {host}", f"Content-Length: {size}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if any(_CONTROL.search(line) for line in lines):
        raise ValueError("A header or the address of the model has a control character in it.")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


async def _socket(host: str, port: int) -> socket.socket:
    """A connected socket to whichever address of `host` answers first."""
    loop = asyncio.get_running_loop()
    try:  # an address needs no thread to be looked up
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    ready = await aiohappyeyeballs.start_connection(  # pyright: ignore[reportUnknownMemberType]
        found, happy_eyeballs_delay=SECOND_ADDRESS_S, interleave=1, loop=loop
    )
    ready.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return ready
