"""`parlour audit`: what was done and shown, whether the record is whole; forgetting."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from parlour.commands.database import opened
from parlour.errors import ConfigurationError
from parlour.settings import Settings
from parlour.store.audit import Audit
from parlour.store.audit_read import AuditTrail, Link, Verdict
from parlour.store.receipts import KIND

LIMIT_MAX = 10_000
RECEIPTS_MAX = 1_000  # of one person; there is one for each time that something was shown


@dataclass(frozen=True, slots=True)
class Which:
    """Whose links, of what kind, and of which UTC day (`2026-11-27`)."""

    workspace: str = ""
    user: str | None = None
    kind: str | None = None
    date: str = ""
    limit: int = 50


async def listing(settings: Settings, which: Which, *, as_json: bool) -> list[str]:
    """The newest links, newest first."""
    since, until = _day(which.date) if which.date else (None, None)
    async with opened(settings) as database:
        trail = AuditTrail(database)
        workspace = await _workspace(trail, which.workspace)
        links = await trail.links(
            workspace,
            user=which.user,
            kind=which.kind,
            since=since,
            until=until,
            limit=min(which.limit, LIMIT_MAX),
        )
    if as_json:
        return [_json(link) for link in links]
    return [_line(link) for link in links] or ["Nothing is recorded."]


async def disclosures(settings: Settings, which: Which, *, as_json: bool) -> list[str]:
    """What a person was shown on a day, and what they had been shown before that still held."""
    if not which.user or not which.date:
        raise ConfigurationError(
            "Name the person and the day: parlour audit disclosures --user ann --date 2026-11-27."
        )
    since, until = _day(which.date)
    async with opened(settings) as database:
        trail = AuditTrail(database)
        workspace = await _workspace(trail, which.workspace)
        links = await trail.links(
            workspace, user=which.user, kind=KIND, until=until, limit=RECEIPTS_MAX
        )
    today = [link for link in links if link.at >= since]
    before = _newest_of_each_surface([link for link in links if link.at < since])
    if as_json:
        return [_json(link) for link in (*today, *before)]
    lines = [f"{which.user} in {workspace}, {which.date} (UTC)"]
    for title, found in (("Shown on that day:", today), ("Shown before, and known:", before)):
        if found:
            lines += ["", title, *(line for link in found for line in _shown(link))]
    if not links:
        lines += ["", "Nothing was shown to anybody of that name by then, or they were erased."]
    return lines


async def verify(settings: Settings, workspace: str, expect: str) -> tuple[list[str], bool]:
    """Make every hash anew; False when a chain is broken or gone, or is not what is `expect`ed."""
    kept = _kept(expect) if expect else None
    async with opened(settings) as database:
        trail = AuditTrail(database)
        there = await trail.workspaces()
        names = [workspace] if workspace else there
        verdicts = [await trail.verify(name) for name in names if name in there]
        other = await _differs(trail, await _workspace(trail, workspace), *kept) if kept else ""
    lines = [_verdict(verdict) for verdict in verdicts] or ["Nothing is recorded."]
    whole = all(verdict.broken_at is None for verdict in verdicts)
    found = len(verdicts) == len(names)
    return [*lines, *([other] if other else [])], whole and found and not other


async def erase(settings: Settings, workspace: str, user: str | None) -> list[str]:
    """Forget a person; the chain still verifies."""
    if not user:
        raise ConfigurationError("Name the person: parlour audit erase --user ann.")
    async with opened(settings) as database:
        workspace = await _workspace(AuditTrail(database), workspace)
        count = await Audit(database).erase(workspace, user, by="parlour audit erase")
    if not count:
        return [f"Nothing is recorded of {user} in {workspace}."]
    return [f"{count} links of {workspace} name nobody any more; the erasure is recorded."]


async def _workspace(trail: AuditTrail, given: str) -> str:
    """The workspace that is meant. Raises `ConfigurationError` when there are several."""
    if given:
        return given
    names = await trail.workspaces()
    if len(names) > 1:
        raise ConfigurationError(f"Name the workspace: --workspace is one of {', '.join(names)}.")
    return names[0] if names else ""


def _kept(expect: str) -> tuple[int, str]:
    """Number and hash of a link, as `verify` printed them."""
    seq, _, head = expect.partition(":")
    if not (seq.isascii() and seq.isdigit()) or not head:
        raise ConfigurationError("--expect takes what `parlour audit verify` printed: 42:9f86d0…")
    return int(seq), head


async def _differs(trail: AuditTrail, workspace: str, seq: int, head: str) -> str:
    """What is wrong with a link that was kept elsewhere; empty = nothing."""
    found = await trail.links(workspace, before=seq + 1, limit=1)
    if not found or found[0].seq != seq:
        return f"{workspace}: link {seq}, which was kept, is not there; the chain was cut."
    if found[0].hash != head:
        return f"{workspace}: link {seq} is not the one that was kept; the chain was made anew."
    return ""


def _day(date: str) -> tuple[datetime, datetime]:
    try:
        begins = datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ConfigurationError(f"--date {date} is no day; write it as 2026-11-27.") from None
    return begins, begins + timedelta(days=1)


def _newest_of_each_surface(links: Sequence[Link]) -> list[Link]:
    newest: dict[str, Link] = {}
    for link in links:
        newest.setdefault(str((link.body or {}).get("surface")), link)
    return list(newest.values())


def _shown(link: Link) -> list[str]:
    body = link.body or {}
    head = f"  {_time(link)}  {body.get('surface')}  {body.get('receipt')}  link {link.seq}"
    return [head, *(_text(line) for line in body.get("shown", []))]


def _text(line: dict[str, Any]) -> str:  # JSON, as the receipt has it
    rules = ", ".join(f"{rule} v{version}" for rule, version in line.get("rules", []))
    return f"    [{line.get('lang')}] {line.get('text')}  ({rules})"


def _line(link: Link) -> str:
    who = "(erased)" if link.user is None else link.user or "-"
    body = "" if link.body is None else json.dumps(link.body, ensure_ascii=False, sort_keys=True)
    turn = f"  {link.turn}" if link.turn else ""
    return f"{link.seq:>7}  {_time(link)}  {link.kind:<10}  {who}{turn}  {body}"


def _json(link: Link) -> str:
    return json.dumps(
        {
            "workspace": link.workspace,
            "seq": link.seq,
            "at": link.at.isoformat(),
            "kind": link.kind,
            "turn": link.turn,
            "user": link.user,
            "body": link.body,
            "hash": link.hash,
        },
        ensure_ascii=False,
    )


def _time(link: Link) -> str:
    return link.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _verdict(verdict: Verdict) -> str:
    if verdict.broken_at is not None:
        return f"{verdict.workspace}: BROKEN at link {verdict.broken_at}: {verdict.why}."
    erased = f", {verdict.erased} erased" if verdict.erased else ""
    return f"{verdict.workspace}: whole, {verdict.seq} links{erased}; {verdict.seq}:{verdict.head}"
