"""What one workspace's crowd costs another workspace's next question: `python -m chaos.fairness`.

One `parlour serve` with room for 50 turns on a real Postgres. Somebody asks alone; then while
another workspace fills the room as far as it may; then while 500 more of it wait at the door as
well. Measured is what people see: the time from sending to the first word. `--write` puts it into
docs/chaos.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from chaos.clients import FAILS, SECRET, token
from chaos.report import put
from tests.live.process import Served, script, served
from tests.postgres import fresh_database, running_postgres

ROOM = 50
FILLED = 45  # nine tenths: a workspace gets no more
QUEUED = 500
SAMPLES = 60
DELAY_SHARE_MAX = 0.2
RULES: list[dict[str, Any]] = [
    {"when": "crowd", "steps": [{"text": "word " * 100, "pace": 30}]},
    {"when": "hello", "steps": [{"text": "Hello there."}]},
]


async def first_words(it: Served, samples: int = SAMPLES) -> list[float]:
    """Seconds to the first word of so many questions, one after another."""
    took: list[float] = []
    headers = {"authorization": f"Bearer {token('bob', 'small')}"}
    for number in range(samples):
        began = time.perf_counter()
        thread = f"b{number}-{time.monotonic_ns()}"
        async with it.start(thread, "hello", headers) as response:
            assert response.status == 200, await response.text()
            async for data in response.content.iter_any():
                if b'"type":"token"' in data:
                    took.append(time.perf_counter() - began)
                    break
            await response.read()
        await asyncio.sleep(0.05)
    return took


@contextlib.asynccontextmanager
async def crowd(it: Served, many: int) -> AsyncIterator[None]:
    """So many people of one workspace who ask and ask again."""

    async def ask(number: int) -> None:
        headers = {"authorization": f"Bearer {token(f'ann{number}', 'large')}"}
        for again in range(10_000):
            with contextlib.suppress(*FAILS):
                async with it.start(f"a{number}-{again}", "crowd", headers) as response:
                    await response.read()
                    if response.status == 503:  # as a client does that is told when to come again
                        await asyncio.sleep(float(response.headers["retry-after"]))

    asking = [asyncio.create_task(ask(number)) for number in range(many)]
    try:
        await asyncio.sleep(5)  # until the room is full, and the first start is over
        yield
    finally:
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


async def session() -> dict[str, list[float]]:
    """The three measurements."""
    with tempfile.TemporaryDirectory(prefix="parlour-fair-") as name:
        folder = Path(name)
        async with running_postgres() as server, fresh_database(server) as url:
            settings = {
                "PARLOUR_SECRET": SECRET,
                "PARLOUR_DATABASE_URL": url,
                "PARLOUR_MODEL": script(folder, RULES),
                "PARLOUR_LIMITS__TURNS_MAX": str(ROOM),
                "PARLOUR_LIMITS__TURN_WAIT_S": "60",
                "PARLOUR_SHUTDOWN_S": "1",
            }
            async with served(folder, **settings) as it:
                connector = aiohttp.TCPConnector(limit=0)
                timeout = aiohttp.ClientTimeout(total=120)
                headers = dict(it.http.headers)
                async with aiohttp.ClientSession(
                    connector=connector, timeout=timeout, headers=headers
                ) as http:
                    it.http = http
                    await first_words(it, 10)  # warm
                    found = {"nobody else": await first_words(it)}
                    for name, many in (
                        (f"{FILLED} answers of another workspace", FILLED),
                        (f"and {QUEUED} more questions of it waiting", FILLED + QUEUED),
                    ):
                        try:
                            async with crowd(it, many):
                                found[name] = await first_words(it)
                        except Exception:
                            print("\n".join(it.said))
                            raise
                    return found


def lines(found: dict[str, list[float]]) -> list[str]:
    """For people: median and p95, and what the queue alone adds."""
    medians = [statistics.median(took) for took in found.values()]
    rows = [
        f"| {name} | {1_000 * statistics.median(took):.1f} | {1_000 * _p95(took):.1f} |"
        for name, took in found.items()
    ]
    share = medians[2] / medians[1] - 1
    return [
        f"{SAMPLES} questions each; milliseconds from sending to the first word. "
        f"The queue delays the median by **{100 * share:+.0f} %**.",
        "",
        "| while there are | median | p95 |",
        "| --- | ---: | ---: |",
        *rows,
    ]


def _p95(took: list[float]) -> float:
    return sorted(took)[int(0.95 * (len(took) - 1))]


def main() -> int:
    """Entry point; 1 when the queue costs more than was promised."""
    parser = argparse.ArgumentParser(prog="python -m chaos.fairness", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write it into docs/chaos.md")
    options = parser.parse_args()
    found = asyncio.run(session())
    print("\n".join(lines(found)))
    if options.write:
        put("fairness", lines(found))
    alone, queued = (statistics.median(took) for took in list(found.values())[1:])
    return int(queued > alone * (1 + DELAY_SHARE_MAX))


if __name__ == "__main__":
    raise SystemExit(main())
