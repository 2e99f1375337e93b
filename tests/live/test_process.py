"""`parlour serve` as a process: killed, told to leave, twice on one directory, without database."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.house import final, parse_frames, said
from tests.journey.test_garbage import SECRET, token
from tests.live.process import READY_S, Served, run, script, served, start

LEASE_S = 2
BOUND_S = 15  # of every wait for something that happens by itself
MANY = " ".join(f"w{number}" for number in range(2_000))
RULES: list[dict[str, Any]] = [
    {"when": "slow", "steps": [{"text": MANY, "pace": 40}]},
    {"when": "brief", "steps": [{"text": "one two three four five six", "pace": 8}]},
    {"when": "hello", "steps": [{"text": "Hello there."}]},
]


def given(folder: Path, **more: str) -> dict[str, str]:
    return {
        "PARLOUR_MODEL": script(folder, RULES),
        "PARLOUR_LIMITS__LEASE_S": str(LEASE_S),
        "PARLOUR_SHUTDOWN_S": "2",
        **more,
    }


async def answer_of(it: Served, thread: str) -> dict[str, Any]:
    """The newest answer of a conversation."""
    return (await it.get(f"/api/threads/{thread}"))[1]["messages"][-1]


def database_pids(folder: Path) -> list[int]:
    """The servers whose data lie below `folder`."""
    found = [file.read_text(encoding="utf-8").split() for file in folder.rglob("postmaster.pid")]
    return [int(lines[0]) for lines in found if lines]


def database_processes(folder: Path) -> list[int]:
    """The server whose data lie below `folder`, and its children."""
    (server,) = database_pids(folder)
    children = Path(f"/proc/{server}/task/{server}/children").read_text(encoding="ascii")
    return [server, *map(int, children.split())]


async def until(condition: Callable[[], bool], bound_s: float = BOUND_S) -> None:
    """Look until it is so: nothing in another process can wake us."""
    deadline = time.monotonic() + bound_s
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def until_answer(it: Served, thread: str, *statuses: str) -> dict[str, Any]:
    """The newest answer, once it has one of the statuses and says something."""
    async with asyncio.timeout(BOUND_S):
        while True:
            answer = await answer_of(it, thread)
            if answer["status"] in statuses and answer["parts"]:
                return answer
            await asyncio.sleep(0.01)


async def until_status(it: Served, path: str, status: int) -> aiohttp.ClientResponse:
    """The first answer of a path that has a status."""
    async with asyncio.timeout(BOUND_S):
        while True:
            async with it.http.get(it.url + path) as response:
                if response.status == status:
                    return response


async def is_unready(it: Served) -> bool:
    """Whether a probe is refused, by a 503 or by a closed door."""
    try:
        return (await it.get("/health/ready"))[0] == 503
    except aiohttp.ClientConnectionError:
        return True


async def taken_over(it: Served, thread: str, turn: str) -> None:
    """Wait until the process goes on with a turn that it has not begun."""
    url = f"{it.url}/api/threads/{thread}/turns/{turn}/events"
    async with it.http.get(url) as response:
        await response.content.readuntil(b'"restart"')


@pytest.mark.promise("P1")
@pytest.mark.promise("P5")
async def test_a_killed_process_loses_no_message_and_its_turn_goes_on(tmp_path: Path):
    async with served(tmp_path, **given(tmp_path)) as first:
        assert (await first.get("/api/threads"))[1]["threads"] == []
        async with first.start("c1", "slow", message_id="m1") as reader:
            turn = reader.headers["x-turn-id"]
            # At 40 words a second this is beyond the first heartbeats, which keep what was said.
            await reader.content.readuntil(b'"w0"')
            await reader.content.readuntil(b'" w50"')
            await first.kill()
    async with served(tmp_path, **given(tmp_path)) as second:
        started = time.monotonic()
        await taken_over(second, "c1", turn)
        assert time.monotonic() - started < BOUND_S
        await second.post(f"/api/threads/c1/turns/{turn}/stop")
        (words,) = (await until_answer(second, "c1", "stopped"))["parts"]
        assert MANY.startswith(words["text"])
        frames = await second.read("c1", turn)
        assert final(frames).status == "stopped"
        assert said(await second.ask("c1", "hello")) == "Hello there."
        _, body = await second.get("/api/threads/c1")
        assert [message["role"] for message in body["messages"]] == ["user", "assistant"] * 2
        assert body["messages"][0]["id"] == "m1"


@pytest.mark.promise("P14")
@pytest.mark.parametrize("signals", [1, 2])
async def test_sigterm_tells_readers_ends_turns_and_leaves_in_order(
    tmp_path: Path, database_url: str, signals: int
):
    settings = given(tmp_path, PARLOUR_DATABASE_URL=database_url)
    async with served(tmp_path, **settings) as leaving:
        brief = (await leaving.begin("c1", "brief"))["turn_id"]
        async with leaving.start("c2", "slow") as reader:
            slow = reader.headers["x-turn-id"]
            await reader.content.readuntil(b"w1")
            told = time.monotonic()
            leaving.terminate()
            rest = parse_frames((await reader.text()).partition("\n\n")[2])
            assert time.monotonic() - told < 2
        assert rest[-1].event == "reconnect"
        assert await is_unready(leaving)
        if signals == 2:
            leaving.terminate()
        assert await leaving.ended(within_s=10) == 0
        assert "Traceback" not in "\n".join(leaving.said)
    async with served(tmp_path, **settings) as after:
        finished = final(await after.read("c1", brief))
        assert finished.status == "done"
        await taken_over(after, "c2", slow)
        await after.post(f"/api/threads/c2/turns/{slow}/stop")
        assert final(await after.read("c2", slow)).status == "stopped"
        assert said(await after.ask("c2", "hello")) == "Hello there."


@pytest.mark.promise("P14")
async def test_a_process_that_leaves_says_so_before_it_closes_its_door(
    tmp_path: Path, database_url: str
):
    leaves = {"PARLOUR_SECRET": SECRET, "PARLOUR_SHUTDOWN_S": "25", "PARLOUR_UNREADY_S": "12"}
    settings = given(tmp_path, PARLOUR_DATABASE_URL=database_url, **leaves)
    async with served(tmp_path, **settings) as leaving:
        leaving.terminate()
        await until_status(leaving, "/health/ready", 503)
        # A balancer that has not looked yet sends people here all the same.
        headers = {"authorization": f"Bearer {token('ann')}"}
        async with leaving.start("c1", "hello", headers) as response:
            assert response.status == 200
            assert said(parse_frames(await response.text())) == "Hello there."
        leaving.terminate()
        assert await leaving.ended(within_s=10) == 0
        assert "Traceback" not in "\n".join(leaving.said)


@pytest.mark.promise("P14")
async def test_a_process_whose_database_hangs_leaves_in_time_and_its_turn_goes_on(tmp_path: Path):
    settings = given(tmp_path)
    async with served(tmp_path, **settings) as leaving:
        async with leaving.start("c1", "slow") as reader:
            turn = reader.headers["x-turn-id"]
            await reader.content.readuntil(b'"w0"')
            hung = database_processes(tmp_path)
            for pid in hung:
                os.kill(pid, signal.SIGSTOP)
            leaving.terminate()
            assert await leaving.ended(within_s=BOUND_S) == 1
        await leaving.close()
        assert "exit_forced" in "\n".join(leaving.said)
        for pid in hung:
            os.kill(pid, signal.SIGCONT)
    async with served(tmp_path, **settings) as after:
        await taken_over(after, "c1", turn)
        await after.post(f"/api/threads/c1/turns/{turn}/stop")
        assert final(await after.read("c1", turn)).status == "stopped"


async def test_a_process_that_is_told_to_leave_while_it_starts_leaves(tmp_path: Path):
    process = await start("serve", folder=tmp_path, **given(tmp_path))
    await until(lambda: bool(database_pids(tmp_path)))
    process.send_signal(signal.SIGTERM)
    _, said_last = await asyncio.wait_for(process.communicate(), BOUND_S)
    assert process.returncode == 0, said_last.decode()
    assert b"Traceback" not in said_last
    assert not database_pids(tmp_path)


async def test_two_processes_share_one_data_directory(tmp_path: Path):
    async with (
        served(tmp_path, **given(tmp_path)) as one,
        served(tmp_path, **given(tmp_path)) as two,
    ):
        assert one.url != two.url
        assert said(await one.ask("c1", "hello")) == "Hello there."
        assert said(await two.ask("c1", "hello")) == "Hello there."
        assert len((await one.get("/api/threads/c1"))[1]["messages"]) == 4
        one.terminate()
        assert await one.ended(within_s=15) == 0
        # The database belongs to both: it stays as long as one of them does.
        assert said(await two.ask("c2", "hello")) == "Hello there."
    assert not database_pids(tmp_path)


@pytest.mark.promise("P5")
async def test_without_its_database_it_refuses_and_then_heals_by_itself(tmp_path: Path):
    async with served(tmp_path, **given(tmp_path)) as it:
        await it.ask("c1", "hello")
        (pid,) = database_pids(tmp_path)
        os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        refused = await until_status(it, "/api/threads", 503)
        assert time.monotonic() - killed < 2
        assert int(refused.headers["retry-after"]) > 0
        assert refused.content_type == "application/problem+json"
        await until_status(it, "/health/ready", 200)
        assert time.monotonic() - killed < 10
        assert said(await it.ask("c1", "hello")) == "Hello there."
        assert len((await it.get("/api/threads/c1"))[1]["messages"]) == 4
        assert it.process.returncode is None


async def test_chat_answers_on_a_pipe(tmp_path: Path, database_url: str):
    settings = given(tmp_path, PARLOUR_DATABASE_URL=database_url)
    code, out, _ = await run(
        "chat", "--thread", "c1", folder=tmp_path, said="hello\nbrief\n", **settings
    )
    assert code == 0
    assert "Hello there." in out
    assert "one two three four five six" in out
    assert "parlour chat --thread c1" in out
    async with served(tmp_path, **settings) as it:
        assert len((await it.get("/api/threads/c1"))[1]["messages"]) == 4


NAME_IT: list[dict[str, Any]] = [
    {
        "when": "name it",
        "rounds": [
            [{"calls": [{"name": "parlour__name_conversation", "arguments": {"title": "Milk"}}]}],
            [{"text": "So: {{result}}"}],
        ],
    }
]


@pytest.mark.parametrize(("typed", "title"), [("y", "Milk"), ("n", "name it"), ("", "name it")])
async def test_chat_asks_before_something_is_changed(
    tmp_path: Path, database_url: str, typed: str, title: str
):
    settings = {
        **given(tmp_path, PARLOUR_DATABASE_URL=database_url),
        "PARLOUR_MODEL": script(tmp_path, NAME_IT),
    }
    lines = "\n".join(["name it", *([typed] if typed else [])]) + "\n"
    code, out, _ = await run("chat", "--thread", "c1", folder=tmp_path, said=lines, **settings)
    assert code == 0
    assert "Your decision: Rename this conversation (parlour: name_conversation)" in out
    assert "As: You. It can be undone. It expires at " in out
    assert '"title": "Milk"' in out
    assert ("is called “Milk” now" in out) == (typed == "y")
    assert ("the user did not allow this" in out) == (typed != "y")
    async with served(tmp_path, **settings) as it:
        _, body = await it.get("/api/threads/c1")
        assert body["thread"]["title"] == title
        assert body["messages"][-1]["status"] == "done"


async def test_at_a_terminal_chat_asks_until_it_is_answered(tmp_path: Path, database_url: str):
    settings = {
        **given(tmp_path, PARLOUR_DATABASE_URL=database_url),
        "PARLOUR_MODEL": script(tmp_path, NAME_IT),
    }
    ours, theirs = pty.openpty()
    screen = bytearray()
    loop = asyncio.get_running_loop()
    process = await start("chat", "--thread", "c1", folder=tmp_path, terminal=theirs, **settings)
    os.close(theirs)

    def read() -> None:
        with contextlib.suppress(OSError):  # nobody is at the other end any more
            screen.extend(os.read(ours, 65_536))

    loop.add_reader(ours, read)
    try:
        await until(lambda: b"> " in screen, READY_S)
        os.write(ours, b"name it\n")
        await until(lambda: screen.count(b"Do it? y/n ") == 1)
        os.write(ours, b"perhaps\n")
        await until(lambda: screen.count(b"Do it? y/n ") == 2)
        os.write(ours, b"Y\n")
        await until(lambda: "So: This conversation is called “Milk” now.".encode() in screen)
        os.write(ours, b"/quit\n")
        await until(lambda: b"Continue with:" in screen)
    finally:
        loop.remove_reader(ours)
        os.close(ours)
    assert await asyncio.wait_for(process.wait(), BOUND_S) == 0
