"""The story of a turn, from the message to the stored answer."""

from __future__ import annotations

import asyncio

import pytest

from parlour.events import types as ev
from parlour.models.scripted import ScriptedModel
from tests.house import WAIT_S, House, events_of, final, parse_frames, said


def scripted(house: House) -> ScriptedModel:
    assert isinstance(house.services.model, ScriptedModel)
    return house.services.model


async def test_a_message_is_answered_and_stored(hello: House):
    frames = await hello.ask("c1", "hello", message_id="m1")
    assert [frame.seq for frame in frames] == list(range(1, len(frames) + 1))
    assert [frame.event for frame in frames] == [e.__struct_config__.tag for e in events_of(frames)]
    assert frames[0].event == "plan"
    assert said(frames) == "Hello there, friend."
    assert final(frames).status == "done"
    assert final(frames).finish_reason == "stop"
    status, body = await hello.get("/api/threads/c1")
    assert status == 200
    question, answer = body["messages"]
    assert (question["id"], question["parts"]) == ("m1", [{"type": "text", "text": "hello"}])
    assert answer["status"] == "done"
    assert answer["parts"] == [{"type": "text", "text": "Hello there, friend.", "round": 1}]
    assert body["thread"]["title"] == "hello"
    assert body["thread"]["running_turn"] is None


async def test_tools_run_in_a_reasoning_round_before_the_answer(hello: House):
    frames = await hello.ask("c1", "please calculate")
    kinds = [frame.event for frame in frames if frame.event not in {"token", "reasoning", "usage"}]
    assert kinds == ["plan", "tool_call", "tool_result", "round_end", "round_end", "finalize"]
    result = next(e for e in events_of(frames) if isinstance(e, ev.ToolResult))
    assert result.status == "ok"
    assert "409.5" in result.text
    ends = [e.kind for e in events_of(frames) if isinstance(e, ev.RoundEnd)]
    assert ends == ["reasoning", "answer"]
    _, body = await hello.get("/api/threads/c1")
    parts = body["messages"][1]["parts"]
    assert [part["type"] for part in parts] == ["reasoning", "text", "tool", "text"]
    assert parts[2]["status"] == "ok"


@pytest.mark.promise("P4")
async def test_stop_ends_the_turn_and_keeps_what_was_said(hello: House):
    started = await hello.begin("c1", "gate")
    turn = started["turn_id"]
    await asyncio.wait_for(scripted(hello).reached("middle"), WAIT_S)
    status, _ = await hello.post(f"/api/threads/c1/turns/{turn}/stop")
    assert status == 202
    frames = await hello.read("c1", turn)
    assert final(frames).status == "stopped"
    assert said(frames) == "Before. "
    status, _ = await hello.post(f"/api/threads/c1/turns/{turn}/stop")
    assert status == 202
    _, body = await hello.get("/api/threads/c1")
    assert body["messages"][1]["status"] == "stopped"
    assert body["messages"][1]["parts"] == [{"type": "text", "text": "Before. ", "round": 1}]


async def test_a_closed_connection_ends_nothing(hello: House):
    async with hello.start("c1", "gate") as response:
        turn = response.headers["x-turn-id"]
        await response.content.readuntil(b"Before")
    # The reader is gone; the turn waits at its gate and goes on when it opens.
    await asyncio.wait_for(scripted(hello).reached("middle"), WAIT_S)
    scripted(hello).open("middle")
    frames = await hello.read("c1", turn)
    assert said(frames) == "Before. After."
    assert final(frames).status == "done"


@pytest.mark.promise("P3")
async def test_a_reader_resumes_after_every_event_with_exactly_the_rest(hello: House):
    whole = await hello.ask("c1", "please calculate")
    turn = whole[0].body["turn_id"]
    for k in range(len(whole) + 1):
        after = f"{turn}:{k}" if k else ""
        assert await hello.read("c1", turn, after) == whole[k:]


@pytest.mark.promise("P3")
async def test_an_unknown_position_is_told_and_everything_follows(hello: House):
    whole = await hello.ask("c1", "hello")
    turn = whole[0].body["turn_id"]
    for unknown in (f"{turn}:9999", "t_other:1"):
        reset, *rest = await hello.read("c1", turn, unknown)
        assert reset.event == "reset"
        assert reset.body == {"turn": turn, "reason": "unknown_position"}
        assert rest == whole


async def test_a_failure_upstream_is_a_clear_end_with_the_words_so_far(hello: House):
    frames = await hello.ask("c1", "fail")
    end = final(frames)
    assert end.status == "failed"
    assert end.error is not None
    assert end.error.code == "upstream_cut"
    assert said(frames) == "Half an ans"
    _, body = await hello.get("/api/threads/c1")
    answer = body["messages"][1]
    assert answer["status"] == "failed"
    assert [part["type"] for part in answer["parts"]] == ["text", "error"]


