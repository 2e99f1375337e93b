"""The words of limits: who is limited, by how much, how much is used, and how much is asked for.

Amounts are tokens and nano-dollars. Days and months are UTC's. A question is refused before it is
spent: what is *sure* (the prompt) has to fit beside what is used and held, what may come at *most*
(the longest reply) is held until the call is over. So what a limit lets through is over by one
reply at most, however many ask at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, Protocol, get_args

HOUR_S = 3_600.0
DAY_S = 86_400

LimitName = Literal[
    "requests_per_hour",
    "turns_at_once",
    "tokens_per_day",
    "tokens_per_month",
    "dollars_per_day",
    "dollars_per_month",
]
LIMITS: tuple[LimitName, ...] = get_args(LimitName)
Scope = Literal["user", "workspace"]


@dataclass(frozen=True, slots=True)
class Amount:
    """Tokens, and their cost in nano-dollars."""

    tokens: int = 0
    nanos: int = 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of one subject; None = none. Dollars are in nano-dollars here."""

    requests_per_hour: int | None = None
    turns_at_once: int | None = None
    tokens_per_day: int | None = None
    tokens_per_month: int | None = None
    dollars_per_day: int | None = None
    dollars_per_month: int | None = None

    @property
    def any(self) -> bool:
        """Whether there is a limit at all."""
        return any(getattr(self, name) is not None for name in self.__slots__)

    @property
    def money(self) -> bool:
        """Whether there is a limit in money."""
        return self.dollars_per_day is not None or self.dollars_per_month is not None


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is limited: a user of a workspace, or everybody in it together (`user` is None)."""

    workspace: str
    user: str | None
    bounds: Bounds

    @property
    def scope(self) -> Scope:
        """`user` or `workspace`."""
        return "workspace" if self.user is None else "user"


@dataclass(frozen=True, slots=True)
class Moment:
    """A time: seconds since 1970 by the database's clock, and its UTC day and month as numbers."""

    seconds: float

    @property
    def day(self) -> int:
        """Days since 1970."""
        return int(self.seconds // DAY_S)

    @property
    def month(self) -> int:
        """Months since year 0."""
        date = datetime.fromtimestamp(self.seconds, UTC)
        return date.year * 12 + date.month - 1

    def end_of_day(self) -> float:
        """When the next day begins."""
        return float((self.day + 1) * DAY_S)

    def end_of_month(self) -> float:
        """When the next month begins."""
        year, month = divmod(self.month + 1, 12)
        return datetime(year, month + 1, 1, tzinfo=UTC).timestamp()


@dataclass(frozen=True, slots=True)
class Level:
    """How much of its limits a subject uses now. `oldest` is the time of the question that leaves
    the hour next; `held_…` is reserved by calls under way."""

    requests: int = 0
    oldest: float = 0.0
    turns: int = 0
    day_tokens: int = 0
    day_nanos: int = 0
    month_tokens: int = 0
    month_nanos: int = 0
    held_tokens: int = 0
    held_nanos: int = 0

    def used(self, name: LimitName) -> int:
        """What counts against a limit and is not only held."""
        return {
            "requests_per_hour": self.requests,
            "turns_at_once": self.turns,
            "tokens_per_day": self.day_tokens,
            "tokens_per_month": self.month_tokens,
            "dollars_per_day": self.day_nanos,
            "dollars_per_month": self.month_nanos,
        }[name]


@dataclass(frozen=True, slots=True)
class Seed:
    """What the ledger knows of a subject, for counters that do not know it yet."""

    day_tokens: int = 0
    day_nanos: int = 0
    month_tokens: int = 0
    month_nanos: int = 0
    requests: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Want:
    """What is asked for. `hold` names the reservation; asking again under the same name replaces
    it. `enters` takes one of the turns at once, under the name `turn`; `question` counts a
    question, which what goes on after a decision is not. One that was `asked` of another process
    is counted where it is not yet, and never refused for the number of questions."""

    turn: str
    hold: str
    sure: Amount
    most: Amount
    ttl_s: float
    enters: bool = False
    question: bool = False
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Granted:
    """It is reserved. The levels are those of the subjects afterwards."""

    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was reserved: `limit` of the subject at `place` does not allow it."""

    place: int
    limit: LimitName
    level: Level


@dataclass(frozen=True, slots=True)
class Unseeded:
    """The counters do not know the subjects at these places: `seed` them, then ask again."""

    places: tuple[int, ...]


class CountersGone(Exception):
    """The counters do not answer, so nothing may be spent."""


@dataclass(frozen=True, slots=True)
class Done:
    """A call is over: `hold` is free, `spent` is used. `leave` gives the turn's place back,
    `forget` takes its question out of the count too."""

    turn: str
    hold: str = ""
    spent: Amount = field(default_factory=Amount)
    leave: bool = False
    forget: bool = False


class Counters(Protocol):
    """Where limits are counted: in memory, or in Redis for several processes.

    Every method decides and changes in one step, and raises `CountersGone`. `place` names where
    they are kept: what was counted there is known to all counters of that name.
    """

    place: str

    async def take(
        self, subjects: Sequence[Subject], at: Moment, want: Want
    ) -> Granted | Refused | Unseeded:
        """Reserve for all subjects or for none."""
        ...

    async def settle(
        self, subjects: Sequence[Subject], at: Moment, done: Done
    ) -> tuple[Level, ...] | Unseeded:
        """Book what a call has really used. Subjects that are not known stay unknown."""
        ...

    async def look(self, subjects: Sequence[Subject], at: Moment) -> tuple[Level, ...] | Unseeded:
        """The levels, unchanged."""
        ...

    async def seed(self, subject: Subject, at: Moment, seed: Seed) -> None:
        """Tell what the ledger knows. What is counted already is never made less."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


def over(bounds: Bounds, level: Level, want: Want) -> LimitName | None:
    """The first limit that does not allow what is wanted. `level` is without the same hold."""
    turns, requests = bounds.turns_at_once, bounds.requests_per_hour
    if want.enters and turns is not None and level.turns >= turns:
        return "turns_at_once"
    new = want.question and not want.asked
    if new and requests is not None and level.requests >= requests:
        return "requests_per_hour"
    tokens, nanos = level.held_tokens + want.sure.tokens, level.held_nanos + want.sure.nanos
    checks: tuple[tuple[LimitName, int], ...] = (
        ("tokens_per_day", level.day_tokens + tokens),
        ("tokens_per_month", level.month_tokens + tokens),
        ("dollars_per_day", level.day_nanos + nanos),
        ("dollars_per_month", level.month_nanos + nanos),
    )
    for name, would_be in checks:
        bound: int | None = getattr(bounds, name)
        if bound is not None and would_be > bound:
            return name
    return None
