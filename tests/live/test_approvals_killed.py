"""kill -9 at every step from a question to its answer: nothing is lost, nothing happens twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from parlour.api.access import LOCAL
from parlour.chat.seals import Signer
from parlour.domain import ThreadId, TurnId
from parlour.store.approvals import Approvals
from parlour.store.database import Database
from tests.house import final, said
from tests.live.process import Served, script, served, until_token
from tests.live.test_process import until, until_answer
from tests.notes import Notes, asked, calling, decide, results

RULES = [
    calling(("add_note", {"text": "milk"})),
    calling(("add_note", {"text": "slow bread"}), when="slow"),
    {
        "when": "talk",
        "rounds": [
            [{"calls": [{"name": "notes__add_note", "arguments": {"text": "milk"}}]}],
            [{"text": "It is "}, {"gate": "never"}],
        ],
    },
    {
        "when": "gate",
        "rounds": [
            [{"calls": [{"name": "notes__add_note", "arguments": {"text": "milk"}}]}],
            [{"gate": "never"}],
        ],
    },
]


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path / "notes")


def given(folder: Path, notes: Notes, url: str) -> dict[str, str]:
    server = notes.server()
    toml = [
        "[mcp.notes]",
        f'command = "{server["command"]}"',
        f"args = {server['args']}",
        f"connect_s = {server['connect_s']}",
    ]
    (folder / "parlour.toml").write_text("\n".join(toml), encoding="utf-8")
    return {
        "PARLOUR_MODEL": script(folder, RULES),
        "PARLOUR_LIMITS__LEASE_S": "2",
        "PARLOUR_SHUTDOWN_S": "2",
        "PARLOUR_DATABASE_URL": url,
    }


async def ask(it: Served, text: str = "go") -> tuple[str, TurnId]:
    """Ask until the tool is there, and the call waits: its approval, and the turn."""
    if text != "go":
        await ask(it)  # put aside by the next question
    async with asyncio.timeout(30):
        while True:
            frames = await it.ask("c1", text)
            if asked(frames):
                return asked(frames)[0].approval_id, TurnId(frames[0].body["turn_id"])


async def read_on(it: Served) -> list[Any]:
    """The turn that went on by itself after a restart, read to its end."""
    answer = await until_answer(it, "c1", "done")
    return await it.read("c1", answer["turn"])


@pytest.mark.promise("P5")
async def test_killed_after_the_question_it_can_still_be_answered(
    tmp_path: Path, notes: Notes, database_url: str
):
    settings = given(tmp_path, notes, database_url)
    async with served(tmp_path, **settings) as first:
        approval, turn = await ask(first)
        await first.kill()
    async with served(tmp_path, **settings) as second:
        assert final(await second.read("c1", turn)).status == "waiting"
        status, body = await decide(second, "c1", approval, "approve")
        assert status == 202, body
        assert said(await second.read("c1", body["turn_id"])) == "It is done. Noted: milk"
    assert notes.calls() == ["milk"]


@pytest.mark.promise("P5")
@pytest.mark.parametrize(("decision", "calls"), [("approve", ["milk"]), ("decline", [])])
async def test_killed_after_the_decision_was_stored_it_is_carried_out(
    tmp_path: Path, notes: Notes, database_url: str, decision: str, calls: list[str]
):
    settings = given(tmp_path, notes, database_url)
    async with served(tmp_path, **settings) as first:
        approval, _ = await ask(first)
        # Where the process stands between the two steps: the decision is stored, and no more.
        await first.kill()
    await _store_decision(tmp_path, database_url, approval, decision)
    async with served(tmp_path, **settings) as second:
        frames = await read_on(second)
        status, problem = await decide(second, "c1", approval, "approve")
    assert (status, problem["code"]) == (409, "approval_decided")
    assert notes.calls() == calls
    assert [r.status for r in results(frames)] == ["ok" if calls else "declined"]


@pytest.mark.promise("P5")
async def test_killed_in_the_middle_of_the_call_its_outcome_is_unknown_and_it_is_not_repeated(
    tmp_path: Path, notes: Notes, database_url: str
):
    settings = given(tmp_path, notes, database_url)
    async with served(tmp_path, **settings) as first:
        approval, _ = await ask(first, "slow")
        status, _ = await decide(first, "c1", approval, "approve")
        assert status == 202
        await until(lambda: notes.calls() == ["slow bread"])
        await first.kill()
    notes.go()
    async with served(tmp_path, **settings) as second:
        frames = await read_on(second)
    assert notes.calls() == ["slow bread"]
    (result,) = results(frames)
    assert result.status == "failed"
    assert "not known" in result.text
    assert "not known" in said(frames)


@pytest.mark.promise("P5")
async def test_killed_after_the_call_its_result_is_kept_and_it_is_not_repeated(
    tmp_path: Path, notes: Notes, database_url: str
):
    settings = given(tmp_path, notes, database_url)
    async with served(tmp_path, **settings) as first:
        approval, _ = await ask(first, "gate")
        _, body = await decide(first, "c1", approval, "approve")
        path = f"/api/threads/c1/turns/{body['turn_id']}/events"
        async with first.http.get(first.url + path) as reader:
            await reader.content.readuntil(b"event: tool_result")
            await reader.content.readuntil(b"event: round_end")
            await first.kill()
    rules = [{**RULES[3], "rounds": [RULES[3]["rounds"][0], [{"text": "So: {{result}}"}]]}]
    settings["PARLOUR_MODEL"] = script(tmp_path, rules)
    async with served(tmp_path, **settings) as second:
        frames = await read_on(second)
    assert notes.calls() == ["milk"]
    assert [(r.status, r.text) for r in results(frames)] == [("ok", "Noted: milk")]
    assert said(frames) == "So: Noted: milk"


@pytest.mark.promise("P5", "P14")
@pytest.mark.parametrize("way", ["killed", "told to leave"])
async def test_while_it_goes_on_after_a_decision_nothing_is_lost_and_nothing_said_twice(
    tmp_path: Path, notes: Notes, database_url: str, way: str
):
    settings = given(tmp_path, notes, database_url)
    async with served(tmp_path, **settings) as first:
        approval, _ = await ask(first, "talk")
        await decide(first, "c1", approval, "approve")
        turn = (await until_answer(first, "c1", "running"))["turn"]
        await until_token(first, "c1", turn, 1)
        if way == "killed":
            await _until_kept(database_url, turn, "It is ")
            await first.kill()
        else:
            first.terminate()
            assert await first.ended(30) == 0
    rules = [{**RULES[2], "rounds": [RULES[2]["rounds"][0], [{"text": "It is done."}]]}]
    settings["PARLOUR_MODEL"] = script(tmp_path, rules)
    async with served(tmp_path, **settings) as second:
        frames = await read_on(second)
        _, body = await second.get("/api/threads/c1")
        lost = final(await second.read("c1", turn))
    assert lost.error is not None
    assert lost.error.code == "turn_lost"
    assert notes.calls() == ["milk"]
    assert [(r.status, r.text) for r in results(frames)] == [("ok", "Noted: milk")]
    assert said(frames) == "It is done."
    parts = body["messages"][-1]["parts"]
    assert [(part["type"], part["text"]) for part in parts if part["type"] != "notice"] == [
        ("tool", "Noted: milk"),
        ("text", "It is done."),
    ]


async def _until_kept(url: str, turn: str, words: str) -> None:
    """Wait for the heartbeat that stores what a turn has said."""
    database = await Database.open(url)
    query = "SELECT 1 FROM turns WHERE id = %(turn)s AND strpos(partial::text, %(words)s) > 0"
    try:
        async with asyncio.timeout(30):
            while not await database.fetch(query, {"turn": turn, "words": words}):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        await database.close()


async def _store_decision(folder: Path, url: str, approval: str, decision: str) -> None:
    """What `decide` does as its first step, and nothing else."""
    database = await Database.open(url)
    try:
        store = Approvals(database)
        asked_for = await store.get(LOCAL, ThreadId("c1"), approval)
        key = Signer((folder / "approvals.key").read_bytes())
        seal = key.seal(asked_for.signature, decision, LOCAL.user)
        assert await store.decide(LOCAL, asked_for, decision, seal)  # type: ignore[arg-type]
    finally:
        await database.close()
