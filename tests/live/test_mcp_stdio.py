"""A server on stdio with slow, huge and changing tools. Real ones: test_mcp_lives.py."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest

from parlour import tokens
from parlour.domain import ToolRequest
from parlour.tools.config import ServerConfig, ToolLimits
from parlour.tools.toolbox import Toolbox
from tests.mcp_servers import (
    call,
    children,
    odd_server,
    person,
    until,
    until_listed,
)

LIMITS = ToolLimits(list_wait_s=15)


async def test_a_server_that_died_between_calls_is_started_again() -> None:
    box = Toolbox([odd_server()], limits=LIMITS)
    first = await call(box, "odd__pid", {})
    os.kill(int(first.text), signal.SIGKILL)
    await until(lambda: box.servers()[1].connections == 0, 5, "its end is noticed")
    again = await call(box, "odd__pid", {})
    await box.close()

    assert again.ok, again.text
    assert again.text != first.text


@pytest.mark.promise("P9")
async def test_the_late_end_of_a_hung_process_does_not_end_the_one_after_it() -> None:
    box = Toolbox([odd_server(timeout_s=0.5)], limits=LIMITS)
    hung = int((await call(box, "odd__pid", {})).text)
    os.kill(hung, signal.SIGSTOP)
    late = await call(box, "odd__pid", {})
    second = await call(box, "odd__pid", {})
    await until(lambda: hung not in children(), 15, "the hung process is gone")
    third = await call(box, "odd__pid", {})
    await box.close()

    assert not late.ok
    assert second.ok, second.text
    assert third.text == second.text


async def test_two_users_never_share_a_process() -> None:
    box = Toolbox([odd_server()], limits=LIMITS)
    ada, bob, again = [await call(box, "odd__pid", {}, user) for user in ("ada", "bob", "ada")]
    await box.close()

    assert ada.text != bob.text
    assert ada.text == again.text


async def test_a_cancelled_call_harms_no_other_on_its_connection() -> None:
    box = Toolbox([odd_server()], limits=LIMITS)
    await call(box, "odd__pid", {})
    slow = asyncio.create_task(call(box, "odd__sleep", {"seconds": 20}))
    other = asyncio.create_task(call(box, "odd__sleep", {"seconds": 0.5}))
    await until(lambda: box.calls_under_way() == 2, 5, "both run")

    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
    assert (await other).ok
    assert (await call(box, "odd__pid", {})).ok
    await box.close()


async def test_calls_run_side_by_side() -> None:
    box = Toolbox([odd_server()], limits=LIMITS)
    await call(box, "odd__pid", {})
    began = time.monotonic()
    outcomes = await asyncio.gather(*(call(box, "odd__sleep", {"seconds": 0.5}) for _ in range(8)))
    took = time.monotonic() - began
    await box.close()

    assert all(outcome.ok for outcome in outcomes)
    assert took < 1.5


async def test_a_slow_tool_does_not_cost_the_server_its_life() -> None:
    box = Toolbox([odd_server(timeout_s=0.5)], limits=LIMITS)
    first = await call(box, "odd__pid", {})
    late = await call(box, "odd__sleep", {"seconds": 5})
    second = await call(box, "odd__pid", {})
    await box.close()

    assert not late.ok
    assert first.text == second.text


async def test_ten_megabytes_reach_the_model_cut_and_hold_nobody_up() -> None:
    box = Toolbox([odd_server()], limits=LIMITS)
    await call(box, "odd__pid", {})
    tokens.load()  # a house has it from its start
    stalls: list[float] = []

    async def watch() -> None:
        while True:
            before = time.thread_time()  # what the loop computes, however busy the machine is
            await asyncio.sleep(0)
            stalls.append(time.thread_time() - before)

    watcher = asyncio.create_task(watch())
    huge = await call(box, "odd__huge", {"megabytes": 10})
    watcher.cancel()
    too_much = await call(box, "odd__huge", {"megabytes": 20})
    after = await call(box, "odd__pid", {})
    await box.close()

    assert huge.ok
    assert len(huge.text) < 65_536 + 200
    assert "64,000 of 10,000,000 bytes" in huge.text  # 8,000 tokens
    assert max(stalls) < 0.25
    assert not too_much.ok
    assert after.ok


async def test_progress_is_heard() -> None:
    box = Toolbox([odd_server()], limits=LIMITS)
    heard: list[tuple[float, float, str]] = []
    request = ToolRequest("1", "odd__steps", {"count": 3})
    outcome = await box.call(person(), request, on_progress=lambda *step: heard.append(step))
    await box.close()

    assert outcome.ok
    assert heard == [(1, 3, "step 1"), (2, 3, "step 2"), (3, 3, "step 3")]


async def test_changed_tools_are_seen_by_the_next_turn() -> None:
    box = Toolbox([odd_server()], limits=LIMITS)
    await box.specs(person())
    await call(box, "odd__learn", {"name": "sing"})

    await until_listed(box, "odd__sing")
    outcome = await call(box, "odd__sing", {})
    await box.close()

    assert outcome.text == "sing was called"


async def test_a_server_that_cannot_start_costs_only_its_own_tools() -> None:
    missing = ServerConfig("missing", command="/no/such/program")
    broken = ServerConfig("broken", command="sh", args=("-c", "echo no licence >&2; exit 3"))
    silent = ServerConfig("silent", command="sleep", args=("60",))
    box = Toolbox([missing, broken, silent], limits=ToolLimits(list_wait_s=1))
    began = time.monotonic()
    specs = await box.specs(person())
    first = time.monotonic() - began
    await box.specs(person())
    both = time.monotonic() - began
    again = await call(box, "broken__anything", {})
    states = {state.name: state for state in box.servers()}
    await box.close()

    assert specs[0].name == "parlour__calculator"
    assert all(spec.name.startswith("parlour__") for spec in specs)
    assert first < 1.5
    assert both < first + 0.2  # a server is waited for once
    assert not again.ok
    assert "cannot be reached" in again.text
    assert states["missing"].status == "unreachable"
    assert "/no/such/program" in states["missing"].error
    assert states["broken"].said[-1] == "no licence"


async def test_more_users_than_processes_are_served_and_none_is_left_behind() -> None:
    before = children()
    box = Toolbox([odd_server()], limits=ToolLimits(list_wait_s=15, processes_max=2))
    pids = {(await call(box, "odd__pid", {}, f"user{number}")).text for number in range(4)}
    await box.close()

    assert len(pids) == 4
    assert children() == before
