"""Thousands of turns while the providers fail: who is called, in the providers' own books.

`python -m chaos.routes --turns 10000 --write`. Four providers, three of them approved for somebody,
answer with 429 and 500, hang before the first byte and in the middle, break off, and are well now
and then. Each keeps a book of every call: who asked (it stands in the message), for which model,
with which key. A call in a book where the workspace's policy does not name that provider is a
violation, as is one with another provider's key or model, and one that nobody asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from chaos.clients import SECRET, token
from chaos.failing import Failing
from chaos.report import put
from parlour.settings import Settings
from tests.house import House, final, house, parse_frames
from tests.postgres import fresh_database, running_postgres

# Who may be served by whom, first choice first. Nobody is served by "stray", which is what the
# process calls where no policy names a route.
APPROVED: dict[str, tuple[str, ...]] = {
    "pinned": ("gold",),
    "ordered": ("gold", "silver"),
    "cheap": ("bronze",),
    "backwards": ("silver", "bronze"),
}
PROVIDERS = ("gold", "silver", "bronze", "stray")
AT_ONCE = 150
USERS = 40  # of each workspace


@dataclass(slots=True)
class Outcome:
    """What was asked, how it ended, and what the providers wrote down."""

    turns: int
    ends: Counter[str] = field(default_factory=Counter[str])
    calls: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    answers: Counter[str] = field(default_factory=Counter[str])  # what the providers did
    outside: list[str] = field(default_factory=list[str])
    took_s: float = 0.0

    def lines(self) -> list[str]:
        """For people."""
        calls = sum(self.calls.values())
        answers = ", ".join(f"{count:,} {what}" for what, count in self.answers.most_common())
        ends = ", ".join(f"{count:,} {end}" for end, count in self.ends.most_common())
        rows = [
            f"| {workspace} | {', '.join(APPROVED[workspace])} | "
            + " | ".join(f"{self.calls[workspace, name]:,}" for name in PROVIDERS)
            + " |"
            for workspace in APPROVED
        ]
        return [
            f"{self.turns:,} turns in {self.took_s:.0f} s, {calls:,} calls in the books,",
            f"**{len(self.outside)} outside an approved route**.",
            "",
            f"What the providers did: {answers}.",
            f"How the turns ended: {ends}.",
            "",
            f"| workspace | approved | {' | '.join(PROVIDERS)} |",
            f"| --- | --- | {' | '.join('---:' for _ in PROVIDERS)} |",
            *rows,
        ]


async def storm(turns: int, database_url: str, folder: Path, *, seed: int = 1) -> Outcome:
    """Ask so many questions, and compare the books with the policies."""
    began = time.monotonic()
    outcome = Outcome(turns)
    async with contextlib.AsyncExitStack() as stack:
        providers = {
            name: await stack.enter_async_context(_provider(name, seed)) for name in PROVIDERS
        }
        settings = _settings(database_url, folder, providers)
        it = await stack.enter_async_context(house(settings))
        numbers = iter(range(turns))
        askers = [_ask(it, outcome, numbers, seed) for _ in range(min(AT_ONCE, turns))]
        await asyncio.gather(*askers)
    for name, provider in providers.items():
        _judge(outcome, name, provider)
    outcome.took_s = time.monotonic() - began
    return outcome


async def _ask(it: House, outcome: Outcome, numbers: Any, seed: int) -> None:
    """One asker after another takes the next number until there is none."""
    for number in numbers:
        chance = random.Random(f"{seed}/{number}")
        workspace = chance.choice(tuple(APPROVED))
        headers = {"authorization": f"Bearer {token(f'u{number % USERS}', workspace)}"}
        text = f"[[asked:{workspace} by={number}]]"
        try:
            async with it.start(f"c{number}", text, headers) as response:
                if response.status != 200:
                    outcome.ends[f"refused with {response.status}"] += 1
                    continue
                end = final(parse_frames(await response.text()))
        except (aiohttp.ClientError, TimeoutError) as error:
            outcome.ends[type(error).__name__] += 1
            continue
        outcome.ends[end.error.code if end.error else end.status] += 1


def _judge(outcome: Outcome, name: str, provider: Failing) -> None:
    for call in provider.book:
        outcome.calls[call.workspace, name] += 1
        outcome.answers[call.answer] += 1
        wrong = [
            *([] if name in APPROVED.get(call.workspace, ()) else ["not approved"]),
            *([] if call.model == f"{name}-1" else [f"model {call.model}"]),
            *([] if call.key == f"{name}-key" else [f"key {call.key}"]),
        ]
        if wrong:
            asked = call.workspace or "nobody"
            outcome.outside.append(f"{name}, for {asked}: {', '.join(wrong)}")


@contextlib.asynccontextmanager
async def _provider(name: str, seed: int) -> AsyncIterator[Failing]:
    provider = Failing(name, seed)
    await provider.start()
    try:
        yield provider
    finally:
        await provider.close()


def _settings(database_url: str, folder: Path, providers: dict[str, Failing]) -> Settings:
    keys = {name: f"CHAOS_{name.upper()}_KEY" for name in PROVIDERS}
    os.environ.update({variable: f"{name}-key" for name, variable in keys.items()})
    routes = {
        name: {
            "provider": "openai",
            "model": f"{name}-1",
            "base_url": providers[name].url,
            "key": keys[name],
        }
        for name in PROVIDERS
        if name != "stray"
    }
    workspaces = {
        workspace: {"routes": {"mode": "ordered" if len(names) > 1 else "pinned", "use": names}}
        for workspace, names in APPROVED.items()
    }
    given: dict[str, Any] = {
        "secret": SECRET,
        "database_url": database_url,
        "data_dir": folder,
        "model": "openai:stray-1",
        "openai_api_key": "stray-key",
        "openai_base_url": providers["stray"].url,
        "routes": routes,
        "workspaces": workspaces,
        # Short, so that many calls are made: a breaker that rests for a minute would spare most.
        "models": {
            "first_byte_s": 0.4,
            "idle_s": 0.4,
            "tries_max": 2,
            "retry_s_max": 1,
            "breaker_s": 0.1,
        },
    }
    return Settings(**given)


async def session(turns: int, seed: int) -> Outcome:
    """On a Postgres of its own."""
    with tempfile.TemporaryDirectory(prefix="parlour-routes-") as folder:
        async with running_postgres() as server, fresh_database(server) as url:
            return await storm(turns, url, Path(folder), seed=seed)


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m chaos.routes", description=__doc__)
    parser.add_argument("--turns", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="write it into docs/chaos.md")
    options = parser.parse_args()
    outcome = asyncio.run(session(options.turns, options.seed))
    print("\n".join(outcome.lines()))
    for line in outcome.outside[:20]:
        print(f"  outside: {line}")
    if options.write:
        put("routes", outcome.lines())
    return int(bool(outcome.outside))


if __name__ == "__main__":
    raise SystemExit(main())
