"""What our own HTTP client makes of answers that tests/upstream.py does not give."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from yarl import URL

from parlour.models.bounds import WireLimits
from parlour.models.failures import CutOff, Disconnected, NotAStream, NotHttp, RateLimited
from parlour.models.wire import OPEN, Wire

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


@dataclass
class Server:
    """Answers every request with the same bytes, and hangs up after it when told to."""

    port: int = 0
    requests: list[bytes] = field(default_factory=list[bytes])
    accepted: int = 0
    left: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    @property
    def url(self) -> URL:
        return URL(f"http://127.0.0.1:{self.port}/v1/chat?key=a%20b")


@asynccontextmanager
async def serving(*pieces: bytes, hang_up: bool = False) -> AsyncIterator[Server]:
    it = Server()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        it.accepted += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                it.requests.append(head)
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                if hang_up:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            it.left.release()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    it.port = server.sockets[0].getsockname()[1]
    async with server:
        yield it


async def read(server: Server, wire: Wire | None = None) -> bytes:
    heard: list[bytes] = []

    def feed(data: bytes) -> int:
        heard.append(data)
        return OPEN

    used = wire or Wire(WireLimits(first_byte_s=5, idle_s=5))
    try:
        await used.post(server.url, headers={"X-Key": "k"}, body=b"", feed=feed)
    finally:
        if wire is None:
            await used.close()
    return b"".join(heard)


async def test_the_request_is_what_http_wants() -> None:
    async with serving(HEAD + b"Content-Length: 2\r\n\r\nhi") as server:
        assert await read(server) == b"hi"
    lines = server.requests[0].decode().split("\r\n")
    assert lines[0] == "POST /v1/chat?key=a%20b HTTP/1.1"
    assert f"Host: 127.0.0.1:{server.port}" in lines
    assert "Content-Length: 0" in lines
    assert "X-Key: k" in lines


async def test_a_header_cannot_smuggle_a_line() -> None:
    wire = Wire(WireLimits())
    with pytest.raises(ValueError, match="control character"):
        await wire.post(
            URL("http://127.0.0.1:9/"), headers={"X": "a\r\nY: b"}, body=b"", feed=lambda _: OPEN
        )


async def test_a_body_without_a_length_ends_with_the_line() -> None:
    async with serving(HEAD + b"\r\n", b"one", b"two", hang_up=True) as server:
        assert await read(server) == b"onetwo"


async def test_a_body_that_is_shorter_than_told_is_cut() -> None:
    async with serving(HEAD + b"Content-Length: 9\r\n\r\nhi", hang_up=True) as server:
        with pytest.raises(CutOff):
            await read(server)


async def test_a_note_before_the_answer_is_not_the_answer() -> None:
    note = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    async with serving(note, HEAD + b"Content-Length: 2\r\n\r\nhi") as server:
        assert await read(server) == b"hi"


async def test_a_server_that_compresses_unasked_is_understood() -> None:
    body = gzip.compress(b"data: hello\n\n")
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with serving(head, body[:10], body[10:]) as server:
        assert await read(server) == b"data: hello\n\n"


async def test_a_packing_that_was_not_asked_for_and_is_not_known() -> None:
    async with serving(HEAD + b"Content-Encoding: br\r\nContent-Length: 2\r\n\r\nhi") as server:
        with pytest.raises(NotAStream):
            await read(server)


async def test_headers_have_a_bound() -> None:
    flood = [b"X-%d: " % n + b"x" * 8_000 + b"\r\n" for n in range(10)]
    async with serving(b"HTTP/1.1 200 OK\r\n", *flood) as server:
        with pytest.raises(NotHttp):
            await read(server)


async def test_a_refusal_that_is_cut_off_is_still_a_refusal() -> None:
    answer = b"HTTP/1.1 429 No\r\nRetry-After: 3\r\nContent-Length: 99\r\n\r\n{}"
    async with serving(answer, hang_up=True) as server:
        with pytest.raises(RateLimited) as caught:
            await read(server)
    assert caught.value.retry_after_s == 3


async def test_a_server_that_says_close_is_not_asked_again_on_that_line() -> None:
    wire = Wire(WireLimits())
    async with serving(HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\nhi") as server:
        for _ in range(2):
            assert await read(server, wire) == b"hi"
        assert server.accepted == 2
    await wire.close()


async def test_a_kept_line_that_was_closed_meanwhile_is_not_used() -> None:
    wire = Wire(WireLimits())
    async with serving(HEAD + b"Content-Length: 2\r\n\r\nhi", hang_up=True) as server:
        for _ in range(3):
            assert await read(server, wire) == b"hi"
            async with asyncio.timeout(5):
                await server.left.acquire()
            for _ in range(5):  # passes of the loop, in which the line hears of it
                await asyncio.sleep(0)
        assert server.accepted == 3
    await wire.close()


async def test_a_line_that_closes_before_the_answer() -> None:
    async with serving(hang_up=True) as server:
        with pytest.raises(Disconnected):
            await read(server)
