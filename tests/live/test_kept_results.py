"""A result that is too long for the model is kept whole: for its reader, and for a time."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from parlour.domain import Principal, ThreadId, ToolOutcome, ToolRequest, UserId, WorkspaceId
from parlour.policy import Policies, Policy
from parlour.store.database import Database
from parlour.store.housekeeping import Housekeeping
from parlour.store.threads import Threads
from parlour.store.tool_results import THREAD_MAX, ToolResults
from parlour.store.turns import Turns
from parlour.tools.config import ToolLimits
from parlour.tools.toolbox import Toolbox
from tests.live.steps import ANN, THREAD, count, exchange
from tests.mcp_servers import odd_server

LIMITS = ToolLimits(list_wait_s=15, widget_bytes_max=20_000)


@pytest.fixture
async def box(database: Database) -> AsyncIterator[Toolbox]:
    await exchange(Turns(database), "Hello")  # so that the conversation is there
    box = Toolbox(
        [odd_server(result_bytes_max=4_000, result_tokens_max=2_000)],
        limits=LIMITS,
        results=ToolResults(database),
        policies=Policies(Policy.model_validate({"tools": {"results_days": 2}})),
    )
    yield box
    await box.close()


async def call(
    box: Toolbox, tool: str, who: Principal = ANN, thread: str = THREAD, /, **arguments: Any
) -> ToolOutcome:
    return await box.call(who, ToolRequest("1", tool, arguments), thread=thread)


def told(outcome: ToolOutcome) -> tuple[str, int]:
    """The handle and the offset of a notice."""
    found = re.search(r'handle "(\w+)" and offset (\d+)', outcome.text)
    assert found, outcome.text[-300:]
    return found[1], int(found[2])


async def test_a_cut_result_can_be_read_on_to_its_very_end(box: Toolbox) -> None:
    outcome = await call(box, "odd__rows", count=4_000)
    handle, offset = told(outcome)
    read = outcome.text.rpartition("\n[Cut here")[0] + "\n"
    pages = 0
    while offset:
        page = await call(box, "parlour__read_result", handle=handle, offset=offset)
        assert page.ok, page.text
        assert "Cut here" not in page.text
        _, body, notice = re.fullmatch(r"(\[.*?\])\n(.*)\n(\[.*?\])", page.text, re.DOTALL).groups()  # type: ignore[union-attr]
        read += body + "\n"
        more = re.search(r"offset (\d+)", notice)
        offset = int(more[1]) if more else 0
        pages += 1
    lines = read.strip().split("\n")
    assert pages > 1
    assert lines[0] == 'rows: ["id","name"]'
    assert lines[1:] == [f'[{n},"row {n}"]' for n in range(4_000)]


@pytest.mark.promise("P21")
async def test_a_handle_opens_nothing_for_anybody_else(box: Toolbox, database: Database) -> None:
    handle, _ = told(await call(box, "odd__huge", megabytes=0.1))
    await exchange(Turns(database), "Hello", thread=ThreadId("other"))
    colleague = Principal(ANN.workspace, UserId("ben"))
    stranger = Principal(WorkspaceId("w9"), ANN.user)
    for who, thread in ((colleague, THREAD), (stranger, THREAD), (ANN, "other")):
        refused = await call(box, "parlour__read_result", who, thread, handle=handle)
        assert not refused.ok
        assert "There is no result" in refused.text
    assert (await call(box, "parlour__read_result", handle=handle)).ok


async def test_people_get_the_whole_table(box: Toolbox, database: Database) -> None:
    outcome = await call(box, "odd__rows", count=4_000)
    handle, _ = told(outcome)
    kept = await ToolResults(database).read(ANN, handle, thread=THREAD)
    assert kept is not None
    assert outcome.widget["kept"] == handle
    assert len(outcome.widget["rows"]) < outcome.widget["total"] == 4_000
    assert kept.widget["rows"] == [[n, f"row {n}"] for n in range(4_000)]
    assert (kept.tool, kept.title) == ("odd__rows", "Rows")


async def test_a_result_that_fits_is_not_kept(box: Toolbox, database: Database) -> None:
    outcome = await call(box, "odd__huge", megabytes=0.004)
    assert len(outcome.text) == 4_000
    assert await count(database, "tool_results") == 0
    assert (await call(box, "odd__huge", megabytes=0.0041)).text.endswith("aggregate.]")
    assert await count(database, "tool_results") == 1


async def test_ten_megabytes_are_kept_small(box: Toolbox, database: Database) -> None:
    handle, _ = told(await call(box, "odd__huge", megabytes=10))
    kept = await ToolResults(database).read(ANN, handle)
    rows = await database.fetch("SELECT length(text) FROM tool_results")
    assert kept is not None
    assert len(kept.text) == 10_000_000
    assert rows[0][0] < 100_000


async def test_a_result_goes_when_its_time_is_over_and_not_before(
    box: Toolbox, database: Database
) -> None:
    old, young = [told(await call(box, "odd__huge", megabytes=0.1))[0] for _ in range(2)]
    house = Housekeeping(database, events_days=7, hidden_days=30)
    for handle, seconds in ((old, 172_801), (young, 172_740)):  # two days, as the policy says
        await database.fetch(
            "UPDATE tool_results SET expires_at = expires_at - make_interval(secs => %(s)s)"
            " WHERE handle = %(handle)s RETURNING handle",
            {"s": seconds, "handle": handle},
        )
    gone = await call(box, "parlour__read_result", handle=old)
    assert not gone.ok
    assert "kept no longer" in gone.text
    assert (await house.sweep()).results == 1
    assert await ToolResults(database).read(ANN, young) is not None


async def test_a_result_goes_with_its_conversation(box: Toolbox, database: Database) -> None:
    await call(box, "odd__huge", megabytes=0.1)
    await Threads(database).delete(ANN, THREAD)
    assert await count(database, "tool_results") == 0


async def test_a_conversation_keeps_so_many_results_and_the_newest(database: Database) -> None:
    await exchange(Turns(database), "Hello")
    results = ToolResults(database)
    for number in range(THREAD_MAX + 2):
        await results.keep(ANN, f"r_{number}", thread=THREAD, tool="t", title="T", text="x", days=1)
    assert await count(database, "tool_results") == THREAD_MAX
    assert await results.read(ANN, "r_1") is None
    assert await results.read(ANN, "r_2") is not None
    assert await results.read(ANN, f"r_{THREAD_MAX + 1}") is not None


async def test_what_cannot_be_kept_is_cut_without_a_handle(box: Toolbox) -> None:
    outcome = await call(box, "odd__huge", ANN, "no-such-conversation", megabytes=0.1)
    assert outcome.ok
    assert "Cut here" in outcome.text
    assert "handle" not in outcome.text
    assert "kept" not in outcome.widget


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"handle": "r_none"}, "There is no result"),
        ({"handle": 7}, "There is no result '7'"),
        ({}, "'handle' is a required property"),
        ({"handle": "x", "offset": -1}, "less than the minimum"),
    ],
)
async def test_a_wrong_handle_is_told_in_words(
    box: Toolbox, arguments: dict[str, Any], words: str
) -> None:
    outcome = await call(box, "parlour__read_result", **arguments)
    assert not outcome.ok
    assert words in outcome.text


async def test_an_offset_behind_the_end_is_told_in_words(box: Toolbox) -> None:
    handle, _ = told(await call(box, "odd__huge", megabytes=0.1))
    last = await call(box, "parlour__read_result", handle=handle, offset=99_999)
    behind = await call(box, "parlour__read_result", handle=handle, offset=100_000)
    assert last.ok
    assert last.text.endswith("\nx\n[This is the end.]")
    assert not behind.ok
    assert "100,000 characters" in behind.text
