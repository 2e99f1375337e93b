"""How a request may arrive, and from where, before anybody has said who they are."""

from __future__ import annotations

import asyncio

import pytest

from parlour.api.intake import HEAD_BYTES_MAX, Intake
from tests.house import WAIT_S, House

ASK = b"GET /api/me HTTP/1.1\r\nHost: localhost\r\n"
POST = (
    b"POST /api/threads HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: application/json\r\nContent-Length: 500\r\n\r\n"
)


async def connect(it: House) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", int(it.url.rpartition(":")[2]))


async def until_hung_up(it: House, sent: bytes) -> bytes:
    """All that is said on a connection on which `sent` arrives, until the server hangs up."""
    reader, writer = await connect(it)
    try:
        writer.write(sent)
        return await asyncio.wait_for(reader.read(), WAIT_S)
    finally:
        writer.close()


def asked_with(head_bytes: int) -> bytes:
    end = b"Connection: close\r\n\r\n"
    padding = b"X-Padding: %b\r\n"
    return ASK + padding % (b"a" * (head_bytes - len(ASK + end + padding % b""))) + end


async def test_a_head_within_the_bound_is_read(hello: House) -> None:
    answer = await until_hung_up(hello, asked_with(HEAD_BYTES_MAX))
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_head_that_does_not_end_within_the_bound_is_refused(hello: House) -> None:
    unended = asked_with(HEAD_BYTES_MAX + 3)[:-2]
    answer = await until_hung_up(hello, unended)
    assert answer.startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("sent", [b"", ASK, POST + b"{"], ids=["nothing", "head", "body"])
async def test_a_request_that_does_not_arrive_ends_its_connection(
    hello: House, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Intake, "arrival_s", 0.1)
    answer = await until_hung_up(hello, sent)
    assert answer.partition(b"\r\n")[0] == (b"HTTP/1.1 408 Request Timeout" if sent == ASK else b"")


async def test_an_answer_may_take_longer_than_its_request(
    hello: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Intake, "arrival_s", 0.1)
    reader, writer = await connect(hello)
    try:
        for _ in range(2):  # the second on a connection that has lain idle
            writer.write(ASK + b"\r\n")
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_S)
            assert head.startswith(b"HTTP/1.1 200 ")
            size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(size)
            # Nothing is expected on this connection now; on another, time runs out meanwhile.
            assert await until_hung_up(hello, b"") == b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example"]
)
async def test_without_a_secret_pages_from_elsewhere_are_refused(hello: House, origin: str) -> None:
    status, problem = await hello.get("/api/me", origin=origin)
    assert (status, problem["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    "origin", ["http://localhost:3000", "http://127.0.0.1", "http://[::1]:5173"]
)
async def test_without_a_secret_pages_of_this_machine_are_served(hello: House, origin: str) -> None:
    status, _ = await hello.get("/api/me", origin=origin)
    assert status == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "[", "10.0.0.1:80"])
async def test_without_a_secret_other_names_are_refused(hello: House, host: str) -> None:
    status, problem = await hello.get("/api/me", host=host)
    assert (status, problem["code"]) == (403, "forbidden")


async def test_what_is_private_is_kept_by_no_cache(hello: House) -> None:
    async with hello.http.get(f"{hello.url}/api/threads") as response:
        assert response.headers["cache-control"] == "no-store"
    async with hello.http.get(f"{hello.url}/") as response:
        assert response.headers["cache-control"] != "no-store" or response.status == 503
