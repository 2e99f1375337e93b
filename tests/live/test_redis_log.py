"""The Redis event log on a real Redis that is killed, paused, late or written to by two."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from parlour.errors import Overloaded
from parlour.events.log import LogBroken, TurnLog
from parlour.events.redis import Bounds, RedisEventLog
from parlour.events.types import Finalize, Token
from tests.redis_server import RedisServer

LIMIT_S = 10
QUICK = Bounds(flush_s=0.002)

READ_ALL = """
import asyncio, sys
from parlour.events.redis import RedisEventLog

async def main():
    log = RedisEventLog(sys.argv[1], prefix=sys.argv[2])
    await log.start()
    turn = await log.attach("turn", wait_s=10)
    with turn.cursor() as cursor:
        while not cursor.ended:
            for event in cursor.take():
                sys.stdout.buffer.write(event + b"\\n")
                sys.stdout.flush()
            await cursor.wait()
    await log.close()

asyncio.run(main())
"""


@asynccontextmanager
async def event_log(
    url: str, prefix: str = "live", bounds: Bounds = QUICK
) -> AsyncIterator[RedisEventLog]:
    log = RedisEventLog(url, prefix=prefix, bounds=bounds)
    await log.start()
    try:
        yield log
    finally:
        await log.close()


@pytest.fixture
def prefix() -> str:
    return f"test-{uuid4().hex}"


async def attached(log: RedisEventLog, turn: str = "turn", *, after: int = 0) -> TurnLog:
    found = await log.attach(turn, after=after, wait_s=LIMIT_S)
    assert found is not None
    return found


async def read(log: TurnLog, after: int = 0) -> list[bytes]:
    events: list[bytes] = []
    async with asyncio.timeout(LIMIT_S):
        with log.cursor(after) as cursor:
            while not cursor.ended:
                events += cursor.take()
                await cursor.wait()
    return events


async def until(true: Callable[[], bool]) -> None:
    """Wait for something that nobody announces."""
    async with asyncio.timeout(LIMIT_S):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def say(log: TurnLog, *texts: str) -> None:
    for text in texts:
        log.append(Token(text=text))
    log.flush()


def finish(log: TurnLog) -> None:
    log.append(Finalize(status="done"))
    log.close()


async def test_another_process_reads_the_same_bytes(redis_url: str, prefix: str) -> None:
    async with event_log(redis_url, prefix) as owner:
        log = owner.create("turn")
        say(log, "first\n", "é🦉")
        reader = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", READ_ALL, redis_url, prefix), stdout=asyncio.subprocess.PIPE
        )
        assert reader.stdout is not None
        async with asyncio.timeout(LIMIT_S):
            assert await reader.stdout.readline() == log.payloads[0] + b"\n"
            for number in range(100):  # while it reads
                say(log, f"word {number}\n")
                await asyncio.sleep(0)
            finish(log)
            rest = await reader.stdout.read()
            assert await reader.wait() == 0
    assert rest == b"\n".join(log.payloads[1:]) + b"\n"


async def test_tokens_are_written_in_batches(new_redis: Callable[[], RedisServer]) -> None:
    server = new_redis()
    server.start()
    async with event_log(server.url, bounds=Bounds()) as owner, Redis.from_url(server.url) as redis:
        logs = [owner.create(f"turn {number}") for number in range(10)]
        for number in range(200):
            for log in logs:
                say(log, f"word {number}")
            await asyncio.sleep(0.001)
        for log in logs:
            finish(log)
        tokens = sum(len(log.payloads) for log in logs)
        await owner.close()
        stats = await redis.info("commandstats")
        assert stats["cmdstat_xadd"]["calls"] < tokens / 10
        # Closing may give up on the answer to a round that Redis has run.
        assert stats["cmdstat_eval"]["calls"] - owner.counts.rounds in (0, 1)
        assert owner.counts.rounds <= stats["cmdstat_xadd"]["calls"]


async def test_a_kill_of_redis_in_the_middle_costs_no_reader_anything(
    new_redis: Callable[[], RedisServer], caplog: pytest.LogCaptureFixture
) -> None:
    server = new_redis()
    server.start()
    async with event_log(server.url) as owner, event_log(server.url) as elsewhere:
        with caplog.at_level(logging.WARNING, "parlour"):
            log = owner.create("turn")
            say(log, *(f"before {number}" for number in range(100)))
            here = asyncio.create_task(read(log))
            there = await attached(elsewhere, after=100)
            reading = asyncio.create_task(read(there, 50))
            server.kill()
            for number in range(100):
                say(log, f"during {number}")
                await asyncio.sleep(0.001)
            await until(lambda: owner.counts.write_failures > 1)
            assert len(there.payloads) == 100
            with log.cursor(150) as cursor:
                assert len(cursor.take()) == 50  # the turn's own readers lack nothing
            server.start()  # empty
            say(log, "after")
            await attached(elsewhere, after=201)
            finish(log)
            assert await here == log.payloads
            assert await reading == log.payloads[50:]
            fresh = await asyncio.wait_for(read(await attached(elsewhere)), LIMIT_S)
            assert fresh == log.payloads
    lines = [record.getMessage() for record in caplog.records]
    assert sum("does not answer (writing" in line for line in lines) == 1
    assert sum("answers again (writing" in line for line in lines) == 1
    assert elsewhere.counts.broken == 0


async def test_a_turn_begins_and_ends_while_redis_is_away(
    new_redis: Callable[[], RedisServer],
) -> None:
    server = new_redis()
    async with event_log(server.url) as owner, event_log(server.url) as elsewhere:
        started = time.perf_counter()
        log = owner.create("turn")
        reading = asyncio.create_task(read(log))
        say(log, "word")
        assert await elsewhere.attach("turn") is None
        await elsewhere.request_stop("turn")  # the store tells the owner
        finish(log)
        assert await reading == log.payloads
        assert time.perf_counter() - started < 1
        server.start()
        assert await read(await attached(elsewhere)) == log.payloads


async def test_a_pause_of_redis_is_only_a_delay(new_redis: Callable[[], RedisServer]) -> None:
    server = new_redis()
    server.start()
    async with (
        event_log(server.url) as owner,
        event_log(server.url) as elsewhere,
        Redis.from_url(server.url) as redis,
    ):
        log = owner.create("turn")
        say(log, "before")
        reading = asyncio.create_task(read(await attached(elsewhere)))
        # Longer than a writer waits, so that the batch is sent again and arrives twice.
        await redis.execute_command("CLIENT", "PAUSE", 2_500, "ALL")
        say(log, "during")
        await until(lambda: owner.counts.write_failures > 0)
        say(log, "still")
        finish(log)
        assert await reading == log.payloads
        assert elsewhere.counts.broken == 0


async def test_a_stop_reaches_the_owner_in_time_also_after_an_outage(
    new_redis: Callable[[], RedisServer],
) -> None:
    server = new_redis()
    server.start()
    async with event_log(server.url) as owner, event_log(server.url) as elsewhere:
        stopped: asyncio.Queue[str] = asyncio.Queue()
        owner.on_stop(stopped.put_nowait)
        owner.create("one")
        owner.create("two")
        started = time.perf_counter()
        await elsewhere.request_stop("one")
        assert await asyncio.wait_for(stopped.get(), LIMIT_S) == "one"
        assert time.perf_counter() - started < 0.5
        server.kill()
        await until(lambda: owner.counts.read_failures > 0)
        server.start()
        await elsewhere.request_stop("two")  # the owner may not even be connected yet
        assert await asyncio.wait_for(stopped.get(), LIMIT_S) == "two"


async def test_a_former_owner_cannot_append(redis_url: str, prefix: str) -> None:
    async with (
        event_log(redis_url, prefix) as former,
        event_log(redis_url, prefix) as later,
        event_log(redis_url, prefix) as reader,
    ):
        stopped: list[str] = []
        former.on_stop(stopped.append)
        old = former.create("turn", fence=1)
        say(old, "one", "two")
        there = await attached(reader, after=2)
        new = later.create("turn", fence=2)
        new.extend(list(there.payloads))
        say(new, "three")
        await attached(reader, after=3)
        say(old, "something else")
        await until(lambda: former.counts.fenced == 1)
        await asyncio.sleep(0)
        assert stopped == ["turn"]
        with old.cursor() as cursor:
            cursor.take()
            with pytest.raises(LogBroken):
                cursor.take()
        finish(new)
        assert await read(there) == new.payloads  # the readers went on
        assert there.fence == 2
        assert await read(await attached(former)) == new.payloads


async def test_readers_of_what_a_later_owner_does_not_know_start_again(
    redis_url: str, prefix: str
) -> None:
    async with (
        event_log(redis_url, prefix) as former,
        event_log(redis_url, prefix) as later,
        event_log(redis_url, prefix) as reader,
    ):
        say(former.create("turn", fence=1), "one", "two", "three")
        there = await attached(reader, after=3)
        reading = asyncio.create_task(read(there))
        new = later.create("turn", fence=2)
        new.extend(there.payloads[:2])
        finish(new)
        with pytest.raises(LogBroken):
            await reading
        again = await attached(reader)
        assert again is not there
        assert await read(again) == new.payloads


async def test_a_gap_is_never_shown(redis_url: str, prefix: str) -> None:
    async with event_log(redis_url, prefix) as reader, Redis.from_url(redis_url) as redis:
        key = f"{prefix}:turn:turn"
        await redis.xadd(key, {"at": 1, "events": "1\n2"}, id="0-4")
        there = await attached(reader)
        reading = asyncio.create_task(read(there))
        await redis.xadd(key, {"at": 4, "events": "4"}, id="0-8")
        with pytest.raises(LogBroken):
            await reading
        assert there.payloads == [b"1", b"2"]
        assert reader.counts.broken == 1
        assert reader.counts.mirrors == 0


async def test_what_waits_for_redis_is_bounded(new_redis: Callable[[], RedisServer]) -> None:
    server = new_redis()
    bounds = Bounds(flush_s=0.002, backlog_bytes=1_000)
    async with event_log(server.url, bounds=bounds) as owner:
        lost, kept = owner.create("lost"), owner.create("kept")
        for log in (lost, kept):
            say(log, "x" * 600)
            finish(log)
        await until(lambda: owner.counts.given_up == 1)
        server.start()
        async with event_log(server.url) as elsewhere:
            assert await read(await attached(elsewhere, "kept")) == kept.payloads
            assert await elsewhere.attach("lost", wait_s=LIMIT_S) is None  # at once: it says so


async def test_mirrors_are_bounded_and_go_when_nobody_reads(redis_url: str, prefix: str) -> None:
    bounds = Bounds(flush_s=0.002, mirrors_max=2, idle_s=0.01)
    async with (
        event_log(redis_url, prefix) as owner,
        event_log(redis_url, prefix, bounds) as elsewhere,
    ):
        for turn in ("one", "two", "three"):
            say(owner.create(turn), "word")
        one, two = await attached(elsewhere, "one"), await attached(elsewhere, "two")
        with one.cursor(), two.cursor(), pytest.raises(Overloaded):
            await elsewhere.attach("three")
        await attached(elsewhere, "three")  # takes the place of one that nobody reads
        assert elsewhere.counts.mirrors == 2

        async def all_gone() -> None:
            while elsewhere.counts.mirrors:
                await owner.request_stop("somebody's")  # mirrors are looked at on each read
                await asyncio.sleep(0.005)

        await asyncio.wait_for(all_gone(), LIMIT_S)


async def test_streams_expire(redis_url: str, prefix: str) -> None:
    async with (
        event_log(redis_url, prefix) as owner,
        event_log(redis_url, prefix) as elsewhere,
        Redis.from_url(redis_url) as redis,
    ):
        log = owner.create("turn")
        say(log, "word")
        there = await attached(elsewhere)
        assert 3_500 < await redis.ttl(f"{prefix}:turn:turn") <= 3_600
        finish(log)
        await read(there)
        assert 0 < await redis.ttl(f"{prefix}:turn:turn") <= 300


async def test_readers_that_leave_while_they_attach_disturb_nobody(
    redis_url: str, prefix: str
) -> None:
    async with (
        event_log(redis_url, prefix) as owner,
        event_log(redis_url, prefix) as elsewhere,
    ):
        log = owner.create("turn")
        say(log, "word")
        for steps in range(30):
            leaving = asyncio.create_task(elsewhere.attach(f"no turn {steps}", wait_s=LIMIT_S))
            for _ in range(steps):
                await asyncio.sleep(0)
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
        finish(log)
        assert await read(await attached(elsewhere)) == log.payloads
        assert elsewhere.counts.mirrors == 1
