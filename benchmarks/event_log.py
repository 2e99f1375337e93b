"""What a token costs in the event log: append, flush, wake, take; with and without Redis.

    PYTHONPATH=src python benchmarks/event_log.py [--url redis://...]

Turns say one token every 33 ms, each with one reader, under uvloop. The figure is CPU time of
this process per token, less what the same loop costs without a log; "mirrored" is the writer and
a reader through Redis together. Redis runs beside, and its CPU time is given too; without `--url`
it is a `redis-server` from the PATH.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop
from redis.asyncio import Redis

from parlour.events.log import EventLog, TurnLog
from parlour.events.memory import MemoryEventLog
from parlour.events.redis import RedisEventLog
from parlour.events.types import Finalize, Token

GAP_S = 0.033
TOKENS = 120
TOKEN = Token(text=" parlour")


async def say(log: TurnLog | None, start_s: float) -> None:
    await asyncio.sleep(start_s)
    for _ in range(TOKENS):
        await asyncio.sleep(GAP_S)
        if log is not None:
            log.append(TOKEN)
            log.flush()
    if log is not None:
        log.append(Finalize(status="done"))
        log.close()


async def read(log: TurnLog) -> int:
    count = 0
    with log.cursor() as cursor:
        while not cursor.ended:
            count += len(cursor.take())
            await cursor.wait()
    return count


async def run(turns: int, owner: EventLog | None, reader: EventLog | None) -> tuple[float, float]:
    """CPU seconds of this process for each token, and wall seconds of all."""
    logs = [owner.create(f"turn {number}") for number in range(turns)] if owner else [None] * turns
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    talking = [
        asyncio.create_task(say(log, GAP_S * number / turns)) for number, log in enumerate(logs)
    ]
    if owner and reader:

        async def follow(log: TurnLog) -> int:
            there = log if reader is owner else await reader.attach(log.turn, wait_s=5)
            assert there is not None
            return await read(there)

        counts = await asyncio.gather(*(follow(log) for log in logs if log is not None))
        assert set(counts) == {TOKENS + 1}
    await asyncio.gather(*talking)
    return (time.process_time() - cpu) / (turns * TOKENS), time.perf_counter() - wall


@contextmanager
def redis_server(url: str) -> Iterator[str]:
    if url:
        yield url
        return
    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("redis-server is not on the PATH: install it, or give --url redis://…")
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/redis.sock"
        options = ["--port", "0", "--unixsocket", path, "--save", "", "--dir", directory]
        process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
        try:
            while not Path(path).exists():
                time.sleep(0.01)
            yield f"unix://{path}"
        finally:
            process.kill()
            process.wait()


async def redis_cpu(url: str) -> float:
    async with Redis.from_url(url) as redis:
        info = await redis.info("cpu")
        return info["used_cpu_sys"] + info["used_cpu_user"]


async def measure(kind: str, turns: int, url: str) -> None:
    floor, _ = await run(turns, None, None)
    if kind == "memory":
        owner = reader = MemoryEventLog()
    else:
        owner = reader = RedisEventLog(url, prefix=f"{kind}-{turns}")
    if kind == "redis, mirrored":
        reader = RedisEventLog(url, prefix=f"{kind}-{turns}")
    for log in {owner, reader}:
        await log.start()
    await asyncio.sleep(0.1)
    before = 0.0 if kind == "memory" else await redis_cpu(url)
    cost, _ = await run(turns, owner, reader)
    beside = 0.0 if kind == "memory" else await redis_cpu(url) - before
    for log in {owner, reader}:
        await log.close()
    us = 1e6 * (cost - floor)
    print(f"{kind:18}{turns:7}{us:18.1f}{1e6 * beside / turns / TOKENS:18.1f}{1e6 * floor:14.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="")
    parser.add_argument("--turns", type=int, nargs="*", default=[1, 100, 600])
    arguments = parser.parse_args()
    print(f"{'log':18}{'turns':>7}{'us a token':>18}{'us of Redis':>18}{'us of loop':>14}")
    with redis_server(arguments.url) as url:
        for kind in ("memory", "redis", "redis, mirrored"):
            for turns in arguments.turns:
                uvloop.run(measure(kind, turns, url))


if __name__ == "__main__":
    main()
