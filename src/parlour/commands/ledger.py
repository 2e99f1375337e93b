"""`parlour ledger`: what was spent, line by line, and whether the provider counts the same."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

from parlour.commands.database import opened
from parlour.commands.exports import BUCKETS, Line, added, read_export
from parlour.errors import ConfigurationError
from parlour.settings import Settings
from parlour.store.ledger import Counted, Group, Ledger, Sum

HEAD = ("", "calls", "input", "cached", "written", "output", "thinking", "dollars", "")
NANOS_PER_DOLLAR = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Which:
    """Whose calls, and of how many days."""

    workspace: str | None = None
    user: str | None = None
    thread: str | None = None
    turn: str | None = None
    days: float = 31


def group(name: str) -> Group:
    """The word as a group. Raises `ConfigurationError`."""
    if name not in get_args(Group):
        raise ConfigurationError(f"--by {name} is none of {', '.join(get_args(Group))}.")
    return cast("Group", name)


async def show(settings: Settings, by: Group, which: Which) -> list[str]:
    """A table of what was spent, by day, user, conversation, model, call ..."""
    async with _opened(settings) as ledger:
        sums = await ledger.sums(
            by,
            workspace=which.workspace,
            user=which.user,
            thread=which.thread,
            turn=which.turn,
            days=which.days,
        )
    return table(sums) if sums else ["Nothing was spent."]


def table(sums: Sequence[Sum]) -> list[str]:
    """Sums as aligned lines, with their total when there are several."""
    rows = [_row(one) for one in sums]
    if len(sums) > 1:
        rows.append(_row(_total(sums)))
    rows.insert(0, HEAD)
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    return [
        "  ".join(
            cell.ljust(width) if column in (0, len(HEAD) - 1) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _row(one: Sum) -> tuple[str, ...]:
    usage = one.usage
    notes = [
        "estimated in part" if usage.estimated else "",
        f"{one.unpriced} unpriced" if one.unpriced else "",
    ]
    counts = (
        one.calls,
        usage.input,
        usage.cache_read,
        usage.cache_write,
        usage.output,
        usage.reasoning,
    )
    dollars = "-" if one.unpriced == one.calls else money(one.cost_nanos)
    return (one.key, *(f"{count:,}" for count in counts), dollars, ", ".join(filter(None, notes)))


def _total(sums: Sequence[Sum]) -> Sum:
    usage = sums[0].usage
    for one in sums[1:]:
        usage = usage + one.usage
    return Sum(
        "total",
        sum(one.calls for one in sums),
        usage,
        sum(one.cost_nanos for one in sums),
        sum(one.unpriced for one in sums),
        min(one.first for one in sums),
        max(one.last for one in sums),
    )


def money(nanos: int) -> str:
    """Dollars, exact to the nano-dollar, without needless zeros after the cents."""
    whole, rest = divmod(nanos, NANOS_PER_DOLLAR)
    return f"{whole:,}.{f'{rest:09}'[:2]}{f'{rest:09}'[2:].rstrip('0')}"


async def reconcile(
    settings: Settings, file: Path, *, provider: str = ""
) -> tuple[list[str], bool]:
    """Every difference between a provider's export and the ledger; whether there is none."""
    kind, theirs = read_export(file)
    scope = provider or ("" if kind == "plain" else kind.partition("_")[0])
    requests = [line.request for line in theirs if line.request]
    days = sorted({line.day for line in theirs if line.day})
    async with _opened(settings) as ledger:
        counted = (
            await ledger.counted_by_request(requests)
            if requests
            else await ledger.counted_by_day(days[0], days[-1], provider=scope)
        )
    lines, agree = compare(theirs, counted)
    if not lines:
        return [f"All {len(theirs)} lines of {file.name} are in the ledger exactly."], True
    return [*lines, f"{agree} of {len(theirs)} lines of {file.name} agree."], False


def compare(theirs: Sequence[Line], counted: Sequence[Counted]) -> tuple[list[str], int]:
    """Every difference, a line each; and how many lines of the export agree."""
    estimated: dict[tuple[str, str], int] = {}
    ours: dict[tuple[str, str], Line] = {}
    for one in counted:
        line = _ours(one)
        same = ours.get(line.key)
        ours[line.key] = line if same is None else added(same, line)
        estimated[line.key] = estimated.get(line.key, 0) + one.estimated
    said: list[str] = []
    agree = 0
    for line in theirs:
        name = " ".join(line.key)
        mine = ours.pop(line.key, None)
        if mine is None:
            said.append(f"{name}: not in the ledger ({_words(line)})")
        else:
            found = _differences(name, line, mine, estimated[line.key])
            agree += not found
            said += found
    said += [f"{' '.join(key)}: not in the export ({_words(line)})" for key, line in ours.items()]
    return said, agree


def _ours(one: Counted) -> Line:
    usage = one.usage
    return Line(
        one.day,
        one.model,
        one.request,
        usage.input,
        usage.cache_read,
        usage.cache_write,
        usage.output + usage.reasoning,
        one.calls,
        one.cost_nanos,
    )


def _differences(name: str, theirs: Line, ours: Line, estimated: int) -> list[str]:
    said: list[str] = []
    for bucket in (*BUCKETS, "calls", "cost_nanos"):
        their, our = getattr(theirs, bucket), getattr(ours, bucket)
        if their is not None and our is not None and their != our:
            word = bucket.replace("_nanos", "")
            given = (money(their), money(our)) if word == "cost" else (f"{their:,}", f"{our:,}")
            much = abs(our - their)
            by = money(much) if word == "cost" else f"{much:,}"
            more = "more" if our > their else "less"
            said.append(f"{name}: {word} {given[0]} in the export, {given[1]} here ({by} {more})")
    if theirs.cost_nanos is not None and ours.cost_nanos is None:
        said.append(f"{name}: cost {money(theirs.cost_nanos)} in the export, not priced here")
    if said and estimated:
        said.append(f"  {estimated} of these calls were stopped or broke and are estimated.")
    return said


def _words(line: Line) -> str:
    counts = [f"{bucket} {getattr(line, bucket):,}" for bucket in BUCKETS if getattr(line, bucket)]
    if line.cost_nanos is not None:
        counts.append(f"cost {money(line.cost_nanos)}")
    return ", ".join(counts) or "no tokens"


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncGenerator[Ledger]:
    """The ledger of the configured database."""
    async with opened(settings) as database:
        yield Ledger(database)
