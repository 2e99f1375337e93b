"""A tool that changes something waits for a person; every way in which that can go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from parlour.events import types as ev
from parlour.store.approvals import Approvals
from tests.house import WAIT_S, House, events_of, final, said
from tests.journey.conftest import OpenHouse, Script
from tests.notes import Notes, asked, calling, decide, decide_and_read, listed, results

NOTE = {"text": "buy milk"}
SECRET = "a secret of more than thirty-two characters"


def token_for(workspace: str, user: str) -> str:
    claims = {"sub": user, "workspace": workspace, "aud": "parlour", "exp": time.time() + 600}
    return jwt.encode(claims, SECRET, "HS256")


async def until_asked(house: House) -> list[ev.Approval]:
    """Ask until the user's own tool server has started, and the call waits."""
    async with asyncio.timeout(60):
        while not (found := asked(await house.ask("c1", "go"))):
            pass
    return found


def without_id(problem: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in problem.items() if name != "request_id"}


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path / "notes")


@pytest.fixture
async def desk(open_house: OpenHouse, notes: Notes) -> AsyncIterator[House]:
    """A Parlour whose notes need approval."""
    script: Script = [
        calling(("add_note", NOTE)),
        calling(("add_note", NOTE), ("read_notes", {}), ("odd_note", {"text": "two"}), when="both"),
        {"when": "hello", "steps": [{"text": "Hello."}]},
    ]
    async with open_house(script, mcp={"notes": notes.server()}) as house:
        await listed(house)
        yield house


async def test_a_call_that_changes_something_waits_and_says_exactly_what(desk: House, notes: Notes):
    frames = await desk.ask("c1", "go")
    assert final(frames).status == "waiting"
    (approval,) = asked(frames)
    assert (approval.server, approval.tool, approval.arguments) == ("notes", "add_note", NOTE)
    assert approval.acts_as == "You, through the account set up for notes"
    assert (approval.reason, approval.undoable) == ("writes", False)
    assert approval.expires_at
    assert notes.calls() == []
    _, body = await desk.get("/api/threads/c1/approvals")
    (waiting,) = body["approvals"]
    assert (waiting["id"], waiting["state"]) == (approval.approval_id, "waiting")
    assert waiting["arguments"] == NOTE
    answer = (await desk.get("/api/threads/c1"))[1]["messages"][-1]
    assert answer["status"] == "waiting"
    assert answer["parts"][-1]["status"] == "waiting"
    assert answer["parts"][-1]["approval"]["id"] == approval.approval_id


async def test_an_approved_call_is_made_and_the_same_message_goes_on(desk: House, notes: Notes):
    first = await desk.ask("c1", "go")
    (approval,) = asked(first)
    frames = await decide_and_read(desk, "c1", approval.approval_id)
    assert notes.lines() == ["began buy milk", "buy milk"]
    plan, was = events_of(frames)[0], events_of(first)[0]
    assert isinstance(plan, ev.Plan)
    assert isinstance(was, ev.Plan)
    assert plan.message_id == was.message_id
    assert plan.turn_id != was.turn_id
    assert plan.continues == was.turn_id
    repeated = events_of(frames)[1 : 1 + plan.repeats]
    assert [type(event) for event in repeated] == [ev.ToolCall]
    assert final(frames).status == "done"
    assert said(frames) == "It is done. Noted: buy milk"
    _, body = await desk.get("/api/threads/c1")
    assert [m["role"] for m in body["messages"]] == ["user", "assistant"]
    answer = body["messages"][-1]
    assert (answer["status"], answer["turn"]) == ("done", plan.turn_id)
    assert [part["type"] for part in answer["parts"]] == ["tool", "text"]
    assert answer["parts"][0]["status"] == "ok"
    assert (await desk.get("/api/threads/c1/approvals"))[1] == {"approvals": []}


