"""Limits counted in Redis, for several processes: one script, one round trip a step.

The keys of a workspace share a hash tag, so that a cluster keeps them together. They live three
days; what is missing is seeded from the ledger again, so an emptied Redis resets nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from importlib import resources
from typing import Any, cast
from urllib.parse import quote

import msgspec
from redis.exceptions import NoScriptError

from parlour.events.redis_wire import FAILURES, call, connect
from parlour.limits.levels import (
    CountersGone,
    Done,
    Granted,
    Level,
    LimitName,
    Moment,
    Refused,
    Seed,
    Subject,
    Unseeded,
    Want,
)

CONNECTIONS = 8  # each step takes a fraction of a millisecond
ANSWER_S = 1.0  # a Redis that needs longer counts as away, and nothing is spent
NUMBERS = 9  # of a level
SCRIPT = resources.files("parlour.limits").joinpath("counters.lua").read_text(encoding="utf-8")

_encode = msgspec.json.Encoder().encode


class RedisCounters:
    """See `levels.Counters`."""

    def __init__(self, url: str, *, prefix: str = "parlour") -> None:
        self._prefix = prefix
        self.place = "redis"
        self._redis = connect(url, connections=CONNECTIONS, answer_s=ANSWER_S)
        self._sha = ""

    async def take(
        self, subjects: Sequence[Subject], at: Moment, want: Want
    ) -> Granted | Refused | Unseeded:
        """Reserve for all subjects or for none."""
        answer = await self._step(
            subjects,
            at,
            op="take",
            turn=want.turn,
            hold=want.hold,
            enters=want.enters,
            question=want.question,
            asked=want.asked,
            ttl_s=want.ttl_s,
            sure=(want.sure.tokens, want.sure.nanos),
            most=(want.most.tokens, want.most.nanos),
        )
        if answer[0] == "refused":
            return Refused(int(answer[1]), cast("LimitName", answer[2]), _level(answer[3:]))
        levels = _levels(answer)
        return levels if isinstance(levels, Unseeded) else Granted(levels)

    async def settle(
        self, subjects: Sequence[Subject], at: Moment, done: Done
    ) -> tuple[Level, ...] | Unseeded:
        """Book what a call has really used."""
        spent = (done.spent.tokens, done.spent.nanos)
        step = {"turn": done.turn, "hold": done.hold, "leave": done.leave, "forget": done.forget}
        return _levels(await self._step(subjects, at, op="settle", spent=spent, **step))

    async def look(self, subjects: Sequence[Subject], at: Moment) -> tuple[Level, ...] | Unseeded:
        """The levels, unchanged."""
        return _levels(await self._step(subjects, at, op="look"))

    async def seed(self, subject: Subject, at: Moment, seed: Seed) -> None:
        """Tell what the ledger knows. What is counted already is never made less."""
        used = (seed.day_tokens, seed.day_nanos, seed.month_tokens, seed.month_nanos)
        await self._step([subject], at, op="seed", used=used, requests=list(seed.requests))

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose(close_connection_pool=True)

    async def _step(self, subjects: Sequence[Subject], at: Moment, **step: Any) -> list[str]:
        keys = [key for subject in subjects for key in self._keys(subject)]
        bounds = [_given(subject) for subject in subjects]
        time = {"now": at.seconds, "day": at.day, "month": at.month}
        body = _encode({**time, "subjects": bounds, **step})
        try:
            answer = await self._run(keys, body)
        except FAILURES as error:
            raise CountersGone(f"{type(error).__name__}: {error}") from error
        return [part.decode() if isinstance(part, bytes) else str(part) for part in answer]

    async def _run(self, keys: list[str], body: bytes) -> list[Any]:
        if self._sha:
            try:
                return await call(self._redis, "EVALSHA", self._sha, len(keys), *keys, body)
            except NoScriptError:  # it was started anew
                self._sha = ""
        sha = await call(self._redis, "SCRIPT LOAD", SCRIPT)
        self._sha = sha.decode() if isinstance(sha, bytes) else sha
        return await call(self._redis, "EVALSHA", self._sha, len(keys), *keys, body)

    def _keys(self, subject: Subject) -> list[str]:
        # Quoted: the ids of hosts may hold what the parts of a key are told apart by.
        who = "w" if subject.user is None else f"u:{quote(subject.user, safe='')}"
        base = f"{self._prefix}:limits:{{{quote(subject.workspace, safe='')}}}:{who}"
        return [f"{base}:{part}" for part in ("state", "holds", "ends", "asked", "turns")]


def _given(subject: Subject) -> dict[str, int]:
    return {name: bound for name, bound in asdict(subject.bounds).items() if bound is not None}


def _levels(answer: list[str]) -> tuple[Level, ...] | Unseeded:
    if answer[0] == "unseeded":
        return Unseeded(tuple(int(place) for place in answer[1].split()))
    numbers = answer[1:]
    return tuple(
        _level(numbers[place : place + NUMBERS]) for place in range(0, len(numbers), NUMBERS)
    )


def _level(numbers: Sequence[str]) -> Level:
    requests, oldest, *others = numbers
    return Level(int(requests), float(oldest), *(int(number) for number in others))
