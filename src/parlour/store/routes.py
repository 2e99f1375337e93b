"""Routing decisions, kept: what could have answered, what was chosen, and why.

They are written in batches behind the calls, so that a decision costs a call nothing; a process
that is killed loses those of its last moment. A decision holds no words of anybody.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, LiteralString

import structlog

from parlour.errors import StoreUnavailable
from parlour.store.database import Database, Row

FLUSH_S = 0.2
BATCH = 500
WAITING_MAX = 10_000  # decisions not written yet; the oldest go first, and that is logged

log = structlog.get_logger("parlour.routes")


@dataclass(frozen=True, slots=True)
class KeptDecision:
    """One decision as it was stored; `body` is the JSON of `models.choice.Decision`."""

    at: datetime
    workspace: str
    turn: str
    choice: str
    body: bytes


class RouteDecisions:
    """Writes and reads decisions. One for the process; start it once, close it at the end."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[KeptDecision] = deque()
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self.lost = 0

    def remember(self, *, workspace: str, turn: str, choice: str, body: bytes) -> None:
        """Keep one decision; a plain call."""
        if len(self._waiting) >= WAITING_MAX:
            self._waiting.popleft()
            self.lost += 1
        self._waiting.append(KeptDecision(datetime.now(UTC), workspace, turn, choice, body))
        self._wake.set()

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._write(), name="route decisions")

    async def close(self) -> None:
        """Write what is left, and stop."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.flush()

    async def flush(self) -> None:
        """Write all that waits. Raises `StoreUnavailable`; then it still waits."""
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            try:
                await self._insert(batch)
            except BaseException:
                self._waiting.extendleft(reversed(batch))
                raise

    async def of_turn(self, turn: str) -> list[KeptDecision]:
        """The decisions of one turn, oldest first."""
        return list(map(_kept, await self._database.fetch(_OF_TURN, {"turn": turn})))

    async def latest(self, most: int) -> list[KeptDecision]:
        """The newest decisions, newest first."""
        return list(map(_kept, await self._database.fetch(_LATEST, {"most": most})))

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(FLUSH_S)  # what comes within it goes in one statement
            try:
                await self.flush()
            except StoreUnavailable as error:
                log.warning(
                    "decisions_wait_for_store", error=str(error), waiting=len(self._waiting)
                )
                await asyncio.sleep(FLUSH_S * 5)
                self._wake.set()
            except Exception:
                log.exception("decisions_not_written")

    async def _insert(self, batch: list[KeptDecision]) -> None:
        values: dict[str, Any] = {
            "at": [d.at for d in batch],
            "workspace": [d.workspace for d in batch],
            "turn": [d.turn for d in batch],
            "choice": [d.choice for d in batch],
            "body": [d.body.decode() for d in batch],
        }
        await self._database.fetch(_INSERT, values)


def _kept(row: Row) -> KeptDecision:
    at, workspace, turn, choice, body = row
    return KeptDecision(at, workspace, turn, choice, body.encode())


_INSERT: LiteralString = """
INSERT INTO route_decisions (at, workspace, turn, choice, body)
SELECT at, workspace, turn, choice, body::json FROM unnest(%(at)s::timestamptz[],
  %(workspace)s::text[], %(turn)s::text[], %(choice)s::text[], %(body)s::text[])
  AS d (at, workspace, turn, choice, body)
RETURNING 1
"""

_OF_TURN: LiteralString = """
SELECT at, workspace, turn, choice, body::text FROM route_decisions
WHERE turn = %(turn)s ORDER BY id
"""

_LATEST: LiteralString = """
SELECT at, workspace, turn, choice, body::text FROM route_decisions ORDER BY id DESC LIMIT %(most)s
"""
