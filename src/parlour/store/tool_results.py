"""Results that were too long for the model, whole: to be read on by handle, and shown to people.

A result belongs to its conversation and goes with it; by itself it goes when its time is over.
"""

from __future__ import annotations

import asyncio
import secrets
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

import msgspec
from psycopg.errors import ForeignKeyViolation

from parlour.domain import Principal
from parlour.store.database import Database

THREAD_MAX = 50  # results of one conversation; the oldest go. One may be 16 MB, packed 1 to 4
ASIDE_CHARS = 131_072  # Packing and unpacking more is done in a thread.


@dataclass(frozen=True, slots=True)
class KeptResult:
    """One result. `widget` is what people are shown, whole; None when the text is all there is."""

    handle: str
    thread: str
    tool: str
    title: str
    text: str
    widget: Any
    created_at: datetime
    expires_at: datetime


def new_handle() -> str:
    """A name for a result: short, because a model has to repeat it."""
    return f"r_{secrets.token_hex(6)}"


class ToolResults:
    """All queries about kept results. Every method raises `StoreUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(
        self,
        principal: Principal,
        handle: str,
        *,
        thread: str,
        tool: str,
        title: str,
        text: str,
        widget: Any = None,
        days: float,
    ) -> bool:
        """Keep a result of this user's conversation for `days`. False when there is no such
        conversation (any more)."""

        def pack() -> tuple[bytes, bytes | None]:
            body = None if widget is None else zlib.compress(msgspec.json.encode(widget), 1)
            return zlib.compress(text.encode(errors="replace"), 1), body

        packed = await asyncio.to_thread(pack)
        values = {
            "handle": handle,
            "workspace": principal.workspace,
            "user": principal.user,
            "thread": thread,
            "tool": tool,
            "title": title,
            "chars": len(text),
            "text": packed[0],
            "widget": packed[1],
            "days": days,
            "most": THREAD_MAX - 1,
        }
        try:
            return bool(await self._database.fetch(_KEEP, values))
        except ForeignKeyViolation:  # deleted at this very moment
            return False

    async def read(
        self, principal: Principal, handle: str, *, thread: str | None = None
    ) -> KeptResult | None:
        """A result of this user, and of this conversation when one is named; else None."""
        values = {
            "handle": handle,
            "workspace": principal.workspace,
            "user": principal.user,
            "thread": thread,
        }
        rows = await self._database.fetch(_READ, values)
        if not rows:
            return None
        thread_id, tool, title, chars, text, widget, created_at, expires_at = rows[0]

        def unpack() -> tuple[str, Any]:
            body = None if widget is None else msgspec.json.decode(zlib.decompress(widget))
            return zlib.decompress(text).decode(), body

        aside = chars > ASIDE_CHARS or len(widget or b"") > ASIDE_CHARS // 4
        words, shown = await asyncio.to_thread(unpack) if aside else unpack()
        return KeptResult(handle, thread_id, tool, title, words, shown, created_at, expires_at)


_KEEP: LiteralString = """
WITH old AS (
  DELETE FROM tool_results WHERE handle IN (
    SELECT handle FROM tool_results WHERE thread = %(thread)s
    ORDER BY created_at DESC, handle OFFSET %(most)s)
)
INSERT INTO tool_results
  (handle, workspace, user_id, thread, tool, title, chars, text, widget, expires_at)
SELECT %(handle)s, workspace, user_id, id, %(tool)s, %(title)s, %(chars)s, %(text)s, %(widget)s,
  now() + make_interval(secs => %(days)s * 86400.0)
FROM threads WHERE id = %(thread)s AND workspace = %(workspace)s AND user_id = %(user)s
RETURNING handle
"""

_READ: LiteralString = """
SELECT r.thread, r.tool, r.title, r.chars, r.text, r.widget, r.created_at, r.expires_at
FROM tool_results AS r
WHERE r.handle = %(handle)s AND r.workspace = %(workspace)s AND r.user_id = %(user)s
  AND (%(thread)s::text IS NULL OR r.thread = %(thread)s) AND r.expires_at > now()
"""
