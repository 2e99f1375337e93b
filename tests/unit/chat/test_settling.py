"""What is held back while a model is silent is decided in time, by one timer for all turns."""

from __future__ import annotations

import asyncio
import time
from functools import partial

from parlour.chat.outflow import Outflow
from parlour.chat.settling import Settling
from parlour.chat.sink import TurnSink
from parlour.domain import TextPart
from parlour.events.log import Cursor, Pace, TurnLog
from parlour.safety.link_filter import LinkFilter
from parlour.safety.links import Grounds
from parlour.safety.silence import PAUSE_S, STALL_S

WAIT_S = 5  # the bound of every wait
LINK = "[Sales](https://acme.example/sales/3)"


def turn(settling: Settling) -> TurnSink:
    """A turn whose links are grounded, with its message stored."""
    grounds = Grounds()
    grounds.add(LINK)
    it = TurnSink(TurnLog("t_1", Pace()), bytes_max=1_000_000)
    held = partial(settling.watch, it)
    it.filter(Outflow([LinkFilter(grounds)], held), Outflow([LinkFilter(grounds)], held))
    it.release()
    return it


def words(it: TurnSink) -> str:
    (part,) = it.parts()
    assert isinstance(part, TextPart)
    return part.text


async def more(cursor: Cursor) -> float:
    """Wait for what is said next; the seconds that it took."""
    began = time.monotonic()
    cursor.take()
    await asyncio.wait_for(cursor.wait(), WAIT_S)
    cursor.take()
    return time.monotonic() - began


async def test_no_timer_runs_while_nothing_is_held():
    settling = Settling()
    it = turn(settling)
    it.text("Plain words, and then some. ")
    it.text(LINK + " there. ")
    assert settling.held == 0
    it.text("And [more")
    assert settling.held == 1
    it.text(" of it] here.")
    async with asyncio.timeout(WAIT_S):
        while settling.held:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(PAUSE_S / 10)
    assert words(it) == f"Plain words, and then some. {LINK} there. And [more of it] here."


async def test_words_are_shown_soon_after_the_model_fell_silent():
    settling = Settling()
    it = turn(settling)
    with it.log.cursor() as cursor:
        it.text("See [the sales")
        assert words(it) == "See "
        assert PAUSE_S <= await more(cursor) < STALL_S
    assert words(it) == "See [the sales"
    assert settling.held == 0


async def test_a_link_whose_pieces_arrive_is_neither_split_nor_taken():
    settling = Settling()
    it = turn(settling)
    for piece in ("See [Sa", "les](https://acme.exa", "mple/sa", "les/3) there. "):
        it.text(piece)
        before = len(it.log.payloads)
        # Longer than a pause; nothing but time passes here.
        await asyncio.sleep(PAUSE_S * 1.5)
        assert len(it.log.payloads) - before == (piece == "See [Sa"), "only words without address"
    assert words(it) == f"See {LINK} there. "


async def test_one_timer_serves_all_turns_each_in_its_time():
    settling = Settling()
    late, soon = turn(settling), turn(settling)
    late.text("At https://acme.exa")
    await asyncio.sleep(PAUSE_S * 1.5)  # from here on the timer is set for the end of the stall
    soon.text("In [brackets")
    with soon.log.cursor() as cursor:
        assert await more(cursor) < STALL_S / 2
    assert words(late) == "At https:"
    assert settling.held == 1
    late.end()
    async with asyncio.timeout(WAIT_S):
        while settling.held:  # noqa: ASYNC110
            await asyncio.sleep(PAUSE_S / 10)
