"""Readers that are slow or told to leave, and the turns that do not care."""

from __future__ import annotations

import asyncio
import json
import socket
from urllib.parse import urlsplit

import pytest

from parlour.events import types as ev
from parlour.models.scripted import ScriptedModel
from tests.house import WAIT_S, House, events_of, final, parse_frames, said, shown
from tests.journey.conftest import HELLO, OpenHouse
from tests.journey.test_metrics import scraped

PIECE = "x" * 50_000
PIECES = 20  # 1 MB of words, 8 MB of frames: more than a system buffers for one reader
FLOOD = [{"when": "flood", "steps": [{"text": PIECE} for _ in range(PIECES)]}]


def connected(house: House) -> socket.socket:
    """A connection whose owner has room for next to nothing and never reads."""
    place = urlsplit(house.url)
    lazy = socket.socket()
    lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    lazy.connect((place.hostname, place.port))
    return lazy


@pytest.mark.promise("P12")
async def test_a_reader_that_takes_nothing_holds_up_nobody_and_can_come_back(
    open_house: OpenHouse,
):
    limits = {"reader_stall_s": 1, "reply_tokens_max": 1_000_000}
    async with open_house(FLOOD, limits=limits) as house:
        body = json.dumps({"text": "flood", "message_id": "m1"}).encode()
        head = "POST /api/threads/c1/turns HTTP/1.1\r\nHost: localhost\r\n"
        head += f"Content-Length: {len(body)}\r\nContent-Type: application/json\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in shown().items()) + "\r\n"
        with connected(house) as lazy:
            lazy.sendall(head.encode() + body)
            # The same message again joins the turn: this reader gets all of it meanwhile.
            frames = await house.ask("c1", "flood", message_id="m1")
            assert len(said(frames)) == PIECES * len(PIECE)
            assert final(frames).status == "done"
            async with asyncio.timeout(WAIT_S):
                while not (await scraped(house))["parlour_streams_dropped_total"]:
                    pass  # asking takes a round trip
        turn = frames[0].body["turn_id"]
        assert await house.read("c1", turn, f"{turn}:2") == frames[2:]


@pytest.mark.promise("P14")
async def test_leaving_refuses_the_new_tells_readers_and_finishes_what_runs(
    open_house: OpenHouse,
):
    async with open_house(HELLO) as house:
        model = house.services.model
        assert isinstance(model, ScriptedModel)
        async with house.start("c1", "gate") as response:
            turn = response.headers["x-turn-id"]
            await asyncio.wait_for(model.reached("middle"), WAIT_S)
            await house.services.leave()
            frames = parse_frames(await response.text())
        assert frames[-1].event == "reconnect"
        assert said(frames[:-1]) == "Before. "
        assert (await house.get("/health/ready"))[0] == 503
        assert (await house.get("/health/live"))[0] == 200
        status, problem = await house.post("/api/threads/c2/turns", {"text": "hello"})
        assert (status, problem["code"], problem["retryable"]) == (503, "shutting_down", True)
        model.open("middle")
        await house.ended(turn)
        rest = await house.read("c1", turn, frames[-2].id)
        assert said(rest) == "After."
        assert isinstance(events_of(rest)[-1], ev.Finalize)


@pytest.mark.promise("P14")
async def test_a_turn_that_does_not_finish_in_time_is_left_to_another_process(
    open_house: OpenHouse,
):
    async with open_house(HELLO) as house:
        started = await house.begin("c1", "gate")
        model = house.services.model
        assert isinstance(model, ScriptedModel)
        await asyncio.wait_for(model.reached("middle"), WAIT_S)
        await house.services.runner.drain(0.05)
        rows = await house.services.database.fetch(
            "SELECT status, lease_until <= now(), partial::text FROM turns WHERE id = %(turn)s",
            {"turn": started["turn_id"]},
        )
        status, free, partial = rows[0]
        assert (status, free) == ("running", True)
        assert "Before. " in partial
