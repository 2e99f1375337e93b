"""Lists, branches and versions of conversations, against a real Postgres."""

from __future__ import annotations

import pytest

from parlour.domain import MessageId, Principal, TextPart, ThreadId, TurnStatus
from parlour.errors import BadRequest, MessageNotFound, ThreadNotFound
from parlour.store.database import Database
from parlour.store.threads import Threads
from parlour.store.turns import Turns
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


async def test_threads_are_listed_by_last_use_page_by_page(database: Database) -> None:
    turns, threads = Turns(database), Threads(database)
    for name in ("a", "b", "c", "d", "e"):
        await exchange(turns, name, thread=ThreadId(name))
    await claimed(turns, new_turn("again", thread=ThreadId("b")))
    await exchange(turns, "foreign", thread=ThreadId("x"), principal=BOB)
    await exchange(turns, "hidden", thread=ThreadId("h"), hidden=True)
    seen: list[str] = []
    cursor = None
    for _ in range(3):
        page, cursor = await threads.list_threads(ANN, limit=2, before=cursor)
        seen += [thread.id for thread in page]
    assert seen == ["b", "e", "d", "c", "a"]
    assert cursor is None
    first = (await threads.list_threads(ANN, limit=1))[0][0]
    assert first.running_turn is not None
    with pytest.raises(BadRequest):
        await threads.list_threads(ANN, limit=1, before="nonsense")


async def test_an_empty_thread_gets_its_title_from_the_first_message(database: Database) -> None:
    turns, threads = Turns(database), Threads(database)
    made = await threads.create(ANN, THREAD)
    assert (made.title, made.head) == ("", None)
    assert await threads.messages(ANN, THREAD, limit=5) == ([], None)
    await exchange(turns, "Hello there")
    assert (await threads.get_thread(ANN, THREAD)).title == "Hello there"
    assert (await threads.rename(ANN, THREAD, "Mine")).title == "Mine"
    await exchange(turns, "More")
    assert (await threads.create(ANN, THREAD, "Other")).title == "Mine"


async def test_the_shown_branch_is_read_page_by_page(database: Database) -> None:
    turns, threads = Turns(database), Threads(database)
    for number in range(5):
        await exchange(turns, str(number))
    last, before = await threads.messages(ANN, THREAD, limit=3)
    assert words(last) == ["Re: 3", "4", "Re: 4"]
    assert before == last[0].id
    middle, before = await threads.messages(ANN, THREAD, limit=3, before=before)
    assert words(middle) == ["Re: 1", "2", "Re: 2"][-3:] or words(middle) == ["2", "Re: 2", "3"]
    rest, before = await threads.messages(ANN, THREAD, limit=30, before=before)
    assert words(rest)[:2] == ["0", "Re: 0"]
    assert before is None
    assert [len(last), len(middle), len(rest)] == [3, 3, 4]


async def test_a_message_says_how_it_came_about(database: Database) -> None:
    turns, threads = Turns(database), Threads(database)
    claim = await exchange(turns, "Hello")
    (question, answer), _ = await threads.messages(ANN, THREAD, limit=5)
    assert question.parts == (TextPart("Hello"),)
    assert (answer.parent, answer.turn) == (question.id, claim.turn)
    assert answer.metadata == {
        "model": "scripted",
        "usage": {"input": 10, "output": 5},
        "finish_reason": "stop",
        "elapsed_ms": 34,
    }
    running = await claimed(turns, new_turn("More"))
    newest = (await threads.messages(ANN, THREAD, limit=1))[0][0]
    assert (newest.status, newest.turn) == (TurnStatus.RUNNING, running.turn)


async def test_versions_can_be_switched_back_and_forth(database: Database) -> None:
    turns, threads = Turns(database), Threads(database)
    first = await exchange(turns, "One")
    await exchange(turns, "Two")
    edited = new_turn("1", trigger="edit", target=first.user_message)
    await finish(turns, await claimed(turns, edited), "Re: 1")
    again = new_turn("", trigger="regenerate", target=edited.assistant_message, user_message=None)
    await finish(turns, await claimed(turns, again), "Re: 1 again")

    shown, _ = await threads.messages(ANN, THREAD, limit=9)
    assert words(shown) == ["1", "Re: 1 again"]
    assert shown[0].versions == (first.user_message, edited.user_message)
    assert shown[1].versions == (edited.assistant_message, again.assistant_message)

    assert first.user_message is not None
    await threads.select_version(ANN, THREAD, first.user_message)
    assert words((await threads.messages(ANN, THREAD, limit=9))[0]) == [
        "One",
        "Re: One",
        "Two",
        "Re: Two",
    ]
    await threads.select_version(ANN, THREAD, edited.assistant_message)
    assert words((await threads.messages(ANN, THREAD, limit=9))[0]) == ["1", "Re: 1"]
    assert words((await claimed(turns, new_turn("on"))).history) == ["1", "Re: 1", "on"]
    with pytest.raises(MessageNotFound):
        await threads.select_version(ANN, THREAD, MessageId("no"))


async def test_a_deleted_thread_takes_everything_with_it_but_the_spending(
    database: Database,
) -> None:
    turns, threads = Turns(database), Threads(database)
    await exchange(turns, "One")
    await exchange(turns, "Two")
    await exchange(turns, "Other", thread=ThreadId("other"))
    running = await claimed(turns, new_turn("Three"))
    await turns.save_checkpoint(running.turn, running.fence, b"state")
    await threads.delete(ANN, THREAD)
    assert not await finish(turns, running)
    assert (await turns.renew("process-1", {running.turn: None}, 15)).lost == {running.turn}
    rows = {
        table: await count(database, table)
        for table in ("threads", "messages", "turns", "turn_events", "checkpoints")
    }
    assert rows == {"threads": 1, "messages": 2, "turns": 1, "turn_events": 1, "checkpoints": 0}
    assert await count(database, "usage") == 3
    assert await count(database, "usage WHERE turn IS NULL") == 2
    with pytest.raises(ThreadNotFound):
        await threads.delete(ANN, THREAD)


@pytest.mark.promise("P21")
@pytest.mark.parametrize("stranger", [BOB, ANN_ELSEWHERE])
async def test_a_stranger_finds_nothing(database: Database, stranger: Principal) -> None:
    turns, threads = Turns(database), Threads(database)
    claim = await exchange(turns, "Secret")
    assert claim.user_message is not None
    assert await threads.list_threads(stranger, limit=9) == ([], None)
    for attempt in (
        threads.get_thread(stranger, THREAD),
        threads.create(stranger, THREAD, "Mine"),
        threads.rename(stranger, THREAD, "Mine"),
        threads.delete(stranger, THREAD),
        threads.messages(stranger, THREAD, limit=9),
        threads.messages(stranger, THREAD, limit=9, before=claim.user_message),
        threads.select_version(stranger, THREAD, claim.user_message),
    ):
        with pytest.raises(ThreadNotFound):
            await attempt
    kept = await threads.get_thread(ANN, THREAD)
    assert kept.title == "Secret"


async def test_a_user_can_be_erased(database: Database) -> None:
    await exchange(Turns(database), "Hello")
    await database.fetch("DELETE FROM users WHERE id = 'ann' RETURNING id")
    assert await count(database, "threads") == 0
    assert await count(database, "messages") == 0
