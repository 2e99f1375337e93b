"""The HTTP seam: what closes, what is kept, and which limit ends what."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from yarl import URL

from parlour.models.bounds import WireLimits
from parlour.models.failures import (
    ConnectTimeout,
    FirstByteTimeout,
    ModelFailure,
    TlsFailed,
    TotalTimeout,
    Unreachable,
)
from parlour.models.openai import OpenAIModel
from parlour.models.port import ModelRequest
from parlour.models.wire import DONE, FINISHED, OPEN, Wire
from tests.upstream import Reply, Upstream

HEADERS = {"Content-Type": "application/json"}


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as server:
        yield server


MakeWire = Callable[..., Wire]


@pytest_asyncio.fixture(params=[False, True], ids=["own", "proxied"])
async def make_wire(request: pytest.FixtureRequest) -> AsyncIterator[MakeWire]:
    """Wires of the own client, and of the one that otherwise only proxies need."""
    made: list[Wire] = []

    def make(**limits: float) -> Wire:
        made.append(Wire(WireLimits(**limits), plain_client=request.param))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for wire in made:
        await wire.close()


@pytest.fixture
def wire(make_wire: MakeWire) -> Wire:
    return make_wire(connect_s=0.3, first_byte_s=2, idle_s=2, total_s=5)


class Feed:
    """Says DONE once `end` is in what came, FINISHED once `finish` is."""

    def __init__(self, finish: bytes = b"finish_reason", end: bytes = b"[DONE]") -> None:
        self.data = b""
        self.heard = asyncio.Event()
        self._finish = finish
        self._end = end

    def __call__(self, data: bytes) -> int:
        self.data += data
        self.heard.set()
        if self._end in self.data:
            return DONE
        return FINISHED if self._finish in self.data else OPEN


def chat(upstream: Upstream) -> URL:
    return URL(upstream.openai_url + "/chat/completions")


async def test_cancelling_in_the_middle_closes_the_connection(
    upstream: Upstream, wire: Wire
) -> None:
    upstream.next(Reply(text=["x"] * 10, hold_at=3))
    feed = Feed()
    task = asyncio.create_task(wire.post(chat(upstream), headers=HEADERS, body=b"{}", feed=feed))
    await feed.heard.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await upstream.until(lambda: upstream.connections == 0, within_s=1)
    assert upstream.aborted == 1
    assert upstream.tokens_sent <= 3


async def test_cancelling_before_the_first_byte_closes_the_connection(
    upstream: Upstream, wire: Wire
) -> None:
    upstream.next(Reply(fault="silent"))
    task = asyncio.create_task(wire.post(chat(upstream), headers=HEADERS, body=b"{}", feed=Feed()))
    await upstream.until(lambda: upstream.streaming == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await upstream.until(lambda: upstream.connections == 0, within_s=1)


async def test_a_cancellation_is_never_taken_for_a_limit(
    upstream: Upstream, make_wire: MakeWire
) -> None:
    wire = make_wire(first_byte_s=0.2)
    upstream.next(Reply(fault="silent"))
    task = asyncio.create_task(wire.post(chat(upstream), headers=HEADERS, body=b"{}", feed=Feed()))
    await upstream.until(lambda: upstream.streaming == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_a_connection_is_used_again_after_a_whole_reply(
    upstream: Upstream, wire: Wire
) -> None:
    for _ in range(3):
        await wire.post(chat(upstream), headers=HEADERS, body=b"{}", feed=Feed(b"never"))
    assert len(upstream.requests) == 3
    assert upstream.accepted == 1


async def test_a_hundred_and_fifty_calls_go_out_side_by_side(
    upstream: Upstream, make_wire: MakeWire
) -> None:
    wire = make_wire()
    upstream.next(*[Reply(text=["x"], hold_at=1) for _ in range(150)])
    calls = [
        asyncio.create_task(wire.post(chat(upstream), headers=HEADERS, body=b"{}", feed=Feed()))
        for _ in range(150)
    ]
    await upstream.until(lambda: upstream.streaming == 150)
    upstream.release.set()
    await asyncio.gather(*calls)


async def test_a_reply_that_is_done_does_not_wait_for_the_line_to_close(
    upstream: Upstream, wire: Wire
) -> None:
    # "w1" plays the end mark; the provider then keeps the line open for ever.
    upstream.next(Reply(text=["w0", "w1"], hold_at=2))
    async with asyncio.timeout(1):
        await wire.post(chat(upstream), headers=HEADERS, body=b"{}", feed=Feed(end=b"w1"))
    await upstream.until(lambda: upstream.connections == 0)


async def test_a_break_after_the_finish_reason_is_no_failure(
    upstream: Upstream, wire: Wire
) -> None:
    upstream.next(Reply(text=["w0", "w1", "w2"], fault="cut_rst", at=2))
    feed = Feed(finish=b"w1")
    await wire.post(chat(upstream), headers=HEADERS, body=b"{}", feed=feed)
    assert b"w1" in feed.data


async def test_the_total_limit_holds_while_bytes_keep_coming(
    upstream: Upstream, make_wire: MakeWire
) -> None:
    wire = make_wire(first_byte_s=5, idle_s=5, total_s=0.2)
    upstream.next(Reply(fault="trickle"))
    with pytest.raises(TotalTimeout):
        await wire.post(chat(upstream), headers=HEADERS, body=b"{}", feed=Feed(b"never"))


async def test_a_slow_but_steady_reply_is_not_idle(upstream: Upstream, make_wire: MakeWire) -> None:
    wire = make_wire(idle_s=0.15)
    upstream.next(Reply(text=["x"] * 8, gap_s=0.05))
    await wire.post(chat(upstream), headers=HEADERS, body=b"{}", feed=Feed(b"never"))


async def test_nothing_listens(wire: Wire) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Unreachable):
        await wire.post(URL(f"http://127.0.0.1:{port}/"), headers={}, body=b"", feed=Feed())


async def test_no_such_host(wire: Wire) -> None:
    with pytest.raises((Unreachable, ConnectTimeout)):
        await wire.post(URL("http://no.such.host.invalid/"), headers={}, body=b"", feed=Feed())


async def test_a_connection_that_nobody_accepts_times_out(wire: Wire) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        address = deaf.getsockname()
        fillers = [socket.socket() for _ in range(4)]  # fill the queue of those who wait
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        with pytest.raises(ConnectTimeout):
            await wire.post(
                URL(f"http://127.0.0.1:{address[1]}/"), headers={}, body=b"", feed=Feed()
            )
        for filler in fillers:
            filler.close()


async def test_no_secure_connection_to_a_plain_server(upstream: Upstream, wire: Wire) -> None:
    with pytest.raises(TlsFailed):
        await wire.post(
            URL(f"https://127.0.0.1:{upstream.port}/"), headers={}, body=b"", feed=Feed()
        )


async def test_the_first_byte_is_one_of_the_body(upstream: Upstream, make_wire: MakeWire) -> None:
    wire = make_wire(first_byte_s=0.2, idle_s=30)
    upstream.next(Reply(fault="headers_only"))
    with pytest.raises(FirstByteTimeout):
        await wire.post(chat(upstream), headers=HEADERS, body=b"{}", feed=Feed())


async def test_a_failure_leaves_no_connection_behind(upstream: Upstream) -> None:
    model = OpenAIModel("m", base_url=upstream.openai_url)
    for fault in ("bad_json", "error_event", "server_error", "html"):
        upstream.next(Reply(fault=fault))
        with pytest.raises(ModelFailure):
            await model.stream(ModelRequest([{"role": "user", "content": "x"}]), _Deaf())
    await upstream.until(lambda: upstream.streaming == 0)
    assert upstream.connections <= 1  # at most an idle one for the next call
    await model.close()


class _Deaf:
    def text(self, text: str) -> None: ...

    def reasoning(self, text: str) -> None: ...

    def flush(self) -> None: ...
