"""The Parlour before the newest migration beside today's, on one schema: `python -m chaos.older`.

A new version is brought out by migrating first and then replacing processes one by one, so for a
while the older code works with the newer tables. The commit before the newest migration is taken
out of git into a temporary folder and started beside today's code on one database and one Redis;
people talk through both. Needs the history of the repository. `--write` puts it into docs/chaos.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos.report import put
from parlour.events import types as ev
from tests.house import Frame, events_of, said
from tests.live.process import Served, script, served, until_token
from tests.postgres import fresh_database, running_postgres
from tests.redis_server import RedisServer

ROOT = Path(__file__).parent.parent
VERSIONS = "src/parlour/store/migrations/versions"
LEASE_S = 3
WENT = "It is 42."
BOUND_S = 30.0  # for an answer, and for a turn whose process was killed
WORDS = "".join(f"w{number} " for number in range(60))
RULES: list[dict[str, Any]] = [
    {"when": "words", "steps": [{"text": WORDS, "pace": 30}]},
    {"when": "hello", "steps": [{"text": "Hello there."}]},
    {
        "when": "circle",
        "rounds": [
            *[[{"calls": [{"name": "parlour__calculator", "arguments": {"expression": "6*7"}}]}]]
            * 4,
            [{"text": WENT}],
        ],
    },
]


@dataclass(frozen=True, slots=True)
class Older:
    """The commit before the newest migration."""

    commit: str
    subject: str
    migration: str


@dataclass(slots=True)
class Pair:
    """Two processes by name, and how to start each again."""

    starts: dict[str, Callable[[], contextlib.AbstractAsyncContextManager[Served]]]
    running: dict[str, Served] = field(default_factory=dict[str, Served])


def find() -> Older:
    """Which commit that is: the last one in which the newest migration is not what it is now."""
    newest = max(path.name for path in (ROOT / VERSIONS).glob("0*.py"))
    changed = _git("log", "-1", "--format=%H", "--", f"{VERSIONS}/{newest}")
    commit, _, subject = _git("log", "-1", "--format=%h %s", f"{changed}^").partition(" ")
    return Older(commit, subject, newest.removesuffix(".py"))


def take_out(older: Older, folder: Path) -> None:
    """Its source, into a folder."""
    packed = subprocess.run(
        ["git", "archive", older.commit, "src"], cwd=ROOT, check=True, capture_output=True
    )
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    imported = subprocess.run(
        [sys.executable, "-c", "import parlour; print(parlour.__file__)"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src")},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert Path(imported).is_relative_to(folder), imported


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


# --- what is tried; each says what was wrong, or nothing ---


async def answers(here: Served, there: Served, thread: str) -> str:
    """A question at one, the next in its conversation at the other, the history at both."""
    for it in (here, there):
        if said(await it.ask(thread, "hello")) != "Hello there.":
            return "another answer than the model's"
    seen = [await _history(it, thread) for it in (here, there)]
    roles = [message["role"] for message in seen[0]]
    if roles != ["user", "assistant"] * 2 or seen[0] != seen[1]:
        return f"the histories differ: {roles}"
    return ""


async def stops(here: Served, there: Served, thread: str) -> str:
    """An answer runs at one and is stopped at the other."""
    turn = (await here.begin(thread, "words"))["turn_id"]
    await until_token(here, thread, turn, 3)
    status, body = await there.post(f"/api/threads/{thread}/turns/{turn}/stop")
    if status != 202:
        return f"HTTP {status} {body}"
    end = _end(await here.read(thread, turn))
    stored = (await _history(there, thread))[-1]["status"]
    return "" if (end, stored) == ("stopped", "stopped") else f"said {end}, stored {stored}"


async def resumes(here: Served, there: Served, thread: str) -> str:
    """Whoever reads at one leaves in the middle and reads on at the other."""
    turn = (await here.begin(thread, "words"))["turn_id"]
    seen = await until_token(here, thread, turn, 5)
    rest = await there.read(thread, turn, after=seen[-1].id)
    if any(frame.event == "reset" for frame in rest):
        return "it had to start over"
    numbers = [frame.seq for frame in (*seen, *rest)]
    if numbers != list(range(1, len(numbers) + 1)):
        return "events are missing or came twice"
    return "" if said([*seen, *rest]) == WORDS else "the text is not the model's"


async def is_told(here: Served, there: Served, thread: str) -> str:
    """What is told beside an answer at one is kept, and hinders nobody at the other."""
    frames = await here.ask(thread, "circle")
    if not any(isinstance(event, ev.Notice) for event in events_of(frames)):
        return "nothing was told"
    _, body = await there.get(f"/api/threads/{thread}/messages")
    if "".join(p["text"] for p in body["messages"][-1]["parts"] if p["type"] == "text") != WENT:
        return f"the history is {body['messages'][-1:]}"
    if said(await there.ask(thread, "hello")) != "Hello there.":
        return "no next answer"
    _, body = await here.get(f"/api/threads/{thread}/messages")
    kept = [part for part in body["messages"][1]["parts"] if part["type"] == "notice"]
    return "" if kept else "the notice was not kept"


async def is_killed(pair: Pair, name: str, other: str) -> str:
    """The one that answers is killed: the other goes on, or ends the turn with a clear error."""
    here, there = pair.running[name], pair.running[other]
    thread = "killed-" + name.rstrip("'s")
    turn = (await here.begin(thread, "words"))["turn_id"]
    await until_token(here, thread, turn, 10)
    await here.kill()
    until = time.monotonic() + BOUND_S
    while (stored := (await _history(there, thread))[-1])["status"] == "running":
        if time.monotonic() > until:
            return f"still running after {BOUND_S:g} s"
        await asyncio.sleep(0.1)
    if stored["status"] not in {"done", "failed"}:
        return f"it ended as {stored['status']}"
    text = "".join(part["text"] for part in stored["parts"] if part["type"] == "text")
    if not WORDS.startswith(text) or (stored["status"] == "done" and text != WORDS):
        return f"{stored['status']} with a text that was not said"
    errors = [part["code"] for part in stored["parts"] if part["type"] == "error"]
    if stored["status"] == "failed" and errors != ["turn_lost"]:
        return f"failed with {errors}"
    end = _end(await there.read(thread, turn))
    if end != stored["status"]:
        return f"readers hear {end}, stored is {stored['status']}"
    return "" if said(await there.ask(thread, "hello")) == "Hello there." else "no next answer"


async def _history(it: Served, thread: str) -> list[dict[str, Any]]:
    _, body = await it.get(f"/api/threads/{thread}/messages")
    kept = ("id", "role", "status", "parts")
    return [{name: message[name] for name in kept} for message in body["messages"]]


def _end(frames: list[Frame]) -> str:
    ends = [event.status for event in events_of(frames) if isinstance(event, ev.Finalize)]
    return ends[0] if len(ends) == 1 else f"{len(ends)} ends"


# --- the session ---


@contextlib.asynccontextmanager
async def two(older: Older, folder: Path) -> AsyncIterator[Pair]:
    """Both processes on today's schema."""
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_postgres())
        url = await stack.enter_async_context(fresh_database(server))
        redis = RedisServer()
        stack.callback(redis.close)
        redis.start()
        source = folder / "source"
        take_out(older, source)
        pair = Pair({})
        for name, path in (("older", source / "src"), ("today's", ROOT / "src")):
            own = folder / name.rstrip("'s")
            own.mkdir()
            settings = {
                "PYTHONPATH": str(path),
                "PARLOUR_DATABASE_URL": url,
                "PARLOUR_REDIS_URL": redis.url,
                "PARLOUR_MODEL": script(own, RULES),
                "PARLOUR_LIMITS__LEASE_S": str(LEASE_S),
            }
            pair.starts[name] = lambda own=own, settings=settings: served(own, **settings)
            pair.running[name] = await stack.enter_async_context(pair.starts[name]())
        yield pair


