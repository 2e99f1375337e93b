"""Five real tool servers from the registries on stdio: used, killed, started again and hung.

All of them and our own odd one live side by side once, and what each went through is asserted about
afterwards: starts take seconds of a processor, and one life after the other took minutes.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from parlour.domain import ToolOutcome
from parlour.tools.config import ServerConfig, ToolLimits
from parlour.tools.toolbox import Toolbox
from tests.mcp_servers import (
    call,
    children,
    everything_server,
    filesystem_server,
    git_server,
    odd_server,
    person,
    sqlite_server,
    time_server,
    until,
)

LIMITS = ToolLimits(list_wait_s=60)
TIMEOUT_S = 1.5
OPTIONS: Mapping[str, float] = {"timeout_s": TIMEOUT_S, "connect_s": 60}
STEP_S = 45  # for one step of all lives, installs and a busy machine included
NAMES = ("time", "everything", "files", "git", "sqlite", "odd")


@dataclass(slots=True)
class Life:
    """One server, a tool of it that does no harm, and what came of each call."""

    config: ServerConfig
    tool: str
    arguments: dict[str, object]
    trouble: str = ""
    names: tuple[str, ...] = ()
    first: ToolOutcome | None = None
    lost: ToolOutcome | None = None  # killed in the middle of this call
    lost_s: float = 0
    again: ToolOutcome | None = None
    hung: ToolOutcome | None = None  # the process did not run during this call
    hung_s: float = 0
    others: ToolOutcome | None = None  # somebody else's, at the same time
    after: ToolOutcome | None = None
    left_over: frozenset[int] = frozenset()
    closed: ToolOutcome | None = None

    def pids(self) -> set[int]:
        """The processes of this server."""
        words = {self.config.command, *self.config.args}
        return {pid for pid in children() if words <= _words(pid)}


def _words(pid: int) -> set[str]:
    with suppress(OSError):
        return set(Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").split("\0"))
    return set()


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Life]:
    folder = tmp_path_factory.mktemp("servers")
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    every = {
        "time": Life(time_server(**OPTIONS), "get_current_time", {"timezone": "Europe/Berlin"}),
        "everything": Life(everything_server(**OPTIONS), "echo", {"message": "hello"}),
        "files": Life(filesystem_server(folder, **OPTIONS), "list_allowed_directories", {}),
        "git": Life(git_server(**OPTIONS), "git_status", {"repo_path": str(folder)}),
        "sqlite": Life(sqlite_server(folder / "data.db", **OPTIONS), "list_tables", {}),
        "odd": Life(odd_server(**OPTIONS), "pid", {}),
    }
    asyncio.run(_side_by_side(list(every.values())))
    return every


async def _side_by_side(every: list[Life]) -> None:
    """Nobody hangs or is timed while another one starts."""
    barrier = asyncio.Barrier(len(every))

    async def together() -> None:
        with suppress(asyncio.BrokenBarrierError):  # somebody is in trouble, which its tests say
            await asyncio.wait_for(barrier.wait(), STEP_S)

    async def one(life: Life) -> None:
        toolbox = Toolbox([life.config], limits=LIMITS)
        try:
            await _live(life, toolbox, together)
        except (AssertionError, TimeoutError, ValueError) as error:
            life.trouble = f"{type(error).__name__}: {error}"
            await barrier.abort()
        finally:
            await toolbox.close()
        life.left_over = frozenset(life.pids())
        life.closed = await call(toolbox, f"{life.config.name}__{life.tool}", life.arguments)

    await asyncio.gather(*(one(life) for life in every))


async def _live(life: Life, toolbox: Toolbox, together: Callable[[], Awaitable[None]]) -> None:
    def use(user: str = "ada") -> asyncio.Task[ToolOutcome]:
        name = f"{life.config.name}__{life.tool}"
        return asyncio.create_task(call(toolbox, name, life.arguments, user))

    life.names = tuple(spec.name for spec in await toolbox.specs(person()))
    life.first = await use()
    (pid,) = life.pids()
    bobs = await use("bob")
    assert bobs.ok, bobs.text
    await together()

    os.kill(pid, signal.SIGSTOP)  # so that the call is surely under way
    running = use()
    await until(lambda: toolbox.calls_under_way() > 0, 5, "the call is under way")
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    life.lost = await running
    life.lost_s = time.monotonic() - began
    await together()

    (bob,) = life.pids()
    life.again = await use()
    (pid,) = life.pids() - {bob}
    await together()

    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    life.hung, life.others = await asyncio.gather(use(), use("bob"))
    life.hung_s = time.monotonic() - began
    await together()

    life.after = await use()
    await until(lambda: pid not in children(), 15, "the hung process is gone")


@pytest.fixture(params=NAMES)
def life(request: pytest.FixtureRequest, lives: dict[str, Life]) -> Life:
    found = lives[request.param]
    assert not found.trouble, found.trouble
    return found


def ok(outcome: ToolOutcome | None) -> ToolOutcome:
    assert outcome is not None
    assert outcome.ok, outcome.text
    assert outcome.text
    return outcome


def failed(outcome: ToolOutcome | None) -> ToolOutcome:
    assert outcome is not None
    assert not outcome.ok
    return outcome


def test_a_real_server_lists_its_tools_in_their_order_and_answers(life: Life) -> None:
    names = [name for name in life.names if not name.startswith("parlour__")]
    assert names == sorted(names)
    assert f"{life.config.name}__{life.tool}" in names
    ok(life.first)


@pytest.mark.promise("P9")
def test_a_server_that_is_killed_in_a_call_costs_that_call_and_is_started_again(life: Life) -> None:
    assert "not known" in failed(life.lost).text
    assert life.lost_s < 2
    ok(life.again)


@pytest.mark.promise("P9")
def test_a_server_that_hangs_in_a_call_costs_that_call_in_time_and_nobody_elses(life: Life) -> None:
    assert "did not answer" in failed(life.hung).text
    assert life.hung_s < TIMEOUT_S + 2
    ok(life.others)
    ok(life.after)


def test_closing_ends_every_process(life: Life) -> None:
    assert life.left_over == frozenset()
    failed(life.closed)


async def test_the_dialects_of_real_servers_are_one(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("Error: this is only a note")
    box = Toolbox([filesystem_server(tmp_path), sqlite_server(tmp_path / "data.db")], limits=LIMITS)
    denied = await call(box, "files__read_text_file", {"path": "/etc/passwd"})
    note = await call(box, "files__list_directory", {"path": str(tmp_path)})
    writes = await box.find(person(), "files__write_file")
    made = await call(box, "sqlite__create_table", {"query": "CREATE TABLE t (a INTEGER)"})
    wrong = await call(box, "sqlite__read_query", {"query": "SELECT * FROM absent"})
    refused = await call(box, "sqlite__write_query", {"query": "SELECT 1"})
    silent = await box.find(person(), "sqlite__write_query")
    await box.close()

    assert not denied.ok
    assert "outside allowed directories" in denied.text
    assert "note.txt" in note.text
    assert writes is not None
    assert writes.destructive is True
    assert made.ok, made.text
    assert not wrong.ok
    assert "no such table" in wrong.text
    assert not refused.ok
    assert silent is not None
    assert (silent.read_only, silent.destructive) == (None, None)


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
