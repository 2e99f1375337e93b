"""`python -m benchmarks.long_conversations`: a conversation of 500 messages against one of 20.

Opens conversations (their newest 30 messages) and asks in them (from the message to the first token
of the scripted model, the commit included), of each length in turn, on a Postgres of its own. What
counts is the ratio: both halves of it meet the same noise.
"""

from __future__ import annotations

import asyncio
import json
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from parlour.api.access import LOCAL
from parlour.app import Services, running
from parlour.chat.ask import Ask
from parlour.domain import ThreadId
from parlour.settings import Settings

SAMPLES = 200
WARM_UP = 20
WORDS = 60  # of each message
CASES = {"20": (20, 0), "500, summary": (500, 490), "500, no summary": (500, 0)}

FILL = """
WITH t AS (
  INSERT INTO threads (id, workspace, user_id, title, head)
  SELECT %(case)s || '-' || n, 'local', 'local', 'x', 'm' || %(count)s
  FROM generate_series(1, %(threads)s) n RETURNING id)
INSERT INTO messages (thread, id, parent, role, status, parts)
SELECT t.id, 'm' || n, CASE WHEN n > 1 THEN 'm' || (n - 1) END,
  CASE WHEN n %% 2 = 1 THEN 'user' ELSE 'assistant' END, 'done',
  json_build_array(json_build_object('type', 'text', 'text', n || repeat(' word', %(words)s)))
FROM t, generate_series(1, %(count)s) n ORDER BY t.id, n RETURNING 1
"""
SUMMARY = """
INSERT INTO summaries (thread, message, text, tokens, model, expires_at)
SELECT id, 'm' || %(until)s, repeat('They said something. ', 60), 300, 'x', now() + interval '1 day'
FROM threads WHERE id LIKE %(case)s || '-%%' RETURNING 1
"""
OWNER = """
WITH w AS (INSERT INTO workspaces (id) VALUES ('local') ON CONFLICT DO NOTHING)
INSERT INTO users (workspace, id) VALUES ('local', 'local') ON CONFLICT DO NOTHING RETURNING 1
"""


async def fill(services: Services) -> None:
    """As many conversations of each kind as there are samples."""
    await services.database.fetch(OWNER)
    for place, (count, until) in enumerate(CASES.values()):
        values = {"case": f"c{place}", "count": count, "words": WORDS, "until": until}
        # In parts: a statement has five seconds.
        for part in range(0, SAMPLES + WARM_UP, 20):
            case = f"c{place}-{part}"
            await services.database.fetch(FILL, {**values, "case": case, "threads": 20})
            if until:
                await services.database.fetch(SUMMARY, {**values, "case": case})


async def open_it(services: Services, thread: ThreadId) -> None:
    """What the page asks for."""
    await services.threads.get_thread(LOCAL, thread)
    page, _ = await services.threads.messages(LOCAL, thread, limit=30)
    assert len(page) >= 20


async def ask(services: Services, thread: ThreadId) -> None:
    """Until the first token can be read."""
    told = services.gate.disclosures.of(LOCAL, "api").edition
    started = await services.runner.start(LOCAL, Ask(thread=thread, text="And now?", shown=told))
    reading = await services.readings.open_started(started.turn)
    assert reading is not None
    with reading.cursor as cursor:
        seen: list[bytes] = []
        while not any(payload.startswith(b'{"type":"token"') for payload in seen):
            await cursor.wait()
            seen += cursor.take()


async def settled(services: Services) -> None:
    """The turn is stored: the next sample does not wait behind it."""
    tasks = [turn.task for turn in services.runner.running.values() if turn.task]
    if tasks:
        await asyncio.wait(tasks)


async def measure(
    services: Services, act: Callable[[Services, ThreadId], Awaitable[None]]
) -> dict[str, list[float]]:
    """Milliseconds of each sample, the lengths in turn."""
    took: dict[str, list[float]] = {name: [] for name in CASES}
    for sample in range(SAMPLES + WARM_UP):
        for place, name in enumerate(CASES):
            thread = ThreadId(f"c{place}-{sample // 20 * 20}-{sample % 20 + 1}")
            began = time.perf_counter()
            await act(services, thread)
            if sample >= WARM_UP:
                took[name].append((time.perf_counter() - began) * 1000)
            await settled(services)
    return took


def script_in(folder: str) -> Path:
    """A script that answers at once."""
    script = Path(folder, "script.json")
    words = json.dumps([{"when": "", "steps": [{"text": "I see."}]}])
    script.write_text(words, encoding="utf-8")
    return script


async def main() -> None:
    """Measure and print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        settings = Settings(
            model=f"scripted:{script_in(folder)}",
            data_dir=Path(folder),
            policy={"memory": {"summaries": False}},  # type: ignore[arg-type]
        )
        async with running(settings) as services:
            await fill(services)
            print(f"{'':18}{'median ms':>10}{'p95 ms':>9}{'ratio':>8}")
            for what, act in (("open", open_it), ("ask", ask)):
                took = await measure(services, act)
                base = statistics.median(took["20"])
                for name, times in took.items():
                    median = statistics.median(times)
                    p95 = statistics.quantiles(times, n=20)[-1]
                    row = f"{what} {name}"
                    print(f"{row:18}{median:10.2f}{p95:9.2f}{median / base:8.2f}")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
