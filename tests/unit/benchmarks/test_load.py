import asyncio
from collections.abc import AsyncIterator

import pytest

from benchmarks import load, wire
from benchmarks.upstream import Mock, Provider


@pytest.fixture
async def upstream() -> AsyncIterator[tuple[Mock, load.Address]]:
    mock = Mock()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Provider(mock), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield mock, load.Address("127.0.0.1", port, wire.UPSTREAM)
    server.close()


async def test_turns_follow_each_other_on_one_connection(
    upstream: tuple[Mock, load.Address],
) -> None:
    mock, address = upstream
    report = await load.turns(address, clients=2, seconds=0.1)
    assert report.turns == mock.stats.requests > 2
    assert not report.errors


async def test_streams_are_counted_in_the_window_and_checked_to_the_end(
    upstream: tuple[Mock, load.Address],
) -> None:
    mock, address = upstream
    plan = load.Plan(streams=5, rate=100, ramp_s=0.05, settle_s=0.05, window_s=0.2)
    seen: list[bool] = []
    report = await load.streams(address, plan, seen.append)
    assert seen == [True, False]
    assert (report.complete, report.errors) == (5, {})
    assert 0 < report.tokens < 5 * plan.tokens
    assert mock.stats.report(reset=True)["finished"] == 5
    assert mock.stats.open == mock.stats.aborted == 0


async def test_a_reader_that_leaves_is_counted_as_aborted(
    upstream: tuple[Mock, load.Address],
) -> None:
    mock, address = upstream
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(wire.UPSTREAM.request(wire.Ask(0, "t", 30, 1000)))
    await reader.readuntil(b"^Sales")
    assert mock.stats.open == 1
    writer.close()
    async with asyncio.timeout(5):
        while mock.stats.open:  # noqa: ASYNC110 - a closed socket sets no event of ours
            await asyncio.sleep(0)
    assert mock.stats.aborted == 1


async def test_a_server_that_is_not_there_is_an_error_of_every_stream() -> None:
    nowhere = load.Address("127.0.0.1", 1, wire.UPSTREAM)
    plan = load.Plan(streams=3, rate=100, ramp_s=0.01, settle_s=0.0, window_s=0.05)
    assert (await load.streams(nowhere, plan)).errors == {"no reply": 3}
