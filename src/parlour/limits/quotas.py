"""Who may spend how much: the limits of a user's tier and of the workspace, kept by counters.

What the counters do not know is read from the ledger first, so neither a restart nor an empty
Redis gives anybody a new day. When the counters do not answer, nothing is spent: it is refused
(`LimitsUnavailable`) until they are back. What they could not be told of is told later.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import structlog

from parlour.domain import Principal
from parlour.errors import LimitsUnavailable
from parlour.limits.clock import Clock
from parlour.limits.levels import (
    Bounds,
    Counters,
    CountersGone,
    Done,
    Level,
    Moment,
    Refused,
    Seed,
    Subject,
    Unseeded,
    Want,
)
from parlour.limits.words import refusal
from parlour.policy import LimitsPolicy, Policies, Tier
from parlour.store.ledger import Ledger
from parlour.telemetry.metrics import Metrics

NANOS_PER_DOLLAR = 1_000_000_000
SEEDINGS_MAX = 5  # in a row; a subject that is lost again each time means that counters are broken
LATE_MAX = 10_000  # settlements that wait for the counters
LATE_S = 1.0  # between two tries
AWAY_S = 0.5  # counters that did not answer are not asked again for so long
KNOWN_MAX = 100_000

log = structlog.get_logger("parlour.limits")


class Forgotten(Exception):
    """The counters do not know somebody (any more), and the ledger may not be asked now."""


@dataclass(frozen=True, slots=True)
class Limited:
    """Somebody with limits: who is counted, and under which rules."""

    subjects: tuple[Subject, ...]
    tier: Tier

    @property
    def money(self) -> bool:
        """Whether what a call costs has to be known before it is made."""
        return any(subject.bounds.money for subject in self.subjects)


class Quotas:
    """All limits of the process."""

    def __init__(
        self,
        *,
        counters: Counters,
        clock: Clock,
        ledger: Ledger,
        policies: Policies,
        metrics: Metrics,
    ) -> None:
        self._counters = counters
        self._clock = clock
        self._ledger = ledger
        self._policies = policies
        self._metrics = metrics
        self._late: deque[tuple[tuple[Subject, ...], Done]] = deque(maxlen=LATE_MAX)
        self._retrying: asyncio.Task[None] | None = None
        self._known: set[tuple[str, str | None]] = set()
        self._away_until = 0.0

    @property
    def place(self) -> str:
        """Where the counters are kept; see `levels.Counters`."""
        return self._counters.place

    def rules(self, workspace: str) -> LimitsPolicy:
        """The limits of a workspace, as configured."""
        return self._policies.of(workspace).limits

    def limited(self, principal: Principal) -> Limited | None:
        """The limits of somebody; None for whoever has none (the one local user, too)."""
        if principal.local:
            return None
        rules = self.rules(principal.workspace)
        tier = rules.tier(principal.tier)
        given = (
            Subject(principal.workspace, principal.user, bounds(tier)),
            Subject(principal.workspace, None, bounds(rules.workspace)),
        )
        subjects = tuple(subject for subject in given if subject.bounds.any)
        return Limited(subjects, tier) if subjects else None

    async def prepare(self, subjects: tuple[Subject, ...], *, again: bool = False) -> None:
        """Make sure that the counters know the subjects, and the clock the time.

        Counters that do not answer are no matter here: they will not answer to `take` either.
        """
        await self._clock.now()
        keys = {(subject.workspace, subject.user) for subject in subjects}
        if not again and keys <= self._known:
            return
        try:
            await self.look(subjects)
        except LimitsUnavailable:
            return
        if len(self._known) > KNOWN_MAX:
            self._known.clear()
        self._known |= keys

    async def take(
        self, subjects: tuple[Subject, ...], want: Want, *, ask_ledger: bool = True
    ) -> tuple[Moment, tuple[Level, ...]]:
        """Reserve. Raises `RateLimited`, `QuotaExceeded`, `LimitsUnavailable` and, when the ledger
        would have to be read: `Forgotten`, unless it may be asked, else `StoreUnavailable`."""
        at = await self._clock.now()
        try:
            for _ in range(SEEDINGS_MAX):
                self._check_up()
                answer = await self._counters.take(subjects, at, want)
                if not isinstance(answer, Unseeded):
                    break
                if not ask_ledger:
                    raise Forgotten
                await self._seed([subjects[place] for place in answer.places])
            else:
                raise CountersGone("they forget what they are told")
        except CountersGone as error:
            raise self._gone(error) from error
        if isinstance(answer, Refused):
            subject = subjects[answer.place]
            self._metrics.limits_refused.labels(answer.limit, subject.scope).inc()
            raise refusal(subject, answer, want, at)
        return at, answer.levels

    async def settle(
        self, subjects: tuple[Subject, ...], done: Done
    ) -> tuple[Moment, tuple[Level, ...]] | None:
        """Book what was used; the levels afterwards, or None when it has to wait."""
        at = await self._clock.now()
        try:
            self._check_up()
            levels = await self._counters.settle(subjects, at, done)
        except CountersGone as error:
            self._gone(error)
            self._later(subjects, done)
            return None
        return None if isinstance(levels, Unseeded) else (at, levels)

    async def add(self, workspace: str, user: str, done: Done) -> None:
        """Book what a turn of another process has used that was lost with it."""
        for who in (user, None):
            await self.settle((Subject(workspace, who, Bounds()),), done)

    async def look(self, subjects: tuple[Subject, ...]) -> tuple[Moment, tuple[Level, ...]]:
        """The levels now. Raises what `take` raises but refusals."""
        at = await self._clock.now()
        try:
            for _ in range(SEEDINGS_MAX):
                self._check_up()
                levels = await self._counters.look(subjects, at)
                if not isinstance(levels, Unseeded):
                    return at, levels
                await self._seed([subjects[place] for place in levels.places])
            raise CountersGone("they forget what they are told")
        except CountersGone as error:
            raise self._gone(error) from error

    async def close(self) -> None:
        """Try once more what waits, then let go of the counters."""
        if self._retrying:
            self._retrying.cancel()
            await asyncio.gather(self._retrying, return_exceptions=True)
            await self._try_late()
        await self._counters.close()

    async def _seed(self, subjects: Sequence[Subject]) -> None:
        for subject in subjects:
            spent = await self._ledger.spent(
                subject.workspace,
                subject.user,
                month=True,
                requests_max=subject.bounds.requests_per_hour or 0,
            )
            at = self._clock.sync(spent.now)
            await self._counters.seed(
                subject,
                at,
                Seed(
                    spent.day_tokens,
                    spent.day_nanos,
                    spent.month_tokens,
                    spent.month_nanos,
                    spent.requests,
                ),
            )

    def _check_up(self) -> None:
        """Do not wait again for what did not answer a moment ago."""
        if time.monotonic() < self._away_until:
            raise CountersGone("they did not answer a moment ago")

    def _gone(self, error: CountersGone) -> LimitsUnavailable:
        self._metrics.limits_unavailable.inc()
        if time.monotonic() >= self._away_until:
            self._away_until = time.monotonic() + AWAY_S
            log.warning("limits_unavailable", error=str(error))
        return LimitsUnavailable(
            "Limits cannot be checked at the moment, so nothing new is started. What was said "
            "before can be read. Please try again in a few seconds."
        )

    def _later(self, subjects: tuple[Subject, ...], done: Done) -> None:
        self._late.append((subjects, done))
        if self._retrying is None or self._retrying.done():
            self._retrying = asyncio.create_task(self._retry(), name="late settlements")

    async def _retry(self) -> None:
        while self._late:
            await asyncio.sleep(LATE_S)
            await self._try_late()

    async def _try_late(self) -> None:
        while self._late:
            subjects, done = self._late[0]
            try:
                await self._counters.settle(subjects, await self._clock.now(), done)
            except Exception as error:  # noqa: BLE001  # it is tried again, or the process ends
                log.info("settlements_wait", waiting=len(self._late), error=str(error))
                return
            self._late.popleft()


def bounds(tier: Tier) -> Bounds:
    """The limits of a tier in whole numbers."""

    def nanos(dollars: Decimal | None) -> int | None:
        return None if dollars is None else int(dollars * NANOS_PER_DOLLAR)

    return Bounds(
        requests_per_hour=tier.requests_per_hour,
        turns_at_once=tier.turns_at_once,
        tokens_per_day=tier.tokens_per_day,
        tokens_per_month=tier.tokens_per_month,
        dollars_per_day=nanos(tier.dollars_per_day),
        dollars_per_month=nanos(tier.dollars_per_month),
    )