async def session(older: Older) -> list[tuple[str, str, str]]:
    """What was tried, who did it, and what was wrong with it."""
    found: list[tuple[str, str, str]] = []

    async def attempt(what: str, who: str, work: Awaitable[str]) -> None:
        try:
            async with asyncio.timeout(2 * BOUND_S):
                wrong = await work
        except Exception as error:
            wrong = f"{type(error).__name__}: {error}"
        found.append((what, who, wrong))
        print(f"{what}, {who}: {wrong or 'as it should be'}", flush=True)

    with tempfile.TemporaryDirectory(prefix="parlour-older-") as name:
        async with two(older, Path(name)) as pair:
            for one, other in (("older", "today's"), ("today's", "older")):
                here, there = pair.running[one], pair.running[other]
                thread = "from-" + one.rstrip("'s")
                who = f"{one} process first, then {other}"
                await attempt("questions and history", who, answers(here, there, f"{thread}-a"))
                who = f"answered by {one}, asked of {other}"
                await attempt("stop", who, stops(here, there, f"{thread}-s"))
                await attempt("read on", who, resumes(here, there, f"{thread}-r"))
                if one == "today's":
                    who = f"told by {one}, read by {other}"
                    await attempt("notice", who, is_told(here, there, f"{thread}-n"))
            await attempt("kill -9", "of the older", is_killed(pair, "older", "today's"))
            async with pair.starts["older"]() as again:
                pair.running["older"] = again
                await attempt("kill -9", "of today's", is_killed(pair, "today's", "older"))
    return found


def lines(older: Older, found: list[tuple[str, str, str]]) -> list[str]:
    """For people."""
    wrong = sum(bool(what) for _, _, what in found)
    return [
        f"The older code is `{older.commit}` ({older.subject}), the last one before migration "
        f"`{older.migration}`. **{wrong} of {len(found)} went wrong.**",
        "",
        "| what | who | how it went |",
        "| --- | --- | --- |",
        *(f"| {what} | {who} | {wrong or 'well'} |" for what, who, wrong in found),
    ]


def main() -> int:
    """Entry point; 1 when something went wrong."""
    parser = argparse.ArgumentParser(prog="python -m chaos.older", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write it into docs/chaos.md")
    options = parser.parse_args()
    older = find()
    found = asyncio.run(session(older))
    if options.write:
        put("older", lines(older, found))
    return int(any(wrong for _, _, wrong in found))


if __name__ == "__main__":
    raise SystemExit(main())
