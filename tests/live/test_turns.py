"""Claiming and ending turns, against a real Postgres."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from parlour.api.shapes import MessageBody
from parlour.domain import (
    ErrorPart,
    MessageId,
    ModelCall,
    Principal,
    Role,
    TextPart,
    ThreadId,
    ToolPart,
    TurnId,
    TurnStatus,
)
from parlour.errors import (
    KeyReused,
    MessageNotFound,
    ThreadNotFound,
    TurnInProgress,
    TurnNotFound,
)
from parlour.store.database import Database
from parlour.store.lost import Leave
from parlour.store.threads import Threads
from parlour.store.turns import Claim, Turns
from tests.live.steps import (
    ANN,
    ANN_ELSEWHERE,
    BOB,
    THREAD,
    claimed,
    count,
    exchange,
    finish,
    new_turn,
    words,
)


def unpriced(_: str, call: ModelCall) -> ModelCall:
    return call


async def test_a_claim_saves_the_question_and_hands_out_the_history(database: Database) -> None:
    turns = Turns(database)
    first = await exchange(turns, "One")
    second = await claimed(turns, new_turn("Two"))
    assert first.parent is None
    assert second.parent == first.user_message.replace("question", "answer")
    assert words(second.history) == ["One", "Re: One", "Two"]
    assert [message.role for message in second.history] == [Role.USER, Role.ASSISTANT, Role.USER]
    assert second.history[-1].id == second.user_message
    turn = await turns.get(ANN, THREAD, second.turn)
    assert (turn.status, turn.fence, turn.owner) == (TurnStatus.RUNNING, second.fence, "process-1")
    assert await turns.running(ANN, THREAD) == second.turn


@pytest.mark.promise("P1")
async def test_nothing_is_seen_of_a_claim_before_its_commit(database: Database) -> None:
    turns = Turns(database)
    claim = await turns.claim(new_turn(), window=20)
    assert await count(database, "messages") == 0
    await claim.abandon()
    assert await count(database, "threads") == 0


async def test_the_window_bounds_the_history_whatever_the_length(database: Database) -> None:
    turns = Turns(database)
    for number in range(6):
        await exchange(turns, str(number))
    claim = await claimed(turns, new_turn("last"), window=4)
    assert words(claim.history) == ["Re: 4", "5", "Re: 5", "last"]
    await finish(turns, claim)
    only = await claimed(turns, new_turn("alone"), window=1)
    assert words(only.history) == ["alone"]


@pytest.mark.promise("P2")
async def test_the_same_key_again_joins_the_turn_running_or_ended(database: Database) -> None:
    turns = Turns(database)
    first = await claimed(turns, new_turn("Hello", client_id="k"))
    again = await claimed(turns, new_turn("Hello", client_id="k"))
    assert again.joined == first.turn
    await finish(turns, first)
    late = await claimed(turns, new_turn("Hello", client_id="k"))
    assert late.joined == first.turn
    assert await count(database, "turns") == 1


@pytest.mark.promise("P2")
async def test_the_same_key_with_another_body_is_refused(database: Database) -> None:
    turns = Turns(database)
    await exchange(turns, "Hello", client_id="k")
    with pytest.raises(KeyReused):
        await turns.claim(new_turn("Good bye", client_id="k"), window=20)


async def test_an_answers_id_cannot_be_used_for_a_question(database: Database) -> None:
    turns = Turns(database)
    first = new_turn("Hello")
    await finish(turns, await claimed(turns, first))
    with pytest.raises(KeyReused):
        await turns.claim(new_turn("Mine", client_id=first.assistant_message), window=20)


@pytest.mark.promise("P2")
async def test_fifty_posts_of_one_message_make_one_turn(database_url: str) -> None:
    processes = [await Database.open(database_url, agent_pool=8) for _ in range(3)]

    async def post(number: int) -> Claim:
        return await claimed(
            Turns(processes[number % 3]), new_turn("Hello", client_id="k", owner=f"p{number % 3}")
        )

    claims = await asyncio.gather(*(post(number) for number in range(50)))
    winners = [claim for claim in claims if claim.joined is None]
    assert len(winners) == 1
    assert {claim.joined for claim in claims} == {None, winners[0].turn}
    assert await count(processes[0], "turns") == 1
    assert await count(processes[0], "messages") == 2
    for database in processes:
        await database.close()


@pytest.mark.promise("P2")
async def test_when_the_winner_abandons_one_of_the_others_wins(database: Database) -> None:
    turns = Turns(database)
    first = await turns.claim(new_turn("Hello", client_id="k"), window=20)
    others = [
        asyncio.create_task(claimed(turns, new_turn("Hello", client_id="k"))) for _ in range(5)
    ]
    await until_waiting_for_locks(database, 5)
    await first.abandon()
    claims = await asyncio.gather(*others)
    assert sum(claim.joined is None for claim in claims) == 1
    assert await count(database, "turns") == 1


async def until_waiting_for_locks(database: Database, sessions: int) -> None:
    async with asyncio.timeout(5):
        while True:
            rows = await database.fetch(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if rows[0][0] >= sessions:
                return


async def test_a_second_question_is_refused_while_an_answer_is_made(database: Database) -> None:
    turns = Turns(database)
    claim = await claimed(turns, new_turn("One"))
    with pytest.raises(TurnInProgress):
        await turns.claim(new_turn("Two"), window=20)
    await finish(turns, claim)
    assert words((await claimed(turns, new_turn("Two"))).history) == ["One", "Hi", "Two"]


async def test_two_questions_at_once_have_one_winner(database: Database) -> None:
    turns = Turns(database)
    await exchange(turns, "One")
    results = await asyncio.gather(
        *(claimed(turns, new_turn(str(number))) for number in range(10)), return_exceptions=True
    )
    assert sum(isinstance(result, Claim) for result in results) == 1
    assert sum(isinstance(result, TurnInProgress) for result in results) == 9


@pytest.mark.promise("P1")
async def test_a_process_that_dies_before_the_commit_leaves_nothing(database: Database) -> None:
    turns = Turns(database)
    claim = await turns.claim(new_turn("Hello", client_id="k"), window=20)
    assert claim.held is not None
    claim.held[1].pgconn.finish()  # what the kernel does to a killed process
    again = await claimed(turns, new_turn("Hello", client_id="k"))
    assert again.joined is None
    await claim.abandon()


async def test_edit_replaces_the_question_and_keeps_the_old_branch(database: Database) -> None:
    turns = Turns(database)
    await exchange(turns, "One")
    second = await exchange(turns, "Two")
    await exchange(turns, "Three")
    edited = await claimed(turns, new_turn("2", trigger="edit", target=second.user_message))
    assert words(edited.history) == ["One", "Re: One", "2"]
    assert edited.parent == second.parent
    await finish(turns, edited)
    assert words((await claimed(turns, new_turn("3"))).history) == [
        "One",
        "Re: One",
        "2",
        "Hi",
        "3",
    ]


async def test_regenerate_answers_the_same_question_again(database: Database) -> None:
    turns = Turns(database)
    await exchange(turns, "One")
    second = new_turn("Two")
    await finish(turns, await claimed(turns, second), "bad")
    for target in (second.assistant_message, second.user_message):
        again = await claimed(
            turns, new_turn("", trigger="regenerate", target=target, user_message=None)
        )
        assert words(again.history) == ["One", "Re: One", "Two"]
        assert again.user_message == second.user_message
        assert again.history[-1].id == second.user_message
        await finish(turns, again, "good")
    assert words((await claimed(turns, new_turn("3"))).history)[-2:] == ["good", "3"]


async def test_targets_that_are_not_there_are_not_found(database: Database) -> None:
    turns = Turns(database)
    first = new_turn("One")
    await finish(turns, await claimed(turns, first))
    with pytest.raises(MessageNotFound):
        await turns.claim(new_turn(trigger="edit", target=MessageId("no")), window=20)
    with pytest.raises(MessageNotFound):  # an answer is not edited
        await turns.claim(new_turn(trigger="edit", target=first.assistant_message), window=20)
    with pytest.raises(MessageNotFound):
        await turns.claim(
            new_turn("", trigger="regenerate", target=MessageId("no"), user_message=None), window=20
        )
    with pytest.raises(ThreadNotFound):
        await turns.claim(
            new_turn(trigger="edit", target=MessageId("no"), thread=ThreadId("no")), window=20
        )
    assert await count(database, "turns") == 1


@pytest.mark.promise("P21")
@pytest.mark.parametrize("stranger", [BOB, ANN_ELSEWHERE])
async def test_somebody_elses_thread_is_not_there(database: Database, stranger: Principal) -> None:
    turns = Turns(database)
    claim = await claimed(turns, new_turn("Secret", client_id="k"))
    for changes in (
        {},
        {"client_id": "k"},
        {"trigger": "edit", "target": claim.user_message},
        {"trigger": "regenerate", "target": claim.user_message, "user_message": None},
    ):
        with pytest.raises(ThreadNotFound):
            await turns.claim(new_turn("Hello", principal=stranger, **changes), window=20)
    with pytest.raises(TurnNotFound):
        await turns.get(stranger, THREAD, claim.turn)
    with pytest.raises(TurnNotFound):
        await turns.request_stop(stranger, THREAD, claim.turn)
    assert await turns.running(stranger, THREAD) is None
    assert await turns.latest(stranger, THREAD) is None
    await finish(turns, claim)
    assert await turns.events(stranger, THREAD, claim.turn) is None
    assert await turns.events(ANN, THREAD, claim.turn) == b"blob"


@pytest.mark.promise("P20")
async def test_a_turn_ends_once(database: Database) -> None:
    turns = Turns(database)
    claim = await claimed(turns, new_turn())
    await turns.save_checkpoint(claim.turn, claim.fence, b"state")
    ends = await asyncio.gather(*(finish(turns, claim, str(number)) for number in range(5)))
    assert sorted(ends) == [False] * 4 + [True]
    assert await count(database, "usage") == 1
    assert await turns.load_checkpoint(claim.turn) is None
    turn = await turns.get(ANN, THREAD, claim.turn)
    assert (turn.status, turn.finish_reason, turn.elapsed_ms) == (TurnStatus.DONE, "stop", 34)
    assert turn.finished_at is not None


async def test_an_old_fence_changes_nothing(database: Database) -> None:
    turns = Turns(database)
    claim = await claimed(turns, new_turn())
    assert not await finish(turns, claim, fence=claim.fence + 1)
    assert not await turns.save_checkpoint(claim.turn, claim.fence + 1, b"state")
    assert (await turns.get(ANN, THREAD, claim.turn)).status is TurnStatus.RUNNING
    assert await count(database, "turn_events") == 0


async def test_a_failed_turn_keeps_its_words_tools_and_error(database: Database) -> None:
    turns = Turns(database)
    claim = await claimed(turns, new_turn())
    error = ErrorPart("upstream_failed", "It broke.", True, "ref")
    tool = ToolPart("call-1", "a__b", "B", {"z": 1, "a": "\0"}, "ok", "text", round=1, elapsed_ms=5)
    parts = (TextPart("half", 1), tool, tool, error)
    assert await finish(
        turns, claim, status=TurnStatus.FAILED, finish_reason="error", parts=parts, error=error
    )
    assert (await turns.get(ANN, THREAD, claim.turn)).error == error
    after = await claimed(turns, new_turn("Again"))
    assert after.history[1].parts == parts
    assert after.history[1].status is TurnStatus.FAILED
    rows = await database.fetch("SELECT position, call_id, status FROM tool_calls ORDER BY 1")
    assert rows == [(1, "call-1", "ok"), (2, "call-1", "ok")]


async def test_a_stop_reaches_the_owner_with_its_heartbeat(database: Database) -> None:
    turns = Turns(database)
    claim = await claimed(turns, new_turn())
    partials = {claim.turn: (TextPart("so far"),)}
    assert (await turns.renew("process-1", partials, 15)).stop == frozenset()
    assert await turns.request_stop(ANN, THREAD, claim.turn)
    renewal = await turns.renew("process-1", {**partials, TurnId("gone"): ()}, 15)
    assert (renewal.stop, renewal.lost) == ({claim.turn}, {"gone"})
    assert (await turns.renew("process-2", partials, 15)).lost == {claim.turn}
    assert (await turns.renew("process-1", {claim.turn: None}, 15)).lost == frozenset()
    assert await count(database, "turns WHERE partial IS NOT NULL") == 1
    await finish(turns, claim, status=TurnStatus.STOPPED, finish_reason="stopped")
    assert not await turns.request_stop(ANN, THREAD, claim.turn)


async def test_a_look_finds_what_was_stopped_and_what_others_own(database: Database) -> None:
    turns = Turns(database)
    here = await claimed(turns, new_turn())
    there = await claimed(turns, new_turn(thread=ThreadId("other")))
    both = [here.turn, there.turn]
    assert await turns.to_stop("process-1", both) == []
    assert sorted(await turns.to_stop("process-2", both)) == sorted(both)
    await turns.request_stop(ANN, THREAD, here.turn)
    assert await turns.to_stop("process-1", both) == [here.turn]
    assert await turns.to_stop("process-1", [there.turn]) == []


@pytest.mark.promise("P5")
async def test_a_silent_owners_turn_is_closed_with_what_was_said(database: Database) -> None:
    turns = Turns(database)
    claim = await claimed(turns, new_turn("Hello", lease_s=0))
    alive = await claimed(turns, new_turn("Hello", thread=ThreadId("other")))
    await turns.renew(
        "process-1",
        {
            claim.turn: (TextPart("so far \0"), ToolPart("c", "n", "t", {})),
        },
        -1,
    )
    rounds = await asyncio.gather(
        *(turns.reap(unpriced, leave=Leave(takeovers_max=0)) for _ in range(2))
    )
    lost = [turn for each in rounds for turn in each]
    assert [turn.id for turn in lost] == [claim.turn]
    text, tool, error = lost[0].parts
    assert text == TextPart("so far \0")
    assert isinstance(tool, ToolPart)
    assert tool.status == "failed"
    assert isinstance(error, ErrorPart)
    assert error.code == "turn_lost"
    turn = await turns.get(ANN, THREAD, claim.turn)
    assert (turn.status, turn.finish_reason) == (TurnStatus.FAILED, "turn_lost")
    assert not await finish(turns, claim)  # it comes back from the dead
    assert (await claimed(turns, new_turn("Again"))).history[1].parts == lost[0].parts
    assert (await turns.get(ANN, ThreadId("other"), alive.turn)).status is TurnStatus.RUNNING


@pytest.mark.promise("P20")
async def test_a_terminal_status_stays_even_against_plain_sql(database: Database) -> None:
    turns = Turns(database)
    claim = await exchange(turns, "Hello")
    with pytest.raises(psycopg.errors.CheckViolation):
        await database.fetch(
            "UPDATE turns SET status = 'running' WHERE id = %(turn)s RETURNING id",
            {"turn": claim.turn},
        )


async def test_the_latest_turn_is_found(database: Database) -> None:
    turns = Turns(database)
    assert await turns.latest(ANN, THREAD) is None
    await exchange(turns, "One")
    second = await exchange(turns, "Two")
    latest = await turns.latest(ANN, THREAD)
    assert latest is not None
    assert latest.id == second.turn
    assert await turns.running(ANN, THREAD) is None


async def test_the_first_words_become_the_title(database: Database) -> None:
    turns = Turns(database)
    await exchange(turns, "Why is\n\nthe   sky blue?")
    await exchange(turns, "Another")
    await exchange(turns, "long " * 40, thread=ThreadId("thread-2"))
    rows = await database.fetch("SELECT title FROM threads ORDER BY id")
    assert rows[0] == ("Why is the sky blue?",)
    assert len(rows[1][0]) <= 61
    assert rows[1][0].endswith("…")


async def test_a_part_of_a_newer_version_makes_no_conversation_unreadable(
    database: Database,
) -> None:
    turns = Turns(database)
    claim = await claimed(turns, new_turn("Hello"))
    await finish(turns, claim, "Hi")
    newer = '[{"type":"picture", "of":"a cat"},{"type":"text","text":"Hi","round":1}]'
    await database.fetch(
        "UPDATE messages SET parts = %(parts)s::json WHERE turn = %(turn)s AND role = 'assistant'"
        " RETURNING id",
        {"parts": newer, "turn": claim.turn},
    )
    after = await claimed(turns, new_turn("Again"))
    unknown, text = after.history[1].parts
    assert text == TextPart("Hi", 1)
    page, _ = await Threads(database).messages(ANN, THREAD, limit=10)
    assert MessageBody.of(page[1]).parts == [{"type": "text", "text": "Hi", "round": 1}]
    # Stored again, as who goes on with a message does, it is still there.
    await finish(turns, after, parts=(unknown, TextPart("So", 1)))
    rows = await database.fetch("SELECT parts::text FROM messages ORDER BY seq DESC LIMIT 1")
    assert rows[0][0].startswith('[{"type":"picture","of":"a cat"},')
