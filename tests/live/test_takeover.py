"""A process dies in the middle of an answer, and another one goes on with it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from parlour.events import types as ev
from tests.house import Frame, events_of, final
from tests.live.process import Served, script, served, until_token

WORDS = [f"w{number} " for number in range(60)]
RULES: list[dict[str, Any]] = [
    {
        "when": "tools first",
        "rounds": [
            [{"calls": [{"name": "parlour__calculator", "arguments": {"expression": "6*7"}}]}],
            [{"text": "".join(WORDS), "pace": 30}, {"text": "{{value}}"}],
        ],
    },
    {"when": "words", "steps": [{"text": "".join(WORDS), "pace": 30}]},
    {"when": "at length", "steps": [{"text": "".join(WORDS * 10), "pace": 30}]},
]


def settings(folder: Path, database_url: str, **more: str) -> dict[str, str]:
    return {
        "PARLOUR_DATABASE_URL": database_url,
        "PARLOUR_MODEL": script(folder, RULES),
        "PARLOUR_LIMITS__LEASE_S": "2",
        **more,
    }


@contextlib.asynccontextmanager
async def two_processes(
    folder: Path, database_url: str, redis_url: str, **more: str
) -> AsyncIterator[tuple[Served, Served]]:
    """Two processes on one database and one Redis, for a minute at most."""
    one, two = folder / "one", folder / "two"
    one.mkdir()
    two.mkdir()
    shared = {"PARLOUR_REDIS_URL": redis_url, **more}
    async with (
        served(one, **settings(one, database_url, **shared)) as first,
        served(two, **settings(two, database_url, **shared)) as second,
        asyncio.timeout(60),
    ):
        yield first, second


def answer(frames: list[Frame]) -> str:
    """The text of the answer: a restart takes that of its round back."""
    text: dict[int, str] = {}
    current = 1
    for event in events_of(frames):
        match event:
            case ev.Token():
                text[current] = text.get(current, "") + event.text
            case ev.Restart():
                current = event.round
                text[current] = ""
            case ev.RoundEnd():
                current = event.round + 1
            case _:
                pass
    return "".join(text[number] for number in sorted(text))


@pytest.mark.promise("P1", "P5", "P20")
@pytest.mark.parametrize("asked", ["words", "tools first"])
async def test_a_restarted_process_goes_on_with_the_turn_and_says_that_it_begins_again(
    tmp_path: Path, database_url: str, asked: str
):
    given = settings(tmp_path, database_url)
    async with served(tmp_path, **given) as first:
        turn = (await first.begin("c1", asked))["turn_id"]
        seen = await until_token(first, "c1", turn, 20)
        assert seen
        await first.kill()
    async with served(tmp_path, **given) as second, asyncio.timeout(40):
        frames = await second.read("c1", turn)
        assert final(frames).status == "done"
        assert any(isinstance(event, ev.Restart) for event in events_of(frames))
        expected = "".join(WORDS) + ("42" if asked == "tools first" else "")
        assert answer(frames) == expected
        calls = [event for event in events_of(frames) if isinstance(event, ev.ToolCall)]
        assert len(calls) == (1 if asked == "tools first" else 0)
        _, body = await second.get("/api/threads/c1")
        stored = body["messages"][1]
        assert stored["status"] == "done"
        assert "".join(p["text"] for p in stored["parts"] if p["type"] == "text") == expected


@pytest.mark.promise("P3", "P5")
async def test_a_reader_of_a_killed_process_reads_on_at_another_one(
    tmp_path: Path, database_url: str, redis_url: str
):
    async with two_processes(tmp_path, database_url, redis_url) as (first, second):
        turn = (await first.begin("c1", "words"))["turn_id"]
        # What was said in the last moment before the kill may not have left the process.
        seen = (await until_token(first, "c1", turn, 25))[:-10]
        await first.kill()
        frames = await second.read("c1", turn, after=seen[-1].id)
        assert not any(frame.event == "reset" for frame in frames)
        assert frames[0].seq == seen[-1].seq + 1
        whole = [*seen, *frames]
        assert [frame.seq for frame in whole] == list(range(1, len(whole) + 1))
        assert final(whole).status == "done"
        assert answer(whole) == "".join(WORDS)


@pytest.mark.promise("P5", "P20")
async def test_a_reader_of_a_frozen_process_hears_no_end_that_is_not_the_turns(
    tmp_path: Path, database_url: str, redis_url: str
):
    async with two_processes(tmp_path, database_url, redis_url) as (first, second):
        turn = (await first.begin("c1", "words"))["turn_id"]
        seen = await until_token(first, "c1", turn, 10)
        reading = asyncio.create_task(first.read("c1", turn, after=seen[-1].id))
        first.process.send_signal(signal.SIGSTOP)
        whole = await second.read("c1", turn)
        assert final(whole).status == "done"
        first.process.send_signal(signal.SIGCONT)
        try:
            here = await reading
        except aiohttp.ClientError:
            here = await first.read("c1", turn, after=seen[-1].id)  # cut off, it comes back
        resets = [place for place, frame in enumerate(here) if frame.event == "reset"]
        told = here[resets[-1] + 1 :] if resets else here
        ends = [event for event in events_of(told) if isinstance(event, ev.Finalize)]
        assert [end.status for end in ends] == ["done"]


@pytest.mark.promise("P14")
async def test_a_process_that_is_told_to_leave_hands_its_turn_over(
    tmp_path: Path, database_url: str, redis_url: str
):
    more = {"PARLOUR_SHUTDOWN_S": "0.2"}
    async with two_processes(tmp_path, database_url, redis_url, **more) as (first, second):
        turn = (await first.begin("c1", "words"))["turn_id"]
        await until_token(first, "c1", turn, 10)
        first.terminate()
        assert await first.ended(30) == 0
        frames = await second.read("c1", turn)
        assert final(frames).status == "done"
        assert answer(frames) == "".join(WORDS)
