"""A provider's own count of what was used, read from the files that it exports.

Four kinds, each as CSV or JSON; columns are found by their names, so further ones do no harm:

- OpenAI's usage, grouped by model: GET /v1/organization/usage/completions and the dashboard's CSV.
  Its `input_tokens` include those read from and written to the cache
  (developers.openai.com/api/reference, "Usage: Completions").
- Anthropic's usage, grouped by model: GET /v1/organizations/usage_report/messages and the console's
  CSV; its buckets are disjoint (platform.claude.com/docs/en/api/admin/usage_report).
- Anthropic's costs, grouped by description: GET /v1/organizations/cost_report. `amount` is in cents
  as a decimal string, "123.45" being $1.2345; only money is compared
  (platform.claude.com/docs/en/api/admin/cost_report). What is no model's tokens, such as web
  searches, is left out: no call of ours has it.
- A plain table of our own: day (or request_id), model, input, cache_read, cache_write, output, and
  where known reasoning, calls and cost in dollars.

Both APIs answer in pages, and leave the model out unless it is asked for; a file that is a part, or
that names no model, is refused rather than compared.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal, cast

import msgspec

from parlour.errors import ConfigurationError

Kind = Literal["openai", "anthropic", "anthropic_cost", "plain"]
BUCKETS = ("input", "cache_read", "cache_write", "output")
NANOS_PER_DOLLAR = 1_000_000_000

# Our word -> theirs, in the order in which they are looked for. Several are added up.
_OPENAI: dict[str, tuple[str, ...]] = {
    "at": ("start_time", "start_time_iso", "date"),
    "model": ("model",),
    "all_input": ("input_tokens",),
    "cache_read": ("input_cached_tokens",),
    "cache_write": ("input_cache_write_tokens",),
    "output": ("output_tokens",),
    "calls": ("num_model_requests",),
}
_ANTHROPIC: dict[str, tuple[str, ...]] = {
    "at": ("usage_date_utc", "starting_at"),
    "model": ("model_version", "model"),
    "input": ("usage_input_tokens_no_cache", "uncached_input_tokens"),
    "cache_read": ("usage_input_tokens_cache_read", "cache_read_input_tokens"),
    "cache_write": (
        "usage_input_tokens_cache_write_5m",
        "usage_input_tokens_cache_write_1h",
        "ephemeral_5m_input_tokens",
        "ephemeral_1h_input_tokens",
    ),
    "output": ("usage_output_tokens", "output_tokens"),
}
_ANTHROPIC_COST: dict[str, tuple[str, ...]] = {
    "at": ("starting_at",),
    "model": ("model",),
    "cents": ("amount",),
}
_PLAIN: dict[str, tuple[str, ...]] = {
    "at": ("day", "date", "at"),
    "request": ("request_id",),
    "model": ("model",),
    "input": ("input",),
    "cache_read": ("cache_read",),
    "cache_write": ("cache_write",),
    "output": ("output", "reasoning"),
    "calls": ("calls",),
    "dollars": ("cost", "cost_dollars"),
}
_WORDS = {
    "openai": _OPENAI,
    "anthropic": _ANTHROPIC,
    "anthropic_cost": _ANTHROPIC_COST,
    "plain": _PLAIN,
}


@dataclass(frozen=True, slots=True)
class Line:
    """What somebody counted under one key: a day and a model, or a request. `output` includes
    reasoning, as providers bill it. None where they do not say."""

    day: str
    model: str
    request: str
    input: int | None
    cache_read: int | None
    cache_write: int | None
    output: int | None
    calls: int | None = None
    cost_nanos: int | None = None

    @property
    def key(self) -> tuple[str, str]:
        """By what two counts are compared."""
        return ("request", self.request) if self.request else (self.day, self.model)


def read_export(path: Path) -> tuple[Kind, list[Line]]:
    """The lines of a file, one for each key. Raises `ConfigurationError` in a sentence."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from None
    rows = list(_json_rows(path, text) if text.lstrip()[:1] in "[{" else _csv_rows(text))
    if not rows:
        raise ConfigurationError(f"{path} has no lines.")
    kind = _kind(rows[0])
    if kind == "anthropic_cost":
        rows = [row for row in rows if row.get("cost_type") in (None, "tokens")]
    try:
        return kind, _joined(_line(kind, row) for row in rows)
    except (KeyError, ValueError, InvalidOperation) as error:
        raise ConfigurationError(
            f"{path} is no usage export that Parlour knows: {error}."
        ) from None


