"""The ledger: one row for each call of a model, and the sums that people and limits ask for.

A turn's rows are written with its end, in one statement (store/finish_sql.py), those of a lost turn
by whoever ends it (store/lost.py), everything else by `book`. Days and months are UTC's, by the
clock of the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, LiteralString

import msgspec

from parlour.domain import ModelCall, Usage
from parlour.store.database import Database, Row

Group = Literal["day", "workspace", "user", "thread", "turn", "model", "purpose", "call"]

_encode = msgspec.json.Encoder().encode

# The values of `call_rows`, as rows; the names are those of the columns.
CALLS: LiteralString = """json_to_recordset(%(model_calls)s::json) AS call (
  number integer, purpose text, model text, route text, served_by text, input bigint,
  cache_read bigint, cache_write bigint, output bigint, reasoning bigint, estimated boolean,
  cost_nanos bigint, prices text, request_id text)"""

COLUMNS: LiteralString = """number, purpose, model, route, served_by, input, cache_read,
  cache_write, output, reasoning, estimated, cost_nanos, prices, request_id"""

OF_CALL: LiteralString = """call.number, call.purpose, call.model, call.route, call.served_by,
  call.input, call.cache_read, call.cache_write, call.output, call.reasoning, call.estimated,
  call.cost_nanos, call.prices, call.request_id"""


def call_rows(calls: Sequence[ModelCall], *, first: int = 1) -> str:
    """The calls of one turn as a JSON array for `CALLS`, numbered from `first`."""
    return _encode([call_row(call, first + place) for place, call in enumerate(calls)]).decode()


def call_row(call: ModelCall, number: int) -> dict[str, Any]:
    """One call, flat."""
    usage = call.usage
    return {
        "number": number,
        "purpose": call.purpose,
        "model": call.model,
        "route": call.route,
        "served_by": call.served_by,
        "input": usage.input,
        "cache_read": usage.cache_read,
        "cache_write": usage.cache_write,
        "output": usage.output,
        "reasoning": usage.reasoning,
        "estimated": usage.estimated,
        "cost_nanos": call.cost_nanos,
        "prices": call.prices,
        "request_id": call.request_id,
    }


def cost_of(calls: Sequence[ModelCall]) -> dict[str, int]:
    """`cost_micros` of some calls for the wire; nothing when one of them is unpriced."""
    micros = micros_of([call.cost_nanos for call in calls])
    return {} if micros is None else {"cost_micros": micros}


def micros_of(nanos: Sequence[int | None]) -> int | None:
    """The sum in millionths of a dollar, half up; None when there is none or one is unknown."""
    known = [cost for cost in nanos if cost is not None]
    if not known or len(known) < len(nanos):
        return None
    return (sum(known) + 500) // 1_000


@dataclass(frozen=True, slots=True)
class Spent:
    """What somebody has used up by `now` (seconds since 1970, by the database's clock).

    `requests` are the times of the last questions within an hour, oldest first. `month_…` are only
    read when asked for.
    """

    now: float
    day_tokens: int = 0
    day_nanos: int = 0
    month_tokens: int = 0
    month_nanos: int = 0
    requests: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Sum:
    """Some calls together. `cost_nanos` is of the priced ones; `unpriced` counts the others."""

    key: str
    calls: int
    usage: Usage
    cost_nanos: int
    unpriced: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Counted:
    """Calls as a provider counts them: of a day and of the model that answered, or one request.
    `cost_nanos` is None when one of them is unpriced."""

    day: str
    model: str
    request: str
    calls: int
    usage: Usage
    estimated: int
    cost_nanos: int | None


class Ledger:
    """All queries about model calls. Every method raises `StoreUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def book(
        self,
        workspace: str,
        user: str,
        calls: Sequence[ModelCall],
        *,
        thread: str | None = None,
        turn: str | None = None,
    ) -> None:
        """Write calls that no turn's end will write: what is done after it, or for no turn."""
        await self._database.fetch(
            _BOOK,
            {
                "workspace": workspace,
                "user": user,
                "thread": thread,
                "turn": turn,
                # Not the first of a turn: it is no question of its own.
                "model_calls": _encode([call_row(call, 0) for call in calls]).decode(),
            },
        )

    async def book_deleted(
        self, workspace: str, user: str, turn: str, calls: Sequence[ModelCall]
    ) -> None:
        """Write the calls of a turn that was deleted with its conversation while it ran; nothing
        when it is still there, as whoever ended it has booked it."""
        values = {
            "workspace": workspace,
            "user": user,
            "turn": turn,
            "model_calls": call_rows(calls),
        }
        await self._database.fetch(_BOOK_DELETED, values)

    async def now(self) -> float:
        """The database's clock, in seconds since 1970."""
        rows = await self._database.fetch("SELECT extract(epoch FROM now())::float8")
        return rows[0][0]

    async def spent(
        self, workspace: str, user: str | None, *, month: bool, requests_max: int = 0
    ) -> Spent:
        """What a user (None: everybody) of a workspace has used today, and this month if asked."""
        who: dict[str, Any] = {"workspace": workspace, "user": user}
        rows = await self._database.fetch(
            _SPENT_BY_USER if user is not None else _SPENT,
            {**who, "since": "month" if month else "day"},
        )
        now, *sums = rows[0]
        asked: list[Any] = []
        if requests_max:
            asked = await self._database.fetch(
                _ASKED_BY_USER if user is not None else _ASKED, {**who, "most": requests_max}
            )
        return Spent(now, *sums, requests=tuple(sorted(row[0] for row in asked)))

    async def sums(
        self,
        by: Group,
        *,
        workspace: str | None = None,
        user: str | None = None,
        thread: str | None = None,
        turn: str | None = None,
        days: float = 31,
        most: int = 1_000,
    ) -> list[Sum]:
        """Calls of the last `days`, together by `by`; newest first, at most `most` lines."""
        rows = await self._database.fetch(
            _SUMS[by],
            {
                "workspace": workspace,
                "user": user,
                "thread": thread,
                "turn": turn,
                "days": days,
                "most": most,
            },
        )
        return [
            Sum(key, calls, _usage(counts, estimated=estimated), int(nanos), unpriced, first, last)
            for key, calls, *counts, estimated, nanos, unpriced, first, last in rows
        ]

    async def counted_by_day(self, first: str, last: str, *, provider: str = "") -> list[Counted]:
        """Calls of some UTC days by day and model; of one API (`openai`), or of all."""
        values = {"first": first, "last": last, "provider": provider}
        return [_counted(row) for row in await self._database.fetch(_COUNTED, values)]

    async def counted_by_request(self, requests: Sequence[str]) -> list[Counted]:
        """The calls that upstream knows by these names."""
        values = {"requests": list(requests)}
        return [_counted(row) for row in await self._database.fetch(_COUNTED_REQUESTS, values)]


_DAY: LiteralString = "to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD')"
# Who answered, else who was asked, without the name of the API.
_MODEL: LiteralString = "coalesce(nullif(served_by, ''), substr(model, strpos(model, ':') + 1))"
_COUNTED: LiteralString = f"""
SELECT {_DAY}, {_MODEL}, '', count(*), sum(input), sum(cache_read), sum(cache_write),
  sum(output), sum(reasoning), count(*) FILTER (WHERE estimated),
  count(*) FILTER (WHERE cost_nanos IS NULL), coalesce(sum(cost_nanos), 0)
FROM model_calls
WHERE at >= %(first)s::timestamp AT TIME ZONE 'UTC'
  AND at < (%(last)s::timestamp + interval '1 day') AT TIME ZONE 'UTC'
  AND (%(provider)s = '' OR starts_with(model, %(provider)s || ':'))
GROUP BY 1, 2 ORDER BY 1, 2
"""  # noqa: S608  # our own words
_COUNTED_REQUESTS: LiteralString = f"""
SELECT '', {_MODEL}, request_id, 1, input, cache_read, cache_write, output, reasoning,
  estimated::int, (cost_nanos IS NULL)::int, coalesce(cost_nanos, 0)
FROM model_calls WHERE request_id = ANY(%(requests)s)
"""  # noqa: S608  # our own words


def _counted(row: Row) -> Counted:
    day, model, request, calls, *counts, estimated, unpriced, nanos = row
    usage = _usage(counts, estimated=estimated > 0)
    cost = None if unpriced else int(nanos)
    return Counted(day, model, request, calls, usage, estimated, cost)


def _usage(counts: Sequence[Any], *, estimated: bool) -> Usage:
    read, cache_read, cache_write, said, thought = (int(count) for count in counts)
    return Usage(read, cache_read, cache_write, said, thought, estimated)


_BOOK: LiteralString = f"""
INSERT INTO model_calls (workspace, user_id, thread, turn, {COLUMNS})
SELECT %(workspace)s, %(user)s,
  (SELECT id FROM threads WHERE id = %(thread)s), (SELECT id FROM turns WHERE id = %(turn)s),
  {OF_CALL}
FROM {CALLS}
RETURNING id
"""  # noqa: S608  # our own words

_BOOK_DELETED: LiteralString = f"""
INSERT INTO model_calls (workspace, user_id, {COLUMNS})
SELECT %(workspace)s, %(user)s, {OF_CALL} FROM {CALLS}
WHERE NOT EXISTS (SELECT FROM turns WHERE id = %(turn)s)
RETURNING id
"""  # noqa: S608  # our own words

_TODAY: LiteralString = "at >= date_trunc('day', now(), 'UTC')"
_TOKENS: LiteralString = "input + cache_read + cache_write + output + reasoning"

_SPENT: LiteralString = f"""
SELECT extract(epoch FROM now())::float8,
  coalesce(sum({_TOKENS}) FILTER (WHERE {_TODAY}), 0)::bigint,
  coalesce(sum(cost_nanos) FILTER (WHERE {_TODAY}), 0)::bigint,
  coalesce(sum({_TOKENS}), 0)::bigint, coalesce(sum(cost_nanos), 0)::bigint
FROM model_calls
WHERE workspace = %(workspace)s AND at >= date_trunc(%(since)s, now(), 'UTC')
"""  # noqa: S608  # our own words
_SPENT_BY_USER: LiteralString = _SPENT + " AND user_id = %(user)s"

_ASKED_WHERE: LiteralString = """
SELECT extract(epoch FROM at)::float8 FROM model_calls
WHERE workspace = %(workspace)s AND number = 1 AND at > now() - interval '1 hour'
  AND NOT EXISTS (
    SELECT FROM turns WHERE turns.id = model_calls.turn AND turns.trigger = 'approval')
"""
_LAST: LiteralString = " ORDER BY at DESC LIMIT %(most)s"
_ASKED: LiteralString = _ASKED_WHERE + _LAST
_ASKED_BY_USER: LiteralString = _ASKED_WHERE + " AND user_id = %(user)s" + _LAST

_KEYS: dict[Group, LiteralString] = {
    "day": _DAY,
    "workspace": "workspace",
    "user": "workspace || '/' || user_id",
    "thread": "coalesce(thread, '(deleted)')",
    "turn": "coalesce(turn, '(deleted)')",
    "model": "model || coalesce(' (' || nullif(served_by, '') || ')', '')",
    "purpose": "purpose",
    "call": "id::text || ' ' || purpose || ' ' || model",
}


def _sums(key: LiteralString) -> LiteralString:
    return f"""
SELECT {key}, count(*), sum(input), sum(cache_read), sum(cache_write), sum(output),
  sum(reasoning), bool_or(estimated), coalesce(sum(cost_nanos), 0),
  count(*) FILTER (WHERE cost_nanos IS NULL), min(at), max(at)
FROM model_calls
WHERE at > now() - make_interval(secs => %(days)s * 86400.0)
  AND (%(workspace)s::text IS NULL OR workspace = %(workspace)s)
  AND (%(user)s::text IS NULL OR user_id = %(user)s)
  AND (%(thread)s::text IS NULL OR thread = %(thread)s)
  AND (%(turn)s::text IS NULL OR turn = %(turn)s)
GROUP BY 1 ORDER BY max(at) DESC LIMIT %(most)s
"""  # noqa: S608  # our own words


_SUMS: dict[Group, LiteralString] = {group: _sums(key) for group, key in _KEYS.items()}
