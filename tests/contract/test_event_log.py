"""What every event log promises, whoever keeps it and wherever the reader is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parlour.events.log import READ_BYTES_MAX, EventLog, TurnLog, UnknownPosition
from parlour.events.memory import MemoryEventLog
from parlour.events.redis import Bounds, RedisEventLog
from parlour.events.types import Finalize, Token, ToolCall, decode, encode

LIMIT_S = 5
KINDS = ("memory", "redis", "redis, read elsewhere")


@dataclass
class Place:
    """Where a turn runs, and where it is read."""

    owner: EventLog
    reader: EventLog

    async def attach(self, turn: str, *, after: int = 0) -> TurnLog:
        log = await self.reader.attach(turn, after=after, wait_s=LIMIT_S)
        assert log is not None
        return log


@asynccontextmanager
async def a_place(kind: str, redis_url: str, *, keep_max: int = 1_000) -> AsyncIterator[Place]:
    prefix = f"test-{uuid4().hex}"
    bounds = Bounds(keep_max=keep_max, flush_s=0.002)
    async with AsyncExitStack() as stack:

        async def started(log: EventLog) -> EventLog:
            await log.start()
            stack.push_async_callback(log.close)
            return log

        if kind == "memory":
            owner = reader = await started(MemoryEventLog(keep_max=keep_max))
        else:
            owner = await started(RedisEventLog(redis_url, prefix=prefix, bounds=bounds))
            reader = owner
        if kind == "redis, read elsewhere":
            reader = await started(RedisEventLog(redis_url, prefix=prefix, bounds=bounds))
        yield Place(owner, reader)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def place(kind: str, redis_url: str) -> AsyncIterator[Place]:
    async with a_place(kind, redis_url) as place:
        yield place


async def read(log: TurnLog, after: int = 0) -> list[bytes]:
    """All events after `after` until the log ends."""
    events: list[bytes] = []
    async with asyncio.timeout(LIMIT_S):
        with log.cursor(after) as cursor:
            while not cursor.ended:
                events += cursor.take()
                await cursor.wait()
    return events


async def let_others_run() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def say(log: TurnLog, *texts: str) -> None:
    for text in texts:
        log.append(Token(text=text))
        log.flush()


def finish(log: TurnLog) -> None:
    log.append(Finalize(status="done"))
    log.close()


async def test_events_are_numbered_from_one_without_gaps(place: Place) -> None:
    log = place.owner.create("turn")
    assert [log.append(Token(text="word")) for _ in range(100)] == list(range(1, 101))


async def test_a_reader_gets_the_bytes_that_were_said(place: Place) -> None:
    log = place.owner.create("turn")
    awkward = ['"', "\\", "\n", "\r\n\n", "\x00", "é", "🦉", "\u2028", "{}", " "]
    say(log, *awkward)
    call = ToolCall(call_id="1", name="n", title="t", arguments={"a": ["\n", {"b": "\n\n"}]})
    log.append(call)
    finish(log)
    events = await read(await place.attach("turn"))
    assert events == log.payloads
    assert [decode(event) for event in events] == [
        *(Token(text=text) for text in awkward),
        call,
        Finalize(status="done"),
    ]


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(batches=st.lists(st.lists(st.text(min_size=1, max_size=20), max_size=8), max_size=6))
async def test_resuming_after_any_event_gives_exactly_the_rest(
    batches: list[list[str]], place: Place
) -> None:
    turn = uuid4().hex
    log = place.owner.create(turn)
    say(log, "first")
    live = asyncio.create_task(read(await place.attach(turn)))
    for batch in batches:
        for text in batch:
            log.append(Token(text=text))
        log.flush()
        await let_others_run()
    finish(log)
    assert await live == log.payloads
    there = await place.attach(turn)
    for after in range(len(log.payloads) + 1):
        assert await read(there, after) == log.payloads[after:]


async def test_a_place_the_log_never_had_is_refused(place: Place) -> None:
    say(place.owner.create("turn"), "one", "two")
    there = await place.attach("turn", after=2)
    for after in (-1, 3, 1_000_000):
        with pytest.raises(UnknownPosition):
            there.cursor(after)
    assert there.readers == 0


async def test_attaching_waits_for_what_the_reader_has_seen_elsewhere(place: Place) -> None:
    log = place.owner.create("turn")
    say(log, *"abc")
    there = await place.attach("turn", after=3)
    say(log, *"defgh")
    assert await place.attach("turn", after=8) is there
    assert there.cursor(8).take() == []


async def test_a_turn_that_nobody_knows_has_no_log(place: Place) -> None:
    assert await place.reader.attach("no such turn") is None
    assert await place.reader.attach("no such turn", wait_s=0.01) is None


async def test_a_slow_reader_holds_up_nobody(place: Place) -> None:
    log = place.owner.create("turn")
    say(log, "first")
    there = await place.attach("turn")
    with there.cursor() as slow:
        quick = asyncio.create_task(read(there))
        say(log, *(f"word {number}" for number in range(500)))
        finish(log)
        assert await quick == log.payloads
        assert slow.seq == 0
        assert not slow.ended
        assert slow.take() == log.payloads
        assert slow.ended


async def test_a_reader_that_leaves_is_forgotten(place: Place) -> None:
    log = place.owner.create("turn")
    say(log, "first")
    there = await place.attach("turn")
    with there.cursor() as cursor:
        assert there.readers == 1
    assert there.readers == 0
    there.drop(cursor)  # twice is as good as once
    gone = asyncio.create_task(read(there))
    await let_others_run()
    assert there.readers == 1
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert there.readers == 0


async def test_a_closed_log_ends_its_readers(place: Place) -> None:
    log = place.owner.create("turn")
    say(log, "first")
    there = await place.attach("turn")
    readers = [asyncio.create_task(read(there)) for _ in range(20)]
    await let_others_run()
    log.close()
    assert await asyncio.gather(*readers) == [log.payloads] * 20
    assert there.closed
    with there.cursor(1) as late:
        assert late.ended
        await asyncio.wait_for(late.wait(), LIMIT_S)


@pytest.mark.parametrize("excess", [0, 1])
async def test_one_read_is_at_most_256_kb(place: Place, excess: int) -> None:
    log = place.owner.create("turn")
    half = READ_BYTES_MAX // 2 - len(encode(Token(text="")))
    say(log, "a" * half, "b" * (half + excess), "c")
    finish(log)
    there = await place.attach("turn", after=4)
    batches: list[list[bytes]] = []
    with there.cursor() as cursor:
        while not cursor.ended:
            batches.append(cursor.take())
    assert [len(batch) for batch in batches] == ([1, 3] if excess else [2, 2])
    assert [event for batch in batches for event in batch] == log.payloads


async def test_an_event_above_the_bound_is_read_alone(place: Place) -> None:
    log = place.owner.create("turn")
    say(log, "before", "x" * (READ_BYTES_MAX + 1), "after")
    finish(log)
    there = await place.attach("turn", after=4)
    with there.cursor() as cursor:
        assert [len(cursor.take()) for _ in range(4)] == [1, 1, 2, 0]


async def test_a_cursor_wakes_exactly_when_there_is_something(place: Place) -> None:
    log = place.owner.create("turn")
    say(log, "first")
    there = await place.attach("turn")
    with there.cursor() as cursor:
        await asyncio.wait_for(cursor.wait(), LIMIT_S)  # at once: something is unread
        assert len(cursor.take()) == 1
        waiting = asyncio.create_task(cursor.wait())
        await let_others_run()
        assert not waiting.done()
        say(log, "second")
        await asyncio.wait_for(waiting, LIMIT_S)
        assert cursor.take() == log.payloads[1:]
        waiting = asyncio.create_task(cursor.wait())
        await let_others_run()
        assert not waiting.done()
        cursor.wake()  # somebody else wants its attention
        await asyncio.wait_for(waiting, LIMIT_S)
        assert cursor.take() == []
        assert not cursor.ended


@pytest.mark.parametrize("kind", ["memory", "redis"])
async def test_finished_logs_are_kept_in_a_bounded_number(kind: str, redis_url: str) -> None:
    async with a_place(kind, redis_url, keep_max=3) as place:
        running = place.owner.create("running")
        logs = [place.owner.create(f"turn {number}") for number in range(10)]
        for log in logs:
            finish(log)
        kept = [await place.owner.attach(log.turn) for log in logs]
        assert kept[7:] == logs[7:]
        assert all(found is not log for found, log in zip(kept[:7], logs, strict=False))
        assert await place.owner.attach("running") is running


async def test_a_request_to_stop_reaches_the_owner_and_nobody_else(place: Place) -> None:
    stopped: asyncio.Queue[str] = asyncio.Queue()
    elsewhere: list[str] = []
    place.owner.on_stop(stopped.put_nowait)
    if place.reader is not place.owner:
        place.reader.on_stop(elsewhere.append)
    for turn in ("one", "two", "three"):
        place.owner.create(turn)
        await place.reader.request_stop(turn)
        assert await asyncio.wait_for(stopped.get(), LIMIT_S) == turn
    assert stopped.empty()
    assert elsewhere == []


async def test_many_turns_and_many_readers_do_not_mix(place: Place) -> None:
    turns = [f"turn {number}" for number in range(50)]
    logs = {turn: place.owner.create(turn) for turn in turns}
    for log in logs.values():
        say(log, log.turn)

    async def follow(turn: str) -> list[bytes]:
        return await read(await place.attach(turn))

    readers = {turn: [asyncio.create_task(follow(turn)) for _ in range(3)] for turn in turns}
    for number in range(40):
        for log in logs.values():
            say(log, f"{log.turn} says {number}")
        await let_others_run()
    for log in logs.values():
        finish(log)
    for turn, tasks in readers.items():
        assert await asyncio.gather(*tasks) == [logs[turn].payloads] * 3
