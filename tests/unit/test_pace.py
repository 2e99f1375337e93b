"""When readers are woken: at once, or on the shared tick of a busy process."""

from __future__ import annotations

import asyncio
import time

import pytest
import uvloop

from parlour.events.log import SAMPLE_S, Pace, TurnLog
from parlour.events.types import Token


def work(seconds: float) -> None:
    """Use the processor for so long."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


async def woken_at_once(log: TurnLog, *, now: bool = False) -> bool:
    with log.cursor(len(log.payloads)) as cursor:
        waiting = asyncio.create_task(cursor.wait())
        await asyncio.sleep(0)
        log.append(Token(text="word"))
        log.flush(now=now)
        await asyncio.sleep(0)  # all logs of one pass of the loop are woken at its end,
        await asyncio.sleep(0)  # and the reader runs in the next
        at_once = waiting.done()
        await asyncio.wait_for(waiting, 5)  # by the tick at the latest
        assert cursor.take()
        return at_once


async def wake_while_light_and_busy(pace: Pace) -> list[bool]:
    log = TurnLog("turn", pace)
    light = await woken_at_once(log)
    work(SAMPLE_S * 1.1)
    await woken_at_once(log)  # takes the sample
    busy = await woken_at_once(log)
    first_token = await woken_at_once(log, now=True)
    await asyncio.sleep(SAMPLE_S * 1.1)  # the time is what is measured here
    await woken_at_once(log)
    return [light, busy, first_token, await woken_at_once(log)]


# The shares are lower than those in use, because tests run on machines that do other things.
@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_readers_are_woken_at_once_while_light_and_on_a_tick_while_busy(run: object) -> None:
    assert callable(run)
    pace = Pace(busy_share=0.10, calm_share=0.05)
    assert run(wake_while_light_and_busy(pace)) == [True, False, True, True]
