"""What people are told about their limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from parlour.errors import Problem, QuotaExceeded, RateLimited
from parlour.limits.levels import (
    HOUR_S,
    LIMITS,
    Amount,
    Level,
    LimitName,
    Moment,
    Refused,
    Subject,
    Want,
)

NANOS_PER_DOLLAR = 1_000_000_000
TURN_RETRY_S = 2  # nobody knows when an answer ends


def resets_at(limit: LimitName, level: Level, at: Moment) -> float | None:
    """When a limit has more to give, in seconds since 1970; None when answers have to end first."""
    if limit == "turns_at_once":
        return None
    if limit == "requests_per_hour":
        return level.oldest + HOUR_S if level.requests else at.seconds
    return at.end_of_day() if limit.endswith("_day") else at.end_of_month()


def rfc3339(seconds: float | None) -> str | None:
    """A time for machines, whole seconds in UTC."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(math.ceil(seconds), UTC).isoformat().replace("+00:00", "Z")


def quantity(limit: LimitName, number: int) -> str:
    """A number of what a limit counts: `100,000 tokens`, `$2.50`, `50 questions`."""
    if limit.startswith("dollars"):
        return f"${number / NANOS_PER_DOLLAR:,.2f}"
    if limit.startswith("tokens"):
        return f"{number:,} tokens"
    what = "questions" if limit == "requests_per_hour" else "answers"
    return f"{number:,} {what}"


def period(limit: LimitName) -> str:
    """`an hour`, `a day`, `a month` or `at once`."""
    if limit == "turns_at_once":
        return "at once"
    return {"hour": "an hour", "day": "a day", "month": "a month"}[limit.rpartition("_")[2]]


def refusal(subject: Subject, refused: Refused, want: Want, at: Moment) -> Problem:
    """Why a question is refused: which limit, and when it has more to give."""
    limit, level = refused.limit, refused.level
    bound: int = getattr(subject.bounds, limit)
    resets = resets_at(limit, level, at)
    whose = "This workspace" if subject.user is None else "Your plan"
    allowed = f"{whose} has {quantity(limit, bound)} {period(limit)}"
    if limit == "turns_at_once":
        problem: Problem = RateLimited(f"{allowed}. Wait until one of them has ended.")
        problem.retry_after_s = TURN_RETRY_S
    else:
        assert resets is not None  # noqa: S101  # every other limit has a time
        problem = (
            RateLimited(f"{allowed}; they are used. {_again(resets)}")
            if limit == "requests_per_hour"
            else QuotaExceeded(f"{allowed}; {_left(limit, bound, level, want)} {_again(resets)}")
        )
        problem.retry_after_s = max(1, math.ceil(resets - at.seconds))
    problem.extra = told(subject, limit, level, at)
    return problem


def told(subject: Subject, limit: LimitName, level: Level, at: Moment) -> dict[str, Any]:
    """The same for machines: the fields of a problem beside the standard's."""
    return {
        "limit": limit,
        "scope": subject.scope,
        "allowed": getattr(subject.bounds, limit),
        "used": level.used(limit),
        "resets_at": rfc3339(resets_at(limit, level, at)),
    }


def standing(subject: Subject, level: Level, at: Moment, percent: int) -> list[dict[str, Any]]:
    """Where a subject stands with each of its limits, for the page and for operators."""
    found: list[dict[str, Any]] = []
    for limit in LIMITS:
        bound: int | None = getattr(subject.bounds, limit)
        if bound is not None:
            used = level.used(limit)
            resets = resets_at(limit, level, at)
            found.append(
                {
                    **told(subject, limit, level, at),
                    "left": max(0, bound - used),
                    "near": limit != "turns_at_once" and 100 * used >= bound * percent,
                    "resets_in_s": None if resets is None else max(0, round(resets - at.seconds)),
                }
            )
    return found


def warnings(
    subjects: Sequence[Subject],
    levels: Sequence[Level],
    spent: Amount | None,
    percent: int,
    at: Moment,
) -> list[str]:
    """What people are told when `spent` (None: a question) has just brought a limit that near.

    Whoever's spending crosses the line is told, so it is said once, whoever else asks meanwhile.
    """
    said: list[str] = []
    for subject, level in zip(subjects, levels, strict=True):
        for limit, step in _steps(spent):
            bound: int | None = getattr(subject.bounds, limit)
            if bound is None:
                continue
            used, line = level.used(limit), bound * percent
            if 100 * (used - step) < line <= 100 * used:
                said.append(_warning(subject, limit, level, at))
    return said


def _steps(spent: Amount | None) -> tuple[tuple[LimitName, int], ...]:
    if spent is None:
        return (("requests_per_hour", 1),)
    return (
        ("tokens_per_day", spent.tokens),
        ("tokens_per_month", spent.tokens),
        ("dollars_per_day", spent.nanos),
        ("dollars_per_month", spent.nanos),
    )


def _warning(subject: Subject, limit: LimitName, level: Level, at: Moment) -> str:
    bound: int = getattr(subject.bounds, limit)
    used = min(100, 100 * level.used(limit) // bound)
    whose = "This workspace has" if subject.user is None else "You have"
    text = f"{whose} used {used} % of {quantity(limit, bound)} {period(limit)}."
    resets = resets_at(limit, level, at)
    return text if resets is None else f"{text} More from {_clock(resets)}."


def _left(limit: LimitName, bound: int, level: Level, want: Want) -> str:
    money = limit.startswith("dollars")
    held = level.held_nanos if money else level.held_tokens
    left = max(0, bound - level.used(limit) - held)
    if not left:
        return "they are used." if not money else "it is used."
    needs = want.sure.nanos if money else want.sure.tokens
    return f"{quantity(limit, left)} are left, and this needs {quantity(limit, needs)} or more."


def _again(resets: float) -> str:
    return f"You can go on at {_clock(resets)}."


def _clock(seconds: float) -> str:
    return (
        datetime.fromtimestamp(math.ceil(seconds), UTC)
        .strftime("%H:%M UTC on %d %B")
        .replace(" 0", " ")
    )
