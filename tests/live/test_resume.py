"""A native reader that leaves after every event and comes back, wherever the turn is kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from parlour.models.scripted import ScriptedModel
from tests.house import WAIT_S, Caller, Frame, final, parse_frames
from tests.journey.conftest import OpenHouse
from tests.live.process import script, served
from tests.redis_server import RedisServer

TURN: dict[str, Any] = {
    "when": "everything",
    "needs": ["parlour__calculator"],
    "rounds": [
        [
            {"reasoning": "A sum, then."},
            {"text": "Let me see. "},
            {"calls": [{"name": "parlour__calculator", "arguments": {"expression": "6 * 7"}}]},
        ],
        [{"text": "It is "}, {"gate": "middle"}, {"text": "42, as ever."}],
    ],
}
SLOW: dict[str, Any] = {
    "when": "slow",
    "steps": [{"text": " ".join(f"w{number}" for number in range(2_000)), "pace": 40}],
}
LEASE_S = 2


async def head(caller: Caller, turn: str, events: int, after: str = "") -> list[Frame]:
    """The first `events` frames after a position, then the reader is gone."""
    url = f"{caller.url}/api/threads/c1/turns/{turn}/events"
    text = ""
    async with caller.http.get(url, headers={"last-event-id": after} if after else {}) as response:
        while text.count("\n\n") < events:
            text += (await asyncio.wait_for(response.content.readuntil(b"\n\n"), WAIT_S)).decode()
    return parse_frames(text)


async def check_every_position(
    reader: Caller, turn: str, whole: list[Frame], *, live: int = 0
) -> None:
    """For every k: after event k comes exactly event k+1 to the end (to `live`, while it runs)."""
    for k in range((live or len(whole)) + 1):
        after = f"{turn}:{k}" if k else ""
        if live:
            assert await head(reader, turn, live - k, after) == whole[k:live]
        else:
            assert await reader.read("c1", turn, after) == whole[k:]


@pytest.mark.promise("P3")
@pytest.mark.parametrize("kept", ["memory", "redis"])
async def test_every_position_resumes_exactly_live_and_finished(
    open_house: OpenHouse, request: pytest.FixtureRequest, kept: str
):
    settings = {"redis_url": request.getfixturevalue("redis_url")} if kept == "redis" else {}
    async with open_house([TURN], **settings) as house:
        model = house.services.model
        assert isinstance(model, ScriptedModel)
        started = await house.begin("c1", "everything")
        turn = started["turn_id"]
        await asyncio.wait_for(model.reached("middle"), WAIT_S)
        live = len(house.services.runner.running[turn].sink.log.payloads)
        so_far = await head(house, turn, live)
        assert [frame.seq for frame in so_far] == list(range(1, live + 1))
        await check_every_position(house, turn, so_far, live=live)
        # Readers at every position wait while the rest is said, and each gets its own rest.
        waiting = [
            asyncio.create_task(house.read("c1", turn, so_far[k].id)) for k in range(len(so_far))
        ]
        model.open("middle")
        rests = await asyncio.wait_for(asyncio.gather(*waiting), WAIT_S)
        whole = await house.read("c1", turn)
        assert whole[:live] == so_far
        assert final(whole).status == "done"
        assert [whole[k + 1 :] for k in range(live)] == rests
        await check_every_position(house, turn, whole)


@pytest.mark.promise("P3")
@pytest.mark.promise("P5")
async def test_another_process_serves_every_position_and_goes_on_where_the_first_cannot(
    tmp_path: Path, database_url: str, new_redis: Callable[[], RedisServer]
):
    redis = new_redis()
    redis.start()
    settings = {
        "PARLOUR_MODEL": script(tmp_path, [{**TURN, "rounds": TURN["rounds"][:1]}, SLOW]),
        "PARLOUR_DATABASE_URL": database_url,
        "PARLOUR_REDIS_URL": redis.url,
        "PARLOUR_LIMITS__LEASE_S": str(LEASE_S),
        "PARLOUR_SHUTDOWN_S": "1",
    }
    async with served(tmp_path, **settings) as first, served(tmp_path, **settings) as second:
        finished = await first.ask("c1", "everything")
        await check_every_position(second, finished[0].body["turn_id"], finished)
        turn = (await first.begin("c1", "slow"))["turn_id"]
        here, there = await asyncio.gather(head(first, turn, 30), head(second, turn, 30))
        assert here == there
        for k in (1, 7, 29):
            assert await head(second, turn, 30 - k, here[k - 1].id) == here[k:]
        url = f"{second.url}/api/threads/c1/turns/{turn}/events"
        async with second.http.get(url, headers={"last-event-id": here[4].id}) as reader:
            await reader.content.readuntil(b'" w50"')
            await first.kill()
            killed = time.monotonic()
            await asyncio.wait_for(reader.content.readuntil(b'"restart"'), 3 * LEASE_S + 8)
            assert time.monotonic() - killed < LEASE_S + 8
            await second.post(f"/api/threads/c1/turns/{turn}/stop")
            frames = parse_frames((await reader.text()).partition("\n\n")[2])
        assert final_of(frames)["status"] == "stopped"
        _, body = await second.get("/api/threads/c1")
        (words,) = body["messages"][-1]["parts"]
        assert body["messages"][-1]["status"] == "stopped"
        assert "".join(f"w{number} " for number in range(2_000)).startswith(words["text"][:5])


def final_of(frames: list[Frame]) -> dict[str, Any]:
    """The terminal event, the last of a stream that may have started over."""
    assert [frame.event for frame in frames].count("finalize") == 1
    assert frames[-1].event == "finalize"
    return frames[-1].body