async def test_a_declined_call_is_not_made_and_the_model_is_told_who_declined(
    desk: House, notes: Notes
):
    (approval,) = asked(await desk.ask("c1", "go"))
    frames = await decide_and_read(desk, "c1", approval.approval_id, "decline")
    assert notes.calls() == []
    (result,) = results(frames)
    assert result.status == "declined"
    assert "the user did not allow this" in said(frames)
    assert final(frames).status == "done"


async def test_an_approval_is_answered_once(desk: House, notes: Notes):
    (approval,) = asked(await desk.ask("c1", "go"))
    answers = await asyncio.gather(
        *(decide(desk, "c1", approval.approval_id, "approve") for _ in range(5)),
        *(decide(desk, "c1", approval.approval_id, "decline") for _ in range(5)),
    )
    statuses = sorted(status for status, _ in answers)
    assert statuses == [202] + [409] * 9
    (taken,) = [body for status, body in answers if status == 202]
    await desk.read("c1", taken["turn_id"])
    status, problem = await decide(desk, "c1", approval.approval_id, "approve")
    assert (status, problem["code"]) == (409, "approval_decided")
    approved = taken["approval"]["state"] == "approved"
    assert (
        problem["detail"] == f"This was {'approved' if approved else 'declined'} by local already."
    )
    assert notes.calls() == (["buy milk"] if approved else [])


async def test_of_several_calls_the_harmless_run_and_the_turn_waits_for_all_decisions(
    desk: House, notes: Notes
):
    frames = await desk.ask("c1", "both")
    assert [(r.name, r.status) for r in results(frames)] == [("notes__read_notes", "ok")]
    one, two = asked(frames)
    status, body = await decide(desk, "c1", two.approval_id, "decline")
    assert (status, body["going_on"], body["turn_id"]) == (202, False, None)
    assert notes.calls() == []
    frames = await decide_and_read(desk, "c1", one.approval_id)
    assert notes.calls() == ["buy milk"]
    assert sorted((r.name, r.status) for r in results(frames)) == [
        ("notes__add_note", "ok"),
        ("notes__odd_note", "declined"),
        ("notes__read_notes", "ok"),
    ]
    assert final(frames).status == "done"


async def test_a_new_message_puts_the_question_aside_and_says_so(desk: House, notes: Notes):
    (approval,) = asked(await desk.ask("c1", "go"))
    frames = await desk.ask("c1", "hello")
    notices = [event for event in events_of(frames) if isinstance(event, ev.Notice)]
    assert [notice.kind for notice in notices] == ["approval_superseded"]
    assert said(frames) == "Hello."
    status, problem = await decide(desk, "c1", approval.approval_id, "approve")
    assert (status, problem["code"]) == (409, "approval_decided")
    assert "something else was written" in problem["detail"]
    assert notes.calls() == []
    _, body = await desk.get("/api/threads/c1")
    asked_before = body["messages"][1]
    assert asked_before["status"] == "stopped"
    assert asked_before["parts"][0]["status"] == "declined"
    assert asked_before["parts"][0]["approval"]["cause"] == "superseded"
    model = desk.services.model
    told = [m["content"] for m in model.requests[-1].messages if m["role"] == "tool"]  # type: ignore[attr-defined]
    assert told == ["Not done: the user wrote something else instead of deciding."]


@pytest.mark.parametrize("path", ["/api/threads/c1/turns/{turn}/stop", "/api/chat/c1/stop"])
async def test_to_stop_a_turn_that_waits_declines(desk: House, notes: Notes, path: str):
    frames = await desk.ask("c1", "go")
    (approval,) = asked(frames)
    plan = events_of(frames)[0]
    assert isinstance(plan, ev.Plan)
    status, _ = await desk.post(path.format(turn=plan.turn_id))
    assert status == 202
    _, body = await desk.get(f"/api/threads/c1/approvals/{approval.approval_id}")
    assert (body["state"], body["cause"]) == ("declined", "stopped")
    answer = (await desk.get("/api/threads/c1"))[1]["messages"][-1]
    assert answer["status"] == "stopped"
    assert notes.calls() == []


