"""A summary holds on the branches through its message, as long as it lives, at any length."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import postgresql

from parlour.domain import MessageId, ThreadId
from parlour.store.claim_sql import CLAIM
from parlour.store.claims import _values  # pyright: ignore[reportPrivateUsage]
from parlour.store.database import Database
from parlour.store.housekeeping import Housekeeping, Swept
from parlour.store.summaries import Summaries
from parlour.store.threads import Threads, _branch  # pyright: ignore[reportPrivateUsage]
from parlour.store.turns import Claim, Turns
from tests.live.steps import ANN, THREAD, claimed, count, exchange, finish, new_turn, words

READ = (
    "Actual Rows",
    "Rows Removed by Filter",
    "Rows Removed by Join Filter",
    "Rows Removed by Index Recheck",
)


async def summarise(database: Database, message: str | None, text: str = "So far.") -> bool:
    assert message is not None
    return await Summaries(database).save(
        THREAD, MessageId(message), text=text, tokens=3, model="scripted:", days=30
    )


async def ask(turns: Turns, text: str, *, window: int = 20, **changes: Any) -> Claim:
    claim = await claimed(turns, new_turn(text, **changes), window=window)
    assert await finish(turns, claim, f"Re: {text}")
    return claim


async def talk(turns: Turns, *texts: str) -> list[Claim]:
    return [await exchange(turns, text) for text in texts]


async def test_a_claim_brings_the_summary_and_only_what_it_does_not_cover(database: Database):
    turns = Turns(database)
    claims = await talk(turns, "One", "Two", "Three")
    assert claims[-1].summary == ""
    assert await summarise(database, claims[1].assistant_message)
    claim = await ask(turns, "Four")
    assert claim.summary == "So far."
    assert words(claim.history) == ["Three", "Re: Three", "Four"]


async def test_a_summary_up_to_the_last_message_leaves_the_question_alone(database: Database):
    turns = Turns(database)
    claims = await talk(turns, "One", "Two")
    await summarise(database, claims[1].assistant_message)
    claim = await ask(turns, "Three")
    assert (claim.summary, words(claim.history)) == ("So far.", ["Three"])


async def test_the_newest_summary_of_the_branch_counts(database: Database):
    turns = Turns(database)
    claims = await talk(turns, "One", "Two", "Three")
    await summarise(database, claims[0].assistant_message, "After one.")
    await summarise(database, claims[1].assistant_message, "After two.")
    claim = await ask(turns, "Four")
    assert (claim.summary, words(claim.history)[0]) == ("After two.", "Three")


async def test_an_edit_before_a_summary_leads_past_it_and_back_to_the_one_before(
    database: Database,
):
    turns = Turns(database)
    claims = await talk(turns, "One", "Two", "Three", "Four")
    await summarise(database, claims[0].assistant_message, "After one.")
    await summarise(database, claims[2].assistant_message, "After three.")
    edited = await ask(turns, "Two!", trigger="edit", target=claims[1].user_message)
    assert (edited.summary, words(edited.history)) == ("After one.", ["Two!"])
    after = await ask(turns, "Three!")
    assert words(after.history) == ["Two!", "Re: Two!", "Three!"]
    # The earlier version is still there, with what was known on it.
    version = claims[1].user_message
    assert version is not None
    await Threads(database).select_version(ANN, THREAD, version)
    back = await ask(turns, "Five")
    assert (back.summary, words(back.history)) == ("After three.", ["Four", "Re: Four", "Five"])


async def test_a_new_answer_keeps_the_summary_before_its_question(database: Database):
    turns = Turns(database)
    claims = await talk(turns, "One", "Two")
    await summarise(database, claims[0].assistant_message)
    again = await ask(
        turns, "", trigger="regenerate", user_message=None, target=claims[1].user_message
    )
    assert (again.summary, words(again.history)) == ("So far.", ["Two"])


async def test_a_summary_behind_the_window_is_found_three_windows_far(database: Database):
    turns = Turns(database)
    claims = await talk(turns, *[f"q{n}" for n in range(8)])
    await summarise(database, claims[1].assistant_message)
    # Of 16 messages the covered one is the 13th from the end; a window of 4 has room for 3.
    claim = await ask(turns, "last", window=4)
    assert claim.summary == ""
    claim = await ask(turns, "last again", window=6)
    assert claim.summary == "So far."
    assert len(claim.history) == 6


async def test_an_expired_summary_is_not_used_and_is_swept(database: Database):
    turns = Turns(database)
    claims = await talk(turns, "One", "Two")
    await summarise(database, claims[0].assistant_message)
    await database.fetch(
        "UPDATE summaries SET expires_at = now() + interval '1 minute' RETURNING 1"
    )
    assert (await ask(turns, "Three")).summary == "So far."
    keeper = Housekeeping(database, events_days=7, hidden_days=30)
    assert await keeper.sweep() == Swept(0, 0)
    await database.fetch(
        "UPDATE summaries SET expires_at = now() - interval '1 second' RETURNING 1"
    )
    assert (await ask(turns, "Four")).summary == ""
    assert await keeper.sweep() == Swept(0, 0, summaries=1)
    assert await count(database, "summaries") == 0


async def test_a_deleted_conversation_takes_its_summaries_with_it(database: Database):
    claims = await talk(Turns(database), "One")
    assert await summarise(database, claims[0].assistant_message)
    await Threads(database).delete(ANN, THREAD)
    assert await count(database, "summaries") == 0
    assert not await summarise(database, claims[0].assistant_message)


async def test_what_no_summary_covers_is_read_oldest_first(database: Database):
    turns, store = Turns(database), Summaries(database)
    claims = await talk(turns, "One", "Two", "Three")
    head = claims[-1].assistant_message
    found = await store.uncovered(THREAD, head, most=4)
    assert (found.summary, found.total) == ("", 6)
    assert words(list(found.messages)) == ["One", "Re: One", "Two", "Re: Two"]
    await summarise(database, claims[0].assistant_message)
    found = await store.uncovered(THREAD, head, most=4)
    assert (found.summary, found.total) == ("So far.", 4)
    assert words(list(found.messages)) == ["Two", "Re: Two", "Three", "Re: Three"]
    assert (await store.uncovered(ThreadId("none"), head, most=4)).total == 0


async def fill(database: Database, messages: int) -> None:
    """A conversation of so many messages, as turns would have left it."""
    claim = await exchange(Turns(database), "m1")
    await database.fetch(
        """
        INSERT INTO messages (thread, id, parent, role, status, parts)
        SELECT %(thread)s, 'f' || n, CASE WHEN n = 3 THEN %(head)s ELSE 'f' || (n - 1) END,
          CASE WHEN n %% 2 = 1 THEN 'user' ELSE 'assistant' END, 'done',
          json_build_array(json_build_object('type', 'text', 'text', 'm' || n))
        FROM generate_series(3, %(count)s) n ORDER BY n RETURNING 1
        """,
        {"thread": THREAD, "head": claim.assistant_message, "count": messages},
    )
    await database.fetch(
        "UPDATE threads SET head = 'f' || %(count)s WHERE id = %(thread)s RETURNING 1",
        {"thread": THREAD, "count": messages},
    )


async def rows_read(database: Database, statement: str, values: Any = None) -> int:
    """Rows of messages and summaries that a statement looks at, by its plan."""
    async with database.connection() as connection:
        await connection.execute("BEGIN")
        plan = await connection.execute(
            b"EXPLAIN (ANALYZE, FORMAT JSON) " + statement.encode(), values
        )
        row = await plan.fetchone()
        await connection.execute("ROLLBACK")
    assert row is not None
    return _of_messages(row[0][0]["Plan"])


async def rows_to_ask(database: Database) -> int:
    return await rows_read(database, CLAIM["submit"], _values(new_turn("next"), 20))


async def rows_to_open(database: Database, head: str) -> int:
    query = _branch(ANN, THREAD, MessageId(head), 31)
    given = {"literal_binds": True}
    return await rows_read(
        database, str(query.compile(dialect=postgresql.dialect(), compile_kwargs=given))
    )


def _of_messages(node: dict[str, Any]) -> int:
    assert not (node["Node Type"] == "Seq Scan" and node.get("Relation Name") == "messages")
    own = 0
    if node.get("Relation Name") in {"messages", "summaries"}:
        each = sum(node.get(name, 0) for name in READ)
        own = round(each * node["Actual Loops"])
    return own + sum(_of_messages(inner) for inner in node.get("Plans", []))


async def test_a_conversation_of_500_messages_reads_as_few_rows_as_one_of_20(database: Database):
    await fill(database, 500)
    assert await rows_to_open(database, "f500") <= 62  # 31 messages and their versions
    assert await rows_to_ask(database) <= 3 * 19 + 1  # ids of three windows, and the question
    await summarise(database, "f490")
    long = await rows_to_ask(database)
    assert long <= 13  # ten messages, the covered one, its summary, and the question
    await Threads(database).delete(ANN, THREAD)
    await fill(database, 20)
    assert long <= await rows_to_ask(database)
