"""What goes wrong and when, decided by the seed alone."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import psycopg

from chaos.house import LEASE_S, Stormed
from chaos.link import KINDS
from chaos.provider import FAULTS
from chaos.seen import Evidence, Frozen

ROLL_PAUSE_S = 1.0  # so that turns run in the one that is told to leave


@dataclass(frozen=True, slots=True)
class Planned:
    """One act: when, what, and at which of several targets; it lasts for some seconds."""

    at_s: float
    what: str
    target: int
    lasts_s: float
    kind: str = ""


ACTS = ("kill", "kill", "freeze", "link", "link", "storm", "provider", "provider", "redis", "db")


def plan(seed: int, seconds: float) -> list[Planned]:
    """The acts of a run, in order; one begins about every two seconds."""
    chance = random.Random(f"nemesis {seed}")
    planned: list[Planned] = []
    at = 1.0
    while at < seconds - 1:
        what = chance.choice(ACTS)
        kind = {
            "link": chance.choice(KINDS),
            "provider": chance.choice(FAULTS),
            "redis": chance.choice(("kill", "pause")),
            "db": chance.choice(("terminate", "lock")),
        }.get(what, "")
        planned.append(
            Planned(round(at, 2), what, chance.randrange(1_000), chance.uniform(0.3, 2.0), kind)
        )
        at += chance.uniform(1.0, 3.0)
    return planned


# So that there are replies that break off, whatever the seed brings: one mistake is about these.
BROKEN_REPLIES = Planned(0.2, "provider", 0, 1.5, "cut")


class Nemesis:
    """Carries out a plan on a house."""

    def __init__(self, house: Stormed, evidence: Evidence) -> None:
        self._house = house
        self._evidence = evidence

    async def rage(self, planned: list[Planned]) -> None:
        """All of it, then fair weather: everything runs again when this returns."""
        started = asyncio.get_running_loop().time()
        try:
            for act in planned:
                wait_s = started + act.at_s - asyncio.get_running_loop().time()
                await asyncio.sleep(max(0.0, wait_s))
                self._evidence.nemesis.append(f"{act.at_s:g} s: {act.what} {act.kind}".rstrip())
                await self._do(act)
        finally:
            await self.heal()

    async def roll(self) -> None:
        """Restart every web process in order, one after the other, as a new version is brought
        out: SIGTERM, until it has gone, then its successor, until it is ready."""
        for program in self._house.webs:
            await asyncio.sleep(ROLL_PAUSE_S)
            self._evidence.nemesis.append(f"restart {program.name}")
            await program.stop()
            await program.start()

    async def heal(self) -> None:
        """Fair weather."""
        house = self._house
        for line in house.links:
            line.set("fair")
        house.provider.fault = ""
        for program in (*house.webs, house.worker):
            program.thaw()
            if program.process is None or program.process.returncode is not None:
                await program.start()

    async def _do(self, act: Planned) -> None:
        acts: dict[str, Callable[[Planned], Awaitable[None]]] = {
            "kill": self._kill,
            "freeze": self._freeze,
            "link": self._link,
            "storm": self._storm,
            "provider": self._provider,
            "redis": self._redis,
            "db": self._database,
        }
        await acts[act.what](act)

    async def _kill(self, act: Planned) -> None:
        programs = [*self._house.webs, self._house.worker]
        program = programs[act.target % len(programs)]
        await program.kill()
        self._evidence.kills += 1
        await asyncio.sleep(min(act.lasts_s, 1.0))
        await program.start()

    async def _freeze(self, act: Planned) -> None:
        """Longer than the lease, sometimes: then it comes back as a former owner."""
        program = self._house.webs[act.target % len(self._house.webs)]
        began = time.monotonic()
        program.freeze()
        try:
            if act.target % 2:
                self._evidence.kills += 1  # others take its turns over, as after a kill
                await asyncio.sleep(LEASE_S + 1.5)
            else:
                await asyncio.sleep(min(act.lasts_s, 1.0))
        finally:
            program.thaw()
            self._evidence.frozen.append(Frozen(program.name, began, time.monotonic()))

    async def _link(self, act: Planned) -> None:
        line = self._house.links[act.target % len(self._house.links)]
        line.set(act.kind)  # type: ignore[arg-type]
        self._evidence.nemesis[-1] += f" on {line.name}"
        await asyncio.sleep(act.lasts_s)
        line.set("fair")
        if act.kind in {"blackhole", "deaf", "mute"}:
            line.storm()

    async def _storm(self, act: Planned) -> None:
        line = self._house.links[act.target % len(self._house.links)]
        self._evidence.nemesis[-1] += f" on {line.name}"
        line.storm()

    async def _provider(self, act: Planned) -> None:
        self._house.provider.fault = act.kind
        await asyncio.sleep(act.lasts_s)
        self._house.provider.fault = ""

    async def _redis(self, act: Planned) -> None:
        redis = self._house.redis
        if act.kind == "kill":
            redis.kill()
            await asyncio.sleep(act.lasts_s)
            redis.start()
            return
        for line in self._house.links:
            if line.name.endswith("redis"):
                line.set("blackhole")
        await asyncio.sleep(act.lasts_s)
        for line in self._house.links:
            if line.name.endswith("redis"):
                line.set("fair")
                line.storm()

    async def _database(self, act: Planned) -> None:
        url = self._house.database_url
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            if act.kind == "terminate":
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                return
            async with connection.transaction():
                await connection.execute("LOCK TABLE turns IN ACCESS EXCLUSIVE MODE")
                await asyncio.sleep(min(act.lasts_s, 1.5))