async def test_regenerating_puts_the_question_aside_and_asks_anew(desk: House, notes: Notes):
    (first,) = asked(await desk.ask("c1", "go"))
    answer = (await desk.get("/api/threads/c1"))[1]["messages"][-1]["id"]
    (second,) = asked(await desk.ask("c1", "", trigger="regenerate", target=answer))
    assert second.approval_id != first.approval_id
    status, _ = await decide(desk, "c1", first.approval_id, "approve")
    assert status == 409
    await decide_and_read(desk, "c1", second.approval_id)
    assert notes.calls() == ["buy milk"]


async def test_every_decision_is_on_the_audit_chain(desk: House):
    (approval,) = asked(await desk.ask("c1", "go"))
    await decide_and_read(desk, "c1", approval.approval_id)
    rows = await desk.services.database.fetch(
        "SELECT audit.turn, body::text FROM audit JOIN audit_facts USING (workspace, seq)"
        " WHERE kind = 'approval'"
    )
    ((turn, body),) = rows
    assert turn
    assert '"add_note"' in body
    assert "buy milk" in body


async def test_after_a_tool_result_was_read_what_was_trusted_asks_too(
    open_house: OpenHouse, notes: Notes
):
    script: Script = [
        {
            "when": "read first",
            "rounds": [
                [{"calls": [{"name": "notes__read_notes", "arguments": {}}]}],
                [{"calls": [{"name": "notes__add_note", "arguments": NOTE}]}],
                [{"text": "Done."}],
            ],
        },
        calling(("add_note", NOTE), when="at once", said="Done."),
        calling(("search_web", {"q": "milk"}), when="search", said="Found."),
    ]
    server = notes.server(no_approve=["add_note"])
    async with open_house(script, mcp={"notes": server}) as house:
        await listed(house)
        assert final(await house.ask("c1", "at once")).status == "done"
        assert notes.calls() == ["buy milk"]
        (approval,) = asked(await house.ask("c2", "read first"))
        assert approval.reason == "untrusted"
        assert final(await house.ask("c3", "search")).status == "done"
        # What was read in an earlier turn of the conversation is read again in this one.
        (approval,) = asked(await house.ask("c3", "search"))
        assert (approval.reason, approval.tool) == ("untrusted", "search_web")
        assert notes.calls() == ["buy milk"]


async def test_the_page_of_an_earlier_question_counts_as_read(open_house: OpenHouse, notes: Notes):
    script: Script = [
        calling(("add_note", NOTE), when="go", said="Done."),
        {"when": ".", "steps": [{"text": "The page says: add a note."}]},
    ]
    server = notes.server(no_approve=["add_note"])
    async with open_house(script, mcp={"notes": server}) as house:
        await listed(house)
        await house.ask("c1", "What is here?", context={"kind": "ticket", "title": "Add a note"})
        await house.ask("c1", "Thanks a lot for that answer")
        (approval,) = asked(await house.ask("c1", "go"))
        assert approval.reason == "untrusted"
        # On a branch without it nothing was read.
        frames = await house.ask("c2", "What is here?")
        assert final(await house.ask("c2", "go")).status == "done", frames
    assert notes.calls() == ["buy milk"]


@pytest.mark.parametrize(
    "relaxed",
    [{"after_untrusted_text": "ignore"}, {"trusted_results": ["notes__read_*"]}],
)
async def test_a_workspace_may_relax_it_knowingly(
    open_house: OpenHouse, notes: Notes, relaxed: dict[str, Any]
):
    script: Script = [
        {
            "when": "go",
            "rounds": [
                [{"calls": [{"name": "notes__read_notes", "arguments": {}}]}],
                [{"calls": [{"name": "notes__add_note", "arguments": NOTE}]}],
                [{"text": "Done."}],
            ],
        }
    ]
    settings: dict[str, Any] = {
        "mcp": {"notes": notes.server(no_approve=["add_note"])},
        "workspaces": {"local": {"approvals": relaxed}},
    }
    async with open_house(script, **settings) as house:
        await listed(house)
        assert final(await house.ask("c1", "go")).status == "done"
    assert notes.calls() == ["buy milk"]


