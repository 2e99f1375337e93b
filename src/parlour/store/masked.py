"""Masked values as the store has them: sealed, and only for the owner of the conversation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from parlour.domain import Principal, ThreadId
from parlour.store.database import Connection, Database


@dataclass(frozen=True, slots=True)
class SealedValue:
    """One row: what `placeholder` stands for in `thread`, sealed."""

    thread: ThreadId
    placeholder: str
    sealed: bytes
    digest: bytes


class MaskedValues:
    """All queries about masked values. Every method raises `StoreUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, principal: Principal, threads: Sequence[ThreadId]) -> list[SealedValue]:
        """The values of some of the user's threads; somebody else's are not there."""
        rows = await self._database.fetch(
            _READ,
            {
                "threads": list(threads),
                "workspace": principal.workspace,
                "user": principal.user,
            },
        )
        return [SealedValue(*row) for row in rows]

    async def add(self, values: Sequence[SealedValue]) -> None:
        """Keep values of a thread that exists; those that are there already stay."""
        async with self._database.connection() as connection:
            await add_masked(connection, values)


async def add_masked(connection: Connection, values: Sequence[SealedValue]) -> bool:
    """Keep values on a connection of the caller's.

    False when a placeholder stands for another value already; the caller rolls back.
    """
    if not values:
        return True
    cursor = await connection.execute(
        _ADD,
        {
            "thread": values[0].thread,
            "placeholders": [value.placeholder for value in values],
            "sealed": [value.sealed for value in values],
            "digests": [value.digest for value in values],
        },
    )
    kept: dict[str, Any] = {name: bytes(digest) for name, digest in await cursor.fetchall()}
    return all(kept.get(value.placeholder) == value.digest for value in values)


_READ: LiteralString = """
SELECT m.thread, m.placeholder, m.sealed, m.digest
FROM threads JOIN masked_values m ON m.thread = threads.id
WHERE threads.id = ANY(%(threads)s) AND workspace = %(workspace)s AND user_id = %(user)s
"""

_ADD: LiteralString = """
INSERT INTO masked_values AS m (thread, placeholder, sealed, digest)
SELECT %(thread)s, new.* FROM unnest(%(placeholders)s::text[], %(sealed)s::bytea[],
  %(digests)s::bytea[]) AS new (placeholder, sealed, digest)
WHERE EXISTS (SELECT FROM threads WHERE id = %(thread)s)
ON CONFLICT (thread, placeholder) DO UPDATE SET digest = m.digest
RETURNING placeholder, digest
"""
