"""Real MCP servers on stdio, used, killed, restarted and hung."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parlour import tokens
from parlour.domain import ToolRequest
from parlour.tools.config import ServerConfig, ToolLimits
from parlour.tools.toolbox import Toolbox
from tests.mcp_servers import (
    call,
    children,
    everything_server,
    filesystem_server,
    odd_server,
    person,
    time_server,
    until,
    until_listed,
)

LIMITS = ToolLimits(list_wait_s=15)


@pytest.fixture(params=["time", "everything", "files", "odd"])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> ServerConfig:
    makers = {
        "time": lambda: time_server(timeout_s=1.5),
        "everything": lambda: everything_server(timeout_s=1.5),
        "files": lambda: filesystem_server(tmp_path, timeout_s=1.5),
        "odd": lambda: odd_server(timeout_s=1.5),
    }
    return makers[request.param]()


HARMLESS: dict[str, tuple[str, dict[str, object]]] = {
    "time": ("time__get_current_time", {"timezone": "Europe/Berlin"}),
    "everything": ("everything__echo", {"message": "hello"}),
    "files": ("files__list_allowed_directories", {}),
    "odd": ("odd__pid", {}),
}


@pytest.fixture
async def toolbox(server: ServerConfig) -> AsyncIterator[Toolbox]:
    box = Toolbox([server], limits=LIMITS)
    yield box
    await box.close()


async def _started(toolbox: Toolbox, server: ServerConfig, user: str = "ada") -> int:
    """Use the server once as this user; the process id of its process."""
    before = children()
    outcome = await call(toolbox, *HARMLESS[server.name], user)
    assert outcome.ok, outcome.text
    (pid,) = children() - before
    return pid


async def test_a_server_lists_its_tools_and_answers(toolbox: Toolbox, server: ServerConfig) -> None:
    specs = await toolbox.specs(person())
    outcome = await call(toolbox, *HARMLESS[server.name])

    names = [spec.name for spec in specs if not spec.name.startswith("parlour__")]
    assert names == sorted(names)
    assert HARMLESS[server.name][0] in names
    assert outcome.ok
    assert outcome.text
    assert toolbox.servers()[1].status == "ready"


async def test_a_killed_server_fails_its_call_at_once_and_answers_the_next(
    toolbox: Toolbox, server: ServerConfig
) -> None:
    pid = await _started(toolbox, server)
    os.kill(pid, signal.SIGSTOP)  # so that the call is surely under way
    running = asyncio.create_task(call(toolbox, *HARMLESS[server.name]))
    await until(lambda: toolbox.calls_under_way() > 0, 5, "the call is under way")
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)

    lost = await running
    took = time.monotonic() - began
    again = await call(toolbox, *HARMLESS[server.name])

    assert not lost.ok
    assert "not known" in lost.text
    assert took < 1
    assert again.ok, again.text


async def test_a_server_that_died_between_calls_is_started_again(
    toolbox: Toolbox, server: ServerConfig
) -> None:
    pid = await _started(toolbox, server)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: toolbox.servers()[1].connections == 0, 5, "its end is noticed")

    again = await call(toolbox, *HARMLESS[server.name])

    assert again.ok, again.text


async def test_a_hung_server_fails_its_call_in_time_and_harms_no_other_user(
    toolbox: Toolbox, server: ServerConfig
) -> None:
    pid = await _started(toolbox, server)
    await _started(toolbox, server, "bob")
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()

    hung, other = await asyncio.gather(
        call(toolbox, *HARMLESS[server.name]), call(toolbox, *HARMLESS[server.name], "bob")
    )
    took = time.monotonic() - began
    again = await call(toolbox, *HARMLESS[server.name])

    assert not hung.ok
    assert "did not answer" in hung.text
    assert took < server.timeout_s + 0.5
    assert other.ok
    assert other.elapsed_ms < 1_000
    assert again.ok, again.text
    await until(lambda: pid not in children(), 10, "the hung process is gone")


async def test_closing_the_toolbox_ends_every_process(server: ServerConfig) -> None:
    before = children()
    box = Toolbox([server], limits=LIMITS)
    await _started(box, server)
    await _started(box, server, "bob")

    await box.close()

    assert children() == before
    assert not (await call(box, *HARMLESS[server.name])).ok


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
            before = time.perf_counter()
            await asyncio.sleep(0)
            stalls.append(time.perf_counter() - before)

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


async def test_everything_shows_images_links_and_structured_content() -> None:
    box = Toolbox([everything_server()], limits=LIMITS)
    image = await call(box, "everything__get-tiny-image", {})
    links = await call(box, "everything__get-resource-links", {"count": 3})
    weather = await call(box, "everything__get-structured-content", {"location": "Chicago"})
    await box.close()

    assert image.ok
    assert image.widget["kind"] == "image"
    assert image.widget["mime"] == "image/png"
    assert links.widget["kind"] == "links"
    assert len(links.widget["links"]) == 3
    assert weather.widget["kind"] == "json"
    assert "temperature" in weather.text


async def test_a_denied_path_is_a_failed_call_in_the_servers_words(tmp_path: Path) -> None:
    box = Toolbox([filesystem_server(tmp_path)], limits=LIMITS)
    (tmp_path / "note.txt").write_text("Error: this is only a note")
    denied = await call(box, "files__read_text_file", {"path": "/etc/passwd"})
    note = await call(box, "files__list_directory", {"path": str(tmp_path)})
    found = await box.find(person(), "files__write_file")
    await box.close()

    assert not denied.ok
    assert "outside allowed directories" in denied.text
    assert "note.txt" in note.text
    assert found is not None
    assert found.destructive is True


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