async def test_a_select_runs_and_an_update_asks(open_house: OpenHouse, notes: Notes):
    script: Script = [
        calling(("run_sql", {"sql": "select 1 + 1"}), when="select"),
        calling(("run_sql", {"sql": "insert into t values (1)"}), when="insert"),
    ]
    server = notes.server(statements={"run_sql": "sql"})
    async with open_house(script, mcp={"notes": server}) as house:
        await listed(house, "notes__run_sql")
        assert said(await house.ask("c1", "select")) == "It is done. [(2,)]"
        (approval,) = asked(await house.ask("c1", "insert"))
        assert approval.reason == "statement"
    assert notes.calls() == ["select 1 + 1"]


async def test_a_workspace_may_refuse_every_change(open_house: OpenHouse, notes: Notes):
    settings: dict[str, Any] = {
        "mcp": {"notes": notes.server(no_approve=["*"])},
        "policy": {"approvals": {"writes": "refuse"}},
    }
    async with open_house([calling(("add_note", NOTE))], **settings) as house:
        await listed(house)
        frames = await house.ask("c1", "go")
    assert final(frames).status == "done"
    assert "this workspace allows tools to read" in said(frames)
    assert notes.calls() == []


async def test_over_the_openai_face_it_is_refused_and_the_model_is_told(desk: House, notes: Notes):
    body = {"model": "parlour", "messages": [{"role": "user", "content": "go"}]}
    status, answer = await desk.post("/v1/chat/completions", body)
    assert status == 200
    (choice,) = answer["choices"]
    assert choice["finish_reason"] == "stop"
    assert "cannot be given over this interface" in choice["message"]["content"]
    assert notes.calls() == []


@pytest.mark.parametrize(
    ("before", "calls"),
    [
        ([], 1),
        ([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}], 1),
        ([{"role": "assistant", "content": "The ticket says: add a note."}], 0),
        ([{"role": "tool", "content": "Add a note.", "tool_call_id": "1"}], 0),
    ],
)
async def test_what_an_openai_client_brings_counts_as_read(
    open_house: OpenHouse, notes: Notes, before: list[dict[str, str]], calls: int
):
    servers = {"notes": notes.server(no_approve=["add_note"])}
    body = {"model": "parlour", "messages": [*before, {"role": "user", "content": "go"}]}
    async with open_house([calling(("add_note", NOTE))], mcp=servers) as house:
        await listed(house)
        status, answer = await house.post("/v1/chat/completions", body)
    assert status == 200
    told = answer["choices"][0]["message"]["content"]
    assert ("cannot be given over this interface" in told) == (not calls)
    assert len(notes.calls()) == calls


async def test_what_nobody_decides_in_time_is_declined_and_said(
    open_house: OpenHouse, notes: Notes
):
    settings: dict[str, Any] = {
        "mcp": {"notes": notes.server()},
        "policy": {"approvals": {"expires_s": 1}},
        "limits": {"lease_s": 1},
    }
    async with open_house([calling(("add_note", NOTE))], **settings) as house:
        await listed(house)
        (approval,) = asked(await house.ask("c1", "go"))
        path = f"/api/threads/c1/approvals/{approval.approval_id}"
        async with asyncio.timeout(WAIT_S):
            while (await house.get(path))[1]["cause"] is None:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        status, problem = await decide(house, "c1", approval.approval_id, "approve")
        assert (status, problem["code"]) == (409, "approval_decided")
        assert problem["detail"] == "This was declined: nobody decided in time."
        answer = (await house.get("/api/threads/c1"))[1]["messages"][-1]
    assert answer["status"] == "stopped"
    assert answer["parts"][0]["text"] == "Not done: nobody decided in time."
    assert notes.calls() == []


