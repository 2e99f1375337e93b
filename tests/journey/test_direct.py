"""Streams are the same whether events are written past ASGI, as our server does, or through it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parlour.models.scripted import ScriptedModel
from parlour.settings import Settings
from tests.house import WAIT_S, House, final, house, parse_frames, said, shown

SCRIPT = [
    {"when": "gate", "steps": [{"text": "Before. "}, {"gate": "middle"}, {"text": "After."}]},
    {"when": "", "steps": [{"text": "Hello."}]},
]
SHOWN = "\r\n".join(f"{name}: {value}" for name, value in shown().items())


@pytest.fixture(params=[True, False], ids=["direct", "asgi"])
async def served(
    request: pytest.FixtureRequest, tmp_path: Path, database_url: str
) -> AsyncIterator[House]:
    """One Parlour on our server, one on a server that knows ASGI alone."""
    script = tmp_path / "script.json"
    script.write_text(json.dumps(SCRIPT), encoding="utf-8")
    settings = Settings(
        model=f"scripted:{script}",
        database_url=database_url,  # type: ignore[arg-type]
        data_dir=tmp_path,
        shutdown_s=5,
    )
    async with house(settings, direct=request.param) as it:
        yield it


def scripted(it: House) -> ScriptedModel:
    assert isinstance(it.services.model, ScriptedModel)
    return it.services.model


def ask(thread: str, text: str, version: str = "1.1") -> bytes:
    body = json.dumps({"text": text}).encode()
    head = (
        f"POST /api/threads/{thread}/turns HTTP/{version}\r\nHost: localhost\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n{SHOWN}\r\n\r\n"
    )
    return head.encode() + body


async def connect(it: House) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", int(it.url.rpartition(":")[2]))


def unchunked(raw: bytes) -> bytes:
    """The body of a chunked response, taken apart strictly."""
    _, _, rest = raw.partition(b"\r\n\r\n")
    body = b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        assert rest[length : length + 2] == b"\r\n"
        if not length:
            return body
        body, rest = body + rest[:length], rest[length + 2 :]


async def test_events_before_and_after_a_pause(served: House) -> None:
    reader, writer = await connect(served)
    async with asyncio.timeout(WAIT_S):
        writer.write(ask("c1", "gate"))
        raw = await reader.readuntil(b"Before")
        await scripted(served).reached("middle")
        scripted(served).open("middle")
        raw += await reader.readuntil(b"\r\n0\r\n\r\n")
    frames = parse_frames(unchunked(raw).decode())
    assert [frame.seq for frame in frames] == list(range(1, len(frames) + 1))
    assert said(frames) == "Before. After."
    assert final(frames).status == "done"
    writer.close()


async def test_a_request_that_comes_during_a_stream_is_answered_after_it(served: House) -> None:
    reader, writer = await connect(served)
    async with asyncio.timeout(WAIT_S):
        writer.write(ask("c1", "gate"))
        raw = await reader.readuntil(b"Before")
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        await scripted(served).reached("middle")
        scripted(served).open("middle")
        raw += await reader.read()
    first, _, second = raw.partition(b"\r\n0\r\n\r\n")
    assert said(parse_frames(unchunked(first + b"\r\n0\r\n\r\n").decode())) == "Before. After."
    assert second.startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_the_connection_serves_the_next_turn(served: House) -> None:
    reader, writer = await connect(served)
    async with asyncio.timeout(WAIT_S):
        for number in range(3):
            writer.write(ask(f"c{number}", "hi"))
            raw = await reader.readuntil(b"\r\n0\r\n\r\n")
            assert said(parse_frames(unchunked(raw).decode())) == "Hello."
    writer.close()


async def test_a_client_of_http_1_0_gets_its_answer(served: House) -> None:
    reader, writer = await connect(served)
    async with asyncio.timeout(WAIT_S):
        writer.write(ask("c1", "hi", version="1.0"))
        raw = await reader.read()  # the server closes
    assert b'"type":"finalize"' in raw
    writer.close()


async def test_a_server_that_leaves_tells_its_readers(served: House) -> None:
    reader, writer = await connect(served)
    async with asyncio.timeout(WAIT_S):
        writer.write(ask("c1", "gate"))
        raw = await reader.readuntil(b"Before")
        await scripted(served).reached("middle")
        await served.services.leave()
        raw += await reader.readuntil(b"\r\n0\r\n\r\n")
        scripted(served).open("middle")
    assert parse_frames(unchunked(raw).decode())[-1].event == "reconnect"
    writer.close()