@pytest.mark.promise("P2")
async def test_fifty_sends_of_one_message_make_one_turn(hello: House):
    sends = [hello.begin("c1", "hello", message_id="m1") for _ in range(50)]
    started = await asyncio.gather(*sends)
    assert len({s["turn_id"] for s in started}) == 1
    assert sum(not s["joined"] for s in started) == 1
    await hello.ended(started[0]["turn_id"])
    assert len(scripted(hello).requests) == 1
    later = await hello.ask("c1", "hello", message_id="m1")
    assert said(later) == "Hello there, friend."
    assert len(scripted(hello).requests) == 1


@pytest.mark.promise("P2")
async def test_another_body_under_the_same_id_is_refused(hello: House):
    await hello.ask("c1", "hello", message_id="m1")
    status, problem = await hello.post(
        "/api/threads/c1/turns", {"text": "hello!", "message_id": "m1"}
    )
    assert (status, problem["code"]) == (409, "key_reused")


async def test_a_second_message_while_one_is_answered_is_refused(hello: House):
    await hello.begin("c1", "gate")
    status, problem = await hello.post("/api/threads/c1/turns", {"text": "hello"})
    assert (status, problem["code"]) == (409, "turn_in_progress")
    scripted(hello).open("middle")


async def test_regenerate_and_edit_keep_earlier_versions(hello: House):
    await hello.ask("c1", "hello", message_id="m1")
    _, before = await hello.get("/api/threads/c1")
    first = before["messages"][1]["id"]
    await hello.ask("c1", "", trigger="regenerate", target=first)
    _, after = await hello.get("/api/threads/c1")
    assert len(after["messages"]) == 2
    second = after["messages"][1]
    assert second["versions"] == [first, second["id"]]
    await hello.ask("c1", "hello again", trigger="edit", target="m1")
    _, edited = await hello.get("/api/threads/c1")
    assert [len(m["versions"]) for m in edited["messages"]] == [2, 1]
    status, chosen = await hello.post("/api/threads/c1/versions", {"message_id": "m1"})
    assert status == 200
    assert chosen["messages"][0]["id"] == "m1"
    assert chosen["messages"][1]["id"] == second["id"]


async def test_the_model_sees_the_conversation_with_its_tools(hello: House):
    await hello.ask("c1", "please calculate")
    await hello.ask("c1", "hello")
    roles = [m["role"] for m in scripted(hello).requests[-1].messages]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]


async def test_the_ai_sdk_face_streams_resumes_and_stops(hello: House):
    message = {"id": "m1", "role": "user", "parts": [{"type": "text", "text": "gate"}]}
    body = {"id": "c1", "trigger": "submit-message", "message": message}
    async with hello.http.post(f"{hello.url}/api/chat", json=body) as response:
        assert response.headers["x-vercel-ai-ui-message-stream"] == "v1"
        await response.content.readuntil(b"Before")
    await asyncio.wait_for(scripted(hello).reached("middle"), WAIT_S)
    async with hello.http.get(f"{hello.url}/api/chat/c1/stream") as resumed:
        status, stopped = await hello.post("/api/chat/c1/stop")
        assert status == 202
        assert stopped["turn_id"]
        frames = parse_frames(await asyncio.wait_for(resumed.text(), WAIT_S))
    assert frames[-1].data == "[DONE]"
    assert frames[-2].body["type"] == "finish"
    assert frames[-2].body["messageMetadata"]["stopped"] is True
    assert (await _text(hello, "/api/chat/c1/stream"))[0] == 204
    assert (await _text(hello, "/api/chat/new-chat/stream"))[0] == 404


async def test_the_openai_face_answers_streamed_and_whole(hello: House):
    body = {"model": "parlour", "messages": [{"role": "user", "content": "please calculate"}]}
    status, whole = await hello.post("/v1/chat/completions", body)
    assert status == 200
    assert whole["choices"][0]["message"]["content"] == "Let me calculate. It is 409.5."
    assert whole["usage"]["prompt_tokens"] > 0
    _, listed = await hello.get("/api/threads")
    assert listed["threads"] == []
    status, problem = await hello.post("/v1/chat/completions", {**body, "model": "gpt-9"})
    assert (status, problem["code"]) == (404, "model_not_found")


async def _text(house: House, path: str) -> tuple[int, str]:
    async with house.http.get(house.url + path) as response:
        return response.status, await response.text()
