"""A TCP line that can be bad in every way the network knows; one before each neighbour of Parlour.

It listens on a loopback port and carries connections to a TCP port or a Unix socket. `weather` is
what happens to bytes from now on; `storm` resets what is open.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "fair",
    "refuse",
    "blackhole",  # both ways: bytes go nowhere, nothing is closed
    "deaf",  # half-open: what we send goes nowhere
    "mute",  # half-open: what they send goes nowhere
    "slow",  # latency on each piece
    "thin",  # a small rate
    "slices",  # three bytes at a time
    "cut_after",  # reset after some bytes of the answer
    "lost_reply",  # the request arrives, the answer is cut off
    "flips",  # bits of the answer are turned over
]
KINDS: tuple[Kind, ...] = (
    "refuse",
    "blackhole",
    "deaf",
    "mute",
    "slow",
    "thin",
    "slices",
    "cut_after",
    "lost_reply",
)
PIECE = 65_536
LATENCY_S = 0.15
THIN_BYTES_S = 20_000


@dataclass(frozen=True, slots=True)
class Target:
    """Where a line leads: a Unix socket, or a host and port."""

    path: str = ""
    host: str = "127.0.0.1"
    port: int = 0

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to it."""
        if self.path:
            return await asyncio.open_unix_connection(self.path)
        return await asyncio.open_connection(self.host, self.port)


class Link:
    """One line; see the module."""

    def __init__(self, name: str, target: Target, seed: int) -> None:
        self.name = name
        self.weather: Kind = "fair"
        self.port = 0
        self._target = target
        self._chance = random.Random(seed)
        self._writers: set[asyncio.StreamWriter] = set()
        self._cleared = asyncio.Event()
        self._cleared.set()

    def set(self, kind: Kind) -> None:
        """Change the weather; some kinds break what is open, too."""
        self.weather = kind
        if kind == "fair":
            self._cleared.set()
        else:
            self._cleared.clear()
        if kind == "refuse":
            self.storm()

    def storm(self) -> None:
        """Reset every open connection."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        if self.weather == "refuse":
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await self._target.open()
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._writers |= ends
        pumps = (
            asyncio.create_task(self._pump(reader, far_writer, answer=False)),
            asyncio.create_task(self._pump(far_reader, writer, answer=True)),
        )
        try:
            # A side that ends ends the other one, as no protocol here goes on half closed.
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._writers -= ends
            for end in ends:
                end.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answer: bool
    ) -> None:
        left = self._chance.randrange(200, 4_000)  # for cut_after
        with contextlib.suppress(ConnectionError, TimeoutError):
            while data := await reader.read(PIECE):
                kind = self.weather
                if kind == "blackhole" or kind == ("mute" if answer else "deaf"):
                    await self._cleared.wait()
                    return  # what was swallowed is missing, so the line is of no use any more
                if kind == "lost_reply" and answer:
                    return
                if kind == "cut_after" and answer:
                    left -= len(data)
                    if left < 0:
                        writer.write(data[: len(data) // 2])
                        return
                await self._send(writer, data, kind, answer=answer)

    async def _send(
        self, writer: asyncio.StreamWriter, data: bytes, kind: Kind, *, answer: bool
    ) -> None:
        if kind == "slow":
            await asyncio.sleep(LATENCY_S)
        elif kind == "thin":
            await asyncio.sleep(min(1.0, len(data) / THIN_BYTES_S))
        elif kind == "flips" and answer:
            place = self._chance.randrange(len(data))
            data = data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]
        elif kind == "slices":
            for start in range(0, min(len(data), 300), 3):
                writer.write(data[start : start + 3])
                await asyncio.sleep(0)
            data = data[300:]
        writer.write(data)
        await writer.drain()


@contextlib.asynccontextmanager
async def link(name: str, target: Target, seed: int) -> AsyncIterator[Link]:
    """A link that is up; its `port` on loopback is where to connect."""
    it = Link(name, target, seed)
    server = await asyncio.start_server(it.carry, "127.0.0.1", 0)
    it.port = server.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        server.close()
        it.storm()
