"""While people wait they are told what for, in words, and never a moment too early."""

from __future__ import annotations

import asyncio
import time

from parlour.chat.running import Running
from parlour.chat.waiting import words
from parlour.domain import TurnId
from parlour.events import types as ev
from parlour.models.scripted import ScriptedModel
from tests.house import WAIT_S, Frame, House, events_of, final, parse_frames, said
from tests.journey.conftest import HELLO, OpenHouse
from tests.journey.test_question_limits import slow
from tests.journey.test_tool_servers import listed

ANSWER = "Still working on the answer"


def statuses(frames: list[Frame]) -> list[str]:
    return [event.text for event in events_of(frames) if isinstance(event, ev.Status)]


def opened(house: House, gate: str = "middle") -> None:
    assert isinstance(house.services.model, ScriptedModel)
    house.services.model.open(gate)


async def at_gate(house: House, text: str = "gate", gate: str = "middle") -> Running:
    """A turn that has come to its gate, with nobody looking but the test."""
    house.services.waiting.stop()
    started = await house.begin("c1", text)
    assert isinstance(house.services.model, ScriptedModel)
    await asyncio.wait_for(house.services.model.reached(gate), WAIT_S)
    return house.services.runner.running[TurnId(started["turn_id"])]


async def test_people_are_told_after_two_seconds_of_nothing_and_not_before(hello: House):
    running = await at_gate(hello)
    look, now = hello.services.waiting.look, time.monotonic()
    told: list[tuple[float, str]] = []
    before = running.sink.log.size
    look(now)
    for tenth in range(1, 700):
        look(now + tenth / 10)
        if running.sink.log.size != before:
            before = running.sink.log.size
            status = ev.decode(running.sink.log.payloads[-1])
            assert isinstance(status, ev.Status)
            told.append((tenth / 10, status.text))
    assert told == [
        (2, f"{ANSWER}…"),
        (10, f"{ANSWER} (10 s)…"),
        (30, f"{ANSWER} (30 s)…"),
        (60, f"{ANSWER} (60 s)…"),
    ]
    opened(hello)
    frames = await hello.read("c1", running.turn)
    assert statuses(frames) == [text for _, text in told]
    assert said(frames) == "Before. After."
    assert final(frames).status == "done"
    # It is told in passing: the log has it, the message does not.
    _, body = await hello.get("/api/threads/c1")
    assert [part["type"] for part in body["messages"][1]["parts"]] == ["text"]


async def test_anything_new_starts_the_clock_again(hello: House):
    running = await at_gate(hello)
    look, now = hello.services.waiting.look, time.monotonic()
    look(now)
    look(now + 1.9)
    running.hear(ev.Progress(call_id="x", done=1))
    look(now + 2.1)
    look(now + 4.0)
    opened(hello)
    assert statuses(await hello.read("c1", running.turn)) == []


async def test_a_turn_that_ends_says_nothing_more(hello: House):
    running = await at_gate(hello)
    look, now = hello.services.waiting.look, time.monotonic()
    look(now)
    running.stopping = True
    look(now + 5)
    running.stopping = False
    opened(hello)
    assert statuses(await hello.read("c1", running.turn)) == []


def test_two_tools_are_named_and_the_others_counted():
    assert words(["A"], 2, 0) == "Still waiting for «A»…"
    assert words(["A", "A", "B"], 10, 1) == "Still waiting for «A» and «B» (10 s)…"
    assert words(["A", "B", "C", "D"], 2, 0) == "Still waiting for «A», «B» and 2 more…"


async def test_the_tools_that_run_are_named_and_the_third_call_is_told(open_house: OpenHouse):
    calls = [{"name": "odd__sleep", "arguments": {"seconds": s}} for s in (1.5, 1.6, 1.7)]
    script = [{"when": "go", "rounds": [[{"calls": calls}], [{"text": "I slept."}]]}]
    async with open_house(script, mcp={"odd": slow()}, limits={"status_s": 0.4}) as house:
        await listed(house, "odd__sleep")
        frames = await house.ask("c1", "go")
    told = statuses(frames)
    assert told[0] == "Still waiting for «Sleep»…"
    assert told[-1] == "3 tool calls so far, the last one «Sleep»."
    kinds = [frame.event for frame in frames]
    assert kinds.index("tool_call") < kinds.index("status") < kinds.index("tool_result")
    assert len(told) == 2


async def test_the_ai_sdk_face_has_it_as_data_that_is_not_kept(open_house: OpenHouse):
    async with open_house(HELLO, limits={"status_s": 0.2}) as house:
        message = {"id": "m1", "role": "user", "parts": [{"type": "text", "text": "gate"}]}
        body = {"id": "c1", "trigger": "submit-message", "message": message}
        async with house.http.post(f"{house.url}/api/chat", json=body) as response:
            head = await asyncio.wait_for(response.content.readuntil(ANSWER.encode()), WAIT_S)
            opened(house)
            rest = await response.content.read()
    frames = parse_frames((head + rest).decode())
    parts = [f.body for f in frames if f.data.startswith("{")]
    found = [part for part in parts if part["type"] == "data-status"]
    assert found[0] == {"type": "data-status", "data": {"text": f"{ANSWER}…"}, "transient": True}
