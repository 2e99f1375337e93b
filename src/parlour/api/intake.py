"""How a request may arrive: within a time, and with a head of bounded size.

uvicorn waits for ever for the rest of a request and keeps a head of any length, before anybody has
said who they are. A proxy in front has such bounds; a Parlour without one needs its own. Bodies are
bounded in edge.py.
"""

from __future__ import annotations

import asyncio

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

log = structlog.get_logger("parlour.http")

HEAD_BYTES_MAX = 65_536  # tokens and cookies fit many times; nginx takes 32 KB by default
ARRIVAL_S = 60.0  # a megabyte over a bad line takes half of it


class Intake(HttpToolsProtocol):
    """uvicorn's HTTP protocol; a request that does not arrive in bounds ends its connection."""

    head_bytes_max = HEAD_BYTES_MAX
    arrival_s = ARRIVAL_S

    _timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first request has its time from here on."""
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is expected any more."""
        self._arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes: of a request under way, else of the next one."""
        if not self._answering():
            self._expect()
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > self.head_bytes_max:
                self._end(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        self._expect()

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """It is whole; how long its answer takes is another matter."""
        self._arrived()
        super().on_message_complete()

    def _expect(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.arrival_s, self._late)

    def _arrived(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self._end(b"408 Request Timeout")

    def _end(self, status: bytes) -> None:
        """Hang up, with a word where a request has begun and no answer has."""
        log.info("request_not_taken", reason=status.decode(), head_bytes=self._head_bytes)
        if self._in_head and self._head_bytes and not self._answering():
            self.transport.write(
                b"HTTP/1.1 %b\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status
            )
        self.transport.close()

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete  # pyright: ignore[reportUnnecessaryComparison]