def _csv_rows(text: str) -> Iterator[dict[str, Any]]:
    for row in csv.DictReader(io.StringIO(text)):
        yield {name.strip(): value for name, value in row.items() if name}


def _json_rows(path: Path, text: str) -> Iterator[dict[str, Any]]:
    """Rows of a list, of lines under `data`, or of `results` within buckets of time."""
    try:
        value: Any = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"{path} is not JSON: {error}.") from None
    if isinstance(value, dict) and value.get("has_more"):  # pyright: ignore[reportUnknownMemberType]
        raise ConfigurationError(
            f"{path} is one page of several. Put the entries of `data` of all pages into one list."
        )
    given: Any = value.get("data") if isinstance(value, dict) else value  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if not isinstance(given, list):
        raise ConfigurationError(f"{path} is no usage export that Parlour knows: no list in it.")
    for entry in cast("list[Any]", given):
        bucket = cast("dict[str, Any]", entry if isinstance(entry, dict) else {})
        inner = bucket.get("results")
        for row in cast("list[dict[str, Any]]", inner) if isinstance(inner, list) else [bucket]:
            yield {**bucket, **row, **cast("dict[str, Any]", row.get("cache_creation") or {})}


def _kind(row: Mapping[str, Any]) -> Kind:
    if "num_model_requests" in row or "input_cached_tokens" in row:
        return "openai"
    if any(name in row for name in _ANTHROPIC["input"]):
        return "anthropic"
    return "anthropic_cost" if "amount" in row and "starting_at" in row else "plain"


def _line(kind: Kind, row: Mapping[str, Any]) -> Line:
    words = _WORDS[kind]
    request = str(_first(row, words.get("request", ())) or "")
    at = _first(row, words["at"])
    if not request and at in (None, ""):
        raise ValueError(f"a line has none of {', '.join(words['at'])}")
    model = str(_first(row, words["model"]) or "")
    if not request and not model:
        raise ValueError("a line names no model, so group it by model (costs: by description)")
    calls = _first(row, words.get("calls", ()))
    return Line(
        day="" if request else _day(at),
        model=model,
        request=request,
        **_tokens(row, words),
        calls=None if calls is None else int(calls),
        cost_nanos=_cost(row, words),
    )


def _tokens(row: Mapping[str, Any], words: Mapping[str, tuple[str, ...]]) -> dict[str, int | None]:
    """The disjoint buckets; of a report about money, none is known."""
    if "output" not in words:
        return dict.fromkeys(BUCKETS)
    read, wrote = _total(row, words["cache_read"]), _total(row, words["cache_write"])
    if "all_input" in words:
        fresh = max(0, _total(row, words["all_input"]) - read - wrote)
    else:
        fresh = _total(row, words["input"])
    output = _total(row, words["output"])
    return dict(zip(BUCKETS, (fresh, read, wrote, output), strict=True))


def _cost(row: Mapping[str, Any], words: Mapping[str, tuple[str, ...]]) -> int | None:
    cents = _first(row, words.get("cents", ()))
    dollars = _first(row, words.get("dollars", ()))
    if cents is None and dollars is None:
        return None
    return round(
        Decimal(str(dollars)) * NANOS_PER_DOLLAR
        if cents is None
        else Decimal(str(cents)) * NANOS_PER_DOLLAR / 100
    )


def _first(row: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)


def _total(row: Mapping[str, Any], names: Iterable[str]) -> int:
    return sum(int(row[name]) for name in names if row.get(name) not in (None, ""))


def _day(at: Any) -> str:
    """The UTC day of a date, a time or seconds since 1970."""
    text = str(at)
    if text.isdigit():
        return datetime.fromtimestamp(int(text), UTC).date().isoformat()
    time = datetime.fromisoformat(text.replace(" UTC", "+00:00"))
    return (time.astimezone(UTC) if time.tzinfo else time).date().isoformat()


def _joined(lines: Iterable[Line]) -> list[Line]:
    """One line for each key: exports split by project, key or service tier."""
    found: dict[tuple[str, str], Line] = {}
    for line in lines:
        same = found.get(line.key)
        found[line.key] = line if same is None else added(same, line)
    return list(found.values())


def added(one: Line, two: Line) -> Line:
    """Both counts together."""

    def both(left: int | None, right: int | None) -> int | None:
        return None if left is None or right is None else left + right

    return Line(
        one.day,
        one.model,
        one.request,
        both(one.input, two.input),
        both(one.cache_read, two.cache_read),
        both(one.cache_write, two.cache_write),
        both(one.output, two.output),
        both(one.calls, two.calls),
        both(one.cost_nanos, two.cost_nanos),
    )
