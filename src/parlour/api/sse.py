"""Event streams over HTTP: one cursor, one encoder, batched bytes.

The loop per stream is: take what is new, encode it, hand it to the server, wait to be woken. There
is no timer, queue or task per token. A shared watch (`StreamWatch`) beats once a second for
all streams of the process: it sends keep-alives to quiet ones, asks the store whether a quiet turn
has been overtaken, and drops readers that take nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from parlour.chat.reading import Reading
from parlour.events.log import UnknownPosition
from parlour.telemetry.metrics import Metrics

log = structlog.get_logger("parlour.sse")

KEEP_ALIVE_S = 10  # proxies drop a stream that is idle for 30 to 60 s
QUIET_S = 4  # without an event; then the store is asked whether the turn ended elsewhere
KEEP_ALIVE = b": keep-alive\n\n"
HEADERS = {
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",  # nginx would hold the stream back
}

Overtaken = Callable[[Reading], Awaitable[Reading | None]]


class _Cut(Exception):
    """End the connection without ending the response, so that the client sees a broken line."""


class Encoder(Protocol):
    """Events as the bytes of one protocol. One object per stream; it may keep state."""

    def reset(self, reason: str) -> bytes | None:
        """The stream starts over from its first event; None = this protocol has to be cut."""
        ...

    def encode(self, payloads: list[bytes], first: int) -> bytes:
        """Events as they stand on the log; `first` is the sequence number of the first one."""
        ...

    def end(self) -> bytes:
        """After the last event."""
        ...

    def reconnect(self) -> bytes | None:
        """The server is going away: come back and continue; None = cut, as for `reset`."""
        ...


class StreamWatch:
    """All open streams of the process. `close` asks them to reconnect."""

    def __init__(self, *, stall_s: float, metrics: Metrics) -> None:
        self.closing = False
        self._stall_s = stall_s
        self._metrics = metrics
        self._streams: set[EventStream] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.create_task(self._watch(), name="stream watch")

    async def close(self) -> None:
        """Tell all readers to reconnect elsewhere, and stop watching."""
        self.closing = True
        for stream in tuple(self._streams):
            stream.wake()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @contextlib.contextmanager
    def watching(self, stream: EventStream):
        """Count `stream` in while it is open."""
        self._streams.add(stream)
        self._metrics.streams_open.inc()
        try:
            yield
        finally:
            self._streams.discard(stream)
            self._metrics.streams_open.dec()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(1)
            now = time.monotonic()
            for stream in tuple(self._streams):
                if stream.sending_since and now - stream.sending_since > self._stall_s:
                    self._metrics.streams_dropped.inc()
                    stream.drop()
                elif now - stream.moved_at >= QUIET_S:
                    stream.wake()


class EventStream(Response):
    """One reader's HTTP response."""

    media_type = "text/event-stream"

    def __init__(
        self,
        reading: Reading,
        encoder: Encoder,
        *,
        watch: StreamWatch,
        overtaken: Overtaken,
        headers: Mapping[str, str] | None = None,
        on_gone: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({**HEADERS, **(headers or {})})
        self.sending_since = 0.0  # monotonic; 0 = nothing is being sent
        self.moved_at = time.monotonic()
        self._reading = reading
        self._encoder = encoder
        self._watch = watch
        self._overtaken = overtaken
        self._on_gone = on_gone
        self._beat_at = self.moved_at
        self._gone = False
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the turn ends, the reader goes, or the server does."""
        gone = asyncio.create_task(self._await_gone(receive))
        self._task = asyncio.current_task()
        try:
            with self._watch.watching(self):
                await send(
                    {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
                )
                await self._pump(send)
        except _Cut:
            log.info("stream_cut")
        finally:
            gone.cancel()
            self._reading.cursor.log.drop(self._reading.cursor)
            if self._gone and self._on_gone:
                await self._on_gone()

    def wake(self) -> None:
        """Look again: at the clock, the turn, or the server's state."""
        self._reading.cursor.wake()

    def drop(self) -> None:
        """The reader takes nothing: let go of it. It can come back and continue."""
        if self._task:
            self._task.cancel()

    async def _await_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self.wake()

    async def _pump(self, send: Send) -> None:
        if self._reading.reset:
            await self._send(send, self._encoder.reset(self._reading.reset))
        while not self._gone:
            cursor = self._reading.cursor
            try:
                batch = cursor.take()
            except UnknownPosition:
                await self._start_over(send)
                continue
            if batch:
                first = cursor.seq - len(batch) + 1
                await self._send(send, self._encoder.encode(batch, first))
                self.moved_at = self._beat_at = time.monotonic()
            elif cursor.ended:
                await self._send(send, self._encoder.end(), more=False)
                return
            elif self._watch.closing:
                await self._send(send, self._encoder.reconnect(), more=False)
                return
            else:
                await self._idle(send)

    async def _idle(self, send: Send) -> None:
        await self._reading.cursor.wait()
        now = time.monotonic()
        if now - self.moved_at < QUIET_S:
            return
        if now - self._beat_at >= KEEP_ALIVE_S:
            self._beat_at = now
            await self._send(send, KEEP_ALIVE)
        if self._reading.cursor.seq < len(self._reading.cursor.log.payloads):
            return
        self.moved_at = now
        await self._start_over(send)

    async def _start_over(self, send: Send) -> None:
        """Read on from another log if there is a better one."""
        newer = await self._overtaken(self._reading)
        if newer is not None:
            self._reading.cursor.log.drop(self._reading.cursor)
            self._reading = newer
            if newer.reset:
                await self._send(send, self._encoder.reset(newer.reset))
        elif self._reading.cursor.log.broken:
            raise _Cut  # nothing to go on with here; the client comes back and asks again

    async def _send(self, send: Send, body: bytes | None, *, more: bool = True) -> None:
        if body is None:
            raise _Cut
        if not body and more:
            return
        self.sending_since = time.monotonic()
        await send({"type": "http.response.body", "body": body, "more_body": more})
        self.sending_since = 0.0
