"""MCP servers on streamable HTTP, of both protocol generations: restarted, hung, refused."""

from __future__ import annotations

import asyncio
import os
import signal
import time

from parlour.tools.config import ServerConfig, ToolLimits
from parlour.tools.toolbox import Toolbox
from tests.mcp_servers import (
    call,
    everything_over_http,
    free_port,
    odd_over_http,
    person,
    until_listed,
)

LIMITS = ToolLimits(list_wait_s=15)


def _config(port: int, **options: object) -> ServerConfig:
    return ServerConfig("web", url=f"http://127.0.0.1:{port}/mcp", **options)  # type: ignore[arg-type]


async def test_a_modern_server_restarted_between_calls_answers_the_next() -> None:
    port = free_port()
    box = Toolbox([_config(port)], limits=LIMITS)
    async with odd_over_http(port):
        first = await call(box, "web__pid", {})
        assert box.servers()[1].protocol == "2026-07-28"
    async with odd_over_http(port):
        second = await call(box, "web__pid", {})
    await box.close()

    assert first.ok
    assert second.ok, second.text
    assert first.text != second.text


async def test_a_server_of_2025_restarted_between_calls_is_connected_to_again() -> None:
    port = free_port()
    box = Toolbox([_config(port)], limits=LIMITS)
    async with everything_over_http(port):
        first = await call(box, "web__echo", {"message": "one"})
        assert box.servers()[1].protocol < "2026"
    async with everything_over_http(port):
        second = await call(box, "web__echo", {"message": "two"})
    await box.close()

    assert "one" in first.text
    assert second.ok, second.text
    assert "two" in second.text


async def test_a_server_that_is_down_fails_calls_at_once_and_works_when_it_is_up() -> None:
    port = free_port()
    box = Toolbox([_config(port)], limits=LIMITS)
    async with odd_over_http(port):
        assert (await call(box, "web__pid", {})).ok
    began = time.monotonic()
    down = [await call(box, "web__pid", {}) for _ in range(2)]
    took = time.monotonic() - began
    async with odd_over_http(port):
        up = await call(box, "web__pid", {})
    await box.close()

    assert not any(outcome.ok for outcome in down)
    assert "cannot be reached" in down[0].text
    assert took < 3
    assert up.ok, up.text


async def test_a_call_that_loses_its_server_fails_and_harms_no_other_server() -> None:
    port, steady = free_port(), free_port()
    other = ServerConfig("steady", url=f"http://127.0.0.1:{steady}/mcp")
    box = Toolbox([_config(port), other], limits=LIMITS)
    async with odd_over_http(steady):
        async with odd_over_http(port) as process:
            await call(box, "web__pid", {})
            running = asyncio.create_task(call(box, "web__sleep", {"seconds": 20}))
            calm = asyncio.create_task(call(box, "steady__sleep", {"seconds": 1}))
            await asyncio.wait({calm}, timeout=0.3)
            process.kill()
            began = time.monotonic()
            lost = await running
            took = time.monotonic() - began
        unharmed = await calm
    await box.close()

    assert not lost.ok
    assert "not known" in lost.text
    assert took < 1
    assert unharmed.ok


async def test_a_hung_server_fails_its_call_in_time_and_answers_when_it_wakes() -> None:
    port = free_port()
    box = Toolbox([_config(port, timeout_s=1.0, connect_s=1.0)], limits=LIMITS)
    async with odd_over_http(port) as process:
        await call(box, "web__pid", {})
        os.kill(process.pid, signal.SIGSTOP)
        began = time.monotonic()
        hung = await call(box, "web__pid", {})
        took = time.monotonic() - began
        os.kill(process.pid, signal.SIGCONT)
        woken = await call(box, "web__pid", {})
    await box.close()

    assert not hung.ok
    assert took < 1.5
    assert woken.ok, woken.text


async def test_headers_of_the_settings_reach_the_server() -> None:
    port = free_port()
    box = Toolbox([_config(port, headers={"Authorization": "Bearer abc"})], limits=LIMITS)
    async with odd_over_http(port):
        outcome = await call(box, "web__header", {"name": "authorization"})
    await box.close()

    assert outcome.text == "Bearer abc"


async def test_rows_become_a_table_for_people_and_a_cut_list_for_the_model() -> None:
    port = free_port()
    box = Toolbox([_config(port, result_bytes_max=2_000)], limits=LIMITS)
    async with odd_over_http(port):
        outcome = await call(box, "web__rows", {"count": 5_000})
    await box.close()

    assert outcome.ok
    assert outcome.widget["kind"] == "table"
    assert outcome.widget["columns"] == ["id", "name"]
    assert outcome.widget["total"] == 5_000
    assert "of 5,000 rows" in outcome.text
    assert len(outcome.text.encode()) < 2_000


async def test_ten_megabytes_over_http_are_cut() -> None:
    port = free_port()
    box = Toolbox([_config(port)], limits=LIMITS)
    async with odd_over_http(port):
        huge = await call(box, "web__huge", {"megabytes": 10})
        too_much = await call(box, "web__huge", {"megabytes": 20})
        after = await call(box, "web__pid", {})
    await box.close()

    assert huge.ok, huge.text
    assert "of 10,000,000 bytes" in huge.text
    assert not too_much.ok
    assert after.ok


async def test_changed_tools_are_seen_over_http() -> None:
    port = free_port()
    box = Toolbox([_config(port)], limits=LIMITS)
    async with odd_over_http(port):
        await box.specs(person())
        await call(box, "web__learn", {"name": "sing"})
        await until_listed(box, "web__sing")
    await box.close()