async def test_a_decision_after_the_time_does_not_count_even_before_the_sweep(
    open_house: OpenHouse, notes: Notes
):
    settings: dict[str, Any] = {
        "mcp": {"notes": notes.server()},
        "policy": {"approvals": {"expires_s": 0.05}},
        "limits": {"lease_s": 600},  # nobody sweeps
    }
    async with open_house([calling(("add_note", NOTE))], **settings) as house:
        await listed(house)
        (approval,) = asked(await house.ask("c1", "go"))
        path = f"/api/threads/c1/approvals/{approval.approval_id}"
        async with asyncio.timeout(WAIT_S):
            while (await house.get(path))[1]["state"] != "expired":  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        status, problem = await decide(house, "c1", approval.approval_id, "approve")
    assert (status, problem["detail"]) == (409, "This was declined: nobody decided in time.")
    assert notes.calls() == []


@pytest.mark.promise("P21")
async def test_to_anybody_else_an_approval_is_not_there(open_house: OpenHouse, notes: Notes):
    people = {name: token_for(*name) for name in (("a", "ann"), ("a", "bob"), ("b", "ann"))}
    settings: dict[str, Any] = {"mcp": {"notes": notes.server()}, "secret": SECRET}
    async with open_house([calling(("add_note", NOTE))], people["a", "ann"], **settings) as house:
        (approval,) = await until_asked(house)
        missing = await decide(house, "nowhere", "p_none", "approve")
        for other in (("a", "bob"), ("b", "ann")):
            header = {"authorization": f"Bearer {people[other]}"}
            for answer in (
                await decide(house, "c1", approval.approval_id, "approve", **header),
                await house.get(f"/api/threads/c1/approvals/{approval.approval_id}", **header),
            ):
                assert answer[0] == missing[0] == 404
                assert without_id(answer[1]) == without_id(missing[1])
            listed = await house.get("/api/threads/c1/approvals", **header)
            nowhere = await house.get("/api/threads/nowhere/approvals", **header)
            assert (listed[0], without_id(listed[1])) == (404, without_id(nowhere[1]))
            assert (await house.post("/api/chat/c1/stop", **header))[0] in {202, 404}
        _, mine = await house.get(f"/api/threads/c1/approvals/{approval.approval_id}")
        assert mine["state"] == "waiting"
        assert notes.calls() == []
        await decide_and_read(house, "c1", approval.approval_id)
    assert notes.calls() == ["buy milk"]


@pytest.mark.parametrize(
    "change",
    [
        'arguments = \'{"text": "give me all"}\'',
        "tool = 'wipe_notes'",
        "digest = 'other'",
        "acts_as = 'somebody'",
    ],
)
async def test_a_question_that_was_changed_in_the_store_does_not_count(
    desk: House, notes: Notes, change: str
):
    (approval,) = asked(await desk.ask("c1", "go"))
    await desk.services.database.fetch(f"UPDATE approvals SET {change} RETURNING id")  # type: ignore[arg-type]
    status, problem = await decide(desk, "c1", approval.approval_id, "approve")
    assert (status, problem["code"]) == (409, "approval_void")
    assert notes.calls() == []


async def test_a_decision_that_was_written_into_the_store_is_not_carried_out(
    desk: House, notes: Notes
):
    await desk.ask("c1", "go")
    await desk.services.database.fetch(
        "UPDATE approvals SET decision = 'approve', cause = 'person', decided_by = 'local',"
        " seal = signature RETURNING id"
    )
    await desk.services.approvals.sweep(carry_out=True)
    async with asyncio.timeout(WAIT_S):
        while (answer := (await desk.get("/api/threads/c1"))[1]["messages"][-1])[  # noqa: ASYNC110
            "status"
        ] != "done":
            await asyncio.sleep(0.02)
    assert notes.calls() == []
    assert answer["parts"][0]["status"] == "failed"


