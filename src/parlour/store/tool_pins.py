"""Which descriptions of tools a workspace trusts: the first it saw, and those somebody approved.

A tool is its server's name, its own name and the digest of what the server said of it. What is said
differently later is a row without approval, until an administrator gives it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

import msgspec

from parlour.store.database import Database

PENDING_MAX = 5  # unapproved descriptions of one tool; of a server that never says the same twice
FIRST_USE = "first use"  # who approved what was there at the beginning

ToolName = tuple[str, str]  # server, the server's own name for the tool


@dataclass(frozen=True, slots=True)
class Seen:
    """One tool as a server describes it now. `definition` is plain JSON, for people to compare."""

    server: str
    tool: str
    digest: str
    definition: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pin:
    """One row: a description, and who approved it when; None = it waits for approval."""

    server: str
    tool: str
    digest: str
    definition: dict[str, Any]
    seen_at: datetime
    approved_at: datetime | None
    approved_by: str


class ToolPins:
    """All queries about pins. Every method raises `StoreUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def approved(self, workspace: str) -> dict[ToolName, frozenset[str]]:
        """The approved digests of each tool of a workspace."""
        rows = await self._database.fetch(_APPROVED, {"workspace": workspace})
        return {(server, tool): frozenset(digests) for server, tool, digests in rows}

    async def see(self, workspace: str, seen: Sequence[Seen], *, hold: bool) -> list[ToolName]:
        """Remember what servers say. What is said of a tool for the first time is approved by that,
        unless `hold`. Answers which of them are new and wait for approval."""
        values = {
            "workspace": workspace,
            "hold": hold,
            "first": FIRST_USE,
            "servers": [one.server for one in seen],
            "tools": [one.tool for one in seen],
            "digests": [one.digest for one in seen],
            "definitions": [msgspec.json.encode(one.definition).decode() for one in seen],
        }
        # One at a time in a workspace: of two processes that see two descriptions at once, the
        # second must not be a first.
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended('tool_pins ' || %(workspace)s, 0))",
                values,
            )
            cursor = await connection.execute(_SEE, values)
            waiting = [(row[0], row[1]) for row in await cursor.fetchall() if not row[2]]
            if waiting:
                await connection.execute(_FORGET, {**values, "most": PENDING_MAX})
        return waiting

    async def listing(self, workspace: str) -> list[Pin]:
        """Every description that is known, by server and tool, the newest last."""
        rows = await self._database.fetch(_LISTING, {"workspace": workspace})
        return [Pin(*row) for row in rows]

    async def waiting(self) -> list[tuple[str, str, str]]:
        """Server, tool and workspace of all that waits for approval."""
        rows = await self._database.fetch(
            "SELECT DISTINCT server, tool, workspace FROM tool_pins WHERE approved_at IS NULL"
            " ORDER BY server, tool, workspace"
        )
        return [(row[0], row[1], row[2]) for row in rows]

    async def approve(
        self, workspace: str, server: str, *, by: str, tool: str | None = None, digest: str = ""
    ) -> list[Pin]:
        """Approve what waits of a server, of one tool of it, or one description by the beginning of
        its digest. Answers what was approved, which may be nothing."""
        values = {
            "workspace": workspace,
            "server": server,
            "tool": tool,
            "digest": digest,
            "by": by,
        }
        rows = await self._database.fetch(_APPROVE, values)
        return [Pin(*row) for row in rows]


_APPROVED: LiteralString = """
SELECT server, tool, array_agg(digest) FROM tool_pins
WHERE workspace = %(workspace)s AND approved_at IS NOT NULL
GROUP BY server, tool
"""

_SEE: LiteralString = """
INSERT INTO tool_pins (workspace, server, tool, digest, definition, approved_at, approved_by)
SELECT %(workspace)s, s.server, s.tool, s.digest, s.definition::json,
  CASE WHEN trusted THEN now() END, CASE WHEN trusted THEN %(first)s ELSE '' END
FROM unnest(%(servers)s::text[], %(tools)s::text[], %(digests)s::text[], %(definitions)s::text[])
  AS s(server, tool, digest, definition),
LATERAL (SELECT NOT %(hold)s::boolean AND NOT EXISTS (
  SELECT 1 FROM tool_pins AS p
  WHERE p.workspace = %(workspace)s AND p.server = s.server AND p.tool = s.tool
) AS trusted) AS t
ON CONFLICT DO NOTHING
RETURNING server, tool, approved_at IS NOT NULL
"""

_FORGET: LiteralString = """
DELETE FROM tool_pins AS old USING (
  SELECT server, tool, digest, row_number() OVER (
    PARTITION BY server, tool ORDER BY seen_at DESC, digest) AS place
  FROM tool_pins WHERE workspace = %(workspace)s AND approved_at IS NULL
    AND server = ANY(%(servers)s)
) AS ranked
WHERE old.workspace = %(workspace)s AND old.server = ranked.server AND old.tool = ranked.tool
  AND old.digest = ranked.digest AND ranked.place > %(most)s
"""

_COLUMNS = "server, tool, digest, definition, seen_at, approved_at, approved_by"

_LISTING: LiteralString = f"""
SELECT {_COLUMNS} FROM tool_pins WHERE workspace = %(workspace)s
ORDER BY server, tool, seen_at, digest
"""  # noqa: S608 (no value of anybody's is in it)

_APPROVE: LiteralString = f"""
UPDATE tool_pins SET approved_at = now(), approved_by = %(by)s
WHERE workspace = %(workspace)s AND server = %(server)s AND approved_at IS NULL
  AND (%(tool)s::text IS NULL OR tool = %(tool)s) AND starts_with(digest, %(digest)s)
RETURNING {_COLUMNS}
"""  # noqa: S608
