"""A line between the browser and the server that can be cut or go silent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

PIECE_BYTES = 65_536


class Line:
    """A TCP proxy in front of `url`. `down` refuses new connections, `silent` passes nothing."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 0)
        self._open: set[asyncio.StreamWriter] = set()
        self._loud = asyncio.Event()
        self._loud.set()
        self.down = False
        self.connections = 0
        self.url = ""

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncGenerator[Line]:
        """Listen on a free loopback port until the block ends."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            self.speak()
            self.cut()

    def cut(self) -> None:
        """Reset every open connection."""
        for writer in list(self._open):
            writer.transport.abort()

    def hush(self) -> None:
        """From now on nothing passes on the connections there are; they stay open."""
        self._loud.clear()

    def speak(self) -> None:
        """New connections pass again; those that were silent stay so until they are cut."""
        self._loud = asyncio.Event()
        self._loud.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.down:
            writer.transport.abort()
            return
        self.connections += 1
        there, to_there = await asyncio.open_connection(*self._target)
        self._open |= {writer, to_there}
        loud = self._loud
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, to_there, loud))
                both.create_task(self._pass(there, writer, loud))
        finally:
            self._open -= {writer, to_there}
            writer.transport.abort()
            to_there.transport.abort()

    async def _pass(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, loud: asyncio.Event
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await source.read(PIECE_BYTES):
                await loud.wait()
                target.write(piece)
                await target.drain()
        target.transport.abort()