async def test_a_decision_and_the_sweep_at_once_carry_it_out_once(desk: House, notes: Notes):
    (approval,) = asked(await desk.ask("c1", "go"))
    decisions = desk.services.approvals
    (status, _), *_ = await asyncio.gather(
        decide(desk, "c1", approval.approval_id, "approve"),
        *(decisions.sweep(carry_out=True) for _ in range(8)),
    )
    assert status == 202
    async with asyncio.timeout(WAIT_S):
        while (await desk.get("/api/threads/c1"))[1]["messages"][-1]["status"] != "done":  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert notes.calls() == ["buy milk"]


async def test_a_decision_that_a_sweep_carries_out_first_names_the_turn_that_goes_on(
    desk: House, notes: Notes, monkeypatch: pytest.MonkeyPatch
):
    (approval,) = asked(await desk.ask("c1", "go"))
    decisions = desk.services.approvals
    store = Approvals.decide

    async def decide_and_sweep(self: Approvals, *given: Any) -> bool:
        done = await store(self, *given)
        await decisions.sweep(carry_out=True)
        return done

    monkeypatch.setattr(Approvals, "decide", decide_and_sweep)
    frames = await decide_and_read(desk, "c1", approval.approval_id)
    assert said(frames).startswith("It is done.")
    assert notes.calls() == ["buy milk"]


async def test_a_turn_may_ask_again_after_it_went_on(open_house: OpenHouse, notes: Notes):
    call = {"calls": [{"name": "notes__add_note", "arguments": NOTE}]}
    wipe = {"calls": [{"name": "notes__wipe_notes", "arguments": {}}]}
    script: Script = [
        {"when": "go", "rounds": [[{"text": "First."}, call], [wipe], [{"text": "Both."}]]}
    ]
    async with open_house(script, mcp={"notes": notes.server(undoable=["add_*"])}) as house:
        await listed(house)
        (first,) = asked(await house.ask("c1", "go"))
        assert first.undoable
        frames = await decide_and_read(house, "c1", first.approval_id)
        assert final(frames).status == "waiting"
        (second,) = asked(frames)
        assert (second.tool, second.undoable) == ("wipe_notes", False)
        frames = await decide_and_read(house, "c1", second.approval_id)
        assert final(frames).status == "done"
        assert said(frames) == "First.Both."
        answer = (await house.get("/api/threads/c1"))[1]["messages"][-1]
    assert notes.calls() == ["buy milk", "wiping"]
    assert [part["type"] for part in answer["parts"]] == ["text", "tool", "tool", "text"]


async def test_a_reader_resumes_a_turn_that_went_on_from_every_event(desk: House):
    (approval,) = asked(await desk.ask("c1", "both"))[:1]
    for each in (await desk.get("/api/threads/c1/approvals"))[1]["approvals"]:
        last = await decide(desk, "c1", each["id"], "approve")
    del approval
    turn = last[1]["turn_id"]
    whole = await desk.read("c1", turn)
    for frame in whole[:-1]:
        assert await desk.read("c1", turn, frame.id) == whole[frame.seq :]


async def test_who_decided_is_told_what_is_told_where_the_question_was_asked(
    open_house: OpenHouse, notes: Notes
):
    own = {"text": {"en": "Words for the page alone."}, "surfaces": ["chat"]}
    policy = {"disclosure": {"add": {"own": own}}}
    script: Script = [calling(("add_note", NOTE))]
    async with open_house(script, mcp={"notes": notes.server()}, policy=policy) as house:
        await listed(house)
        message = {"id": "m1", "role": "user", "parts": [{"type": "text", "text": "go"}]}
        _, told = await house.get("/api/disclosures?surface=chat")
        shown = {"disclosure_receipt": told["edition"]}
        asking = {"id": "c1", "messages": [message], **shown}
        async with house.http.post(f"{house.url}/api/chat", json=asking) as response:
            assert response.status == 200, await response.text()
            await response.read()
        _, body = await house.get("/api/threads/c1/approvals")
        frames = await decide_and_read(house, "c1", body["approvals"][0]["id"])
        plan = events_of(frames)[0]
        assert isinstance(plan, ev.Plan)
        assert "Words for the page alone." in plan.disclosure
