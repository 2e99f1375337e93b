"""What is shown, kept and forgotten of a question to a person."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from parlour.api.access import LOCAL
from parlour.domain import ThreadId
from tests.house import WAIT_S, House, final
from tests.journey.conftest import OpenHouse, Script
from tests.notes import Notes, asked, calling, decide_and_read, listed

MAIL = "ann.canary@example.org"
SCRIPT: Script = [
    calling(("add_note", {"text": "{{message}}"}), when="go"),
    calling(("search_web", {"q": "milk"}), when="search"),
]


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path / "notes")


@pytest.fixture
async def desk(open_house: OpenHouse, notes: Notes) -> AsyncIterator[House]:
    """A Parlour whose notes need approval."""
    async with open_house(SCRIPT, mcp={"notes": notes.server()}) as house:
        await listed(house)
        yield house


async def decided(house: House, thread: str, approval: str) -> None:
    """A decision that is stored, by a process that died before it could go on."""
    approvals = house.services.approvals
    found = await approvals.get(LOCAL, ThreadId(thread), approval)
    seal = approvals._signer.seal(found.signature, "approve", LOCAL.user)
    assert await approvals._store.decide(LOCAL, found, "approve", seal)


@pytest.mark.parametrize(("trusted", "gets"), [(True, MAIL), (False, "[EMAIL_1]")])
async def test_people_decide_on_what_the_server_will_really_get(
    open_house: OpenHouse, notes: Notes, trusted: bool, gets: str
):
    privacy = {"email": "mask", "clear_arguments": ["notes"] if trusted else []}
    settings: dict[str, Any] = {
        "mcp": {"notes": notes.server()},
        "policy": {"privacy": privacy},
    }
    async with open_house(SCRIPT, **settings) as house:
        await listed(house)
        (approval,) = asked(await house.ask("c1", f"go {MAIL}"))
        shown = {"text": f"go {gets}"}
        assert approval.arguments == shown
        (waiting,) = (await house.get("/api/threads/c1/approvals"))[1]["approvals"]
        assert waiting["arguments"] == shown
        _, body = await house.get("/api/threads/c1")
        assert body["messages"][1]["parts"][0]["approval"]["arguments"] == shown
        await decide_and_read(house, "c1", approval.approval_id)
    assert notes.calls() == [f"go {gets}"]


async def test_the_time_that_people_see_is_the_one_that_counts(desk: House):
    (approval,) = asked(await desk.ask("c1", "go"))
    rows = await desk.services.database.fetch("SELECT expires_at, now() FROM approvals")
    ((stored, now),) = rows
    assert approval.expires_at == stored.astimezone(UTC).isoformat(timespec="milliseconds")
    assert 0 < (stored - now).total_seconds() <= 900


async def test_what_a_token_said_is_forgotten_once_all_is_decided(desk: House):
    (approval,) = asked(await desk.ask("c1", "go"))
    query = "SELECT principal::text FROM approvals"
    assert "local" in (await desk.services.database.fetch(query))[0][0]
    await decide_and_read(desk, "c1", approval.approval_id)
    assert await desk.services.database.fetch(query) == [("{}",)]


async def test_what_was_declined_brings_in_no_text_of_others(open_house: OpenHouse, notes: Notes):
    async with open_house(SCRIPT, mcp={"notes": notes.server()}) as house:
        await listed(house)
        (approval,) = asked(await house.ask("c1", "go"))
        await decide_and_read(house, "c1", approval.approval_id, "decline")
        # It sends something out, so it would ask once text of others had been read.
        assert final(await house.ask("c1", "search")).status == "done"


async def test_one_decision_that_cannot_be_carried_out_does_not_keep_the_others(
    open_house: OpenHouse, notes: Notes
):
    settings: dict[str, Any] = {
        "mcp": {"notes": notes.server()},
        "limits": {"lease_s": 600},  # nobody sweeps but the test
    }
    async with open_house(SCRIPT, **settings) as house:
        await listed(house)
        for thread in ("bad", "good"):
            (approval,) = asked(await house.ask(thread, f"go {thread}"))
            await decided(house, thread, approval.approval_id)
        await house.services.database.fetch(
            "UPDATE approvals SET principal = '[]' WHERE thread = 'bad' RETURNING id"
        )
        await house.services.approvals.sweep(carry_out=True)
        async with asyncio.timeout(WAIT_S):
            while (await house.get("/api/threads/good"))[1]["messages"][-1]["status"] != "done":  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    assert notes.calls() == ["go good"]
