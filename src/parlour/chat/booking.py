"""Model calls whose turn is not in the store: booked when the store answers, whenever that is.

A message that could not be stored may have called a model all the same, and a conversation may be
deleted while it is answered. What was spent stays spent, so such calls wait in this process for a
store that is gone; leaving, it tries once more, and says what it could not book.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from parlour.domain import ModelCall, Principal, TurnId
from parlour.errors import StoreUnavailable
from parlour.store.ledger import Ledger

LATE_S = 1.0  # between two tries
LATE_MAX = 10_000  # turns that wait; a question that cannot be stored is refused, so they are few

log = structlog.get_logger("parlour.turn")


@dataclass(frozen=True, slots=True)
class _Bill:
    who: Principal
    turn: TurnId
    calls: tuple[ModelCall, ...]


class Booking:
    """One for the process."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._late: deque[_Bill] = deque(maxlen=LATE_MAX)
        self._retrying: asyncio.Task[None] | None = None

    async def without_turn(self, who: Principal, turn: TurnId, calls: Sequence[ModelCall]) -> None:
        """Book these now, or as soon as the store is back; nothing when it has the turn."""
        if not calls:
            return
        bill = _Bill(who, turn, tuple(calls))
        if await self._book(bill):
            return
        if len(self._late) == LATE_MAX:
            self._give_up(self._late[0])  # which falls out
        self._late.append(bill)
        if self._retrying is None or self._retrying.done():
            self._retrying = asyncio.create_task(self._retry(), name="late bookings")

    async def close(self) -> None:
        """Try once more what waits."""
        if self._retrying:
            self._retrying.cancel()
            await asyncio.gather(self._retrying, return_exceptions=True)
        while self._late and await self._book(self._late[0]):
            self._late.popleft()
        for bill in self._late:
            self._give_up(bill)

    async def _retry(self) -> None:
        while self._late:
            await asyncio.sleep(LATE_S)
            while self._late and await self._book(self._late[0]):
                self._late.popleft()

    async def _book(self, bill: _Bill) -> bool:
        try:
            who = bill.who
            await self._ledger.book_deleted(who.workspace, who.user, bill.turn, bill.calls)
        except StoreUnavailable as outage:
            log.info("calls_not_booked", error=str(outage), waiting=len(self._late))
            return False
        except Exception:  # what the database rejects once it rejects again; others wait behind it
            log.exception("calls_rejected", turn_id=bill.turn)
            self._give_up(bill)
        return True

    def _give_up(self, bill: _Bill) -> None:
        tokens = sum(call.usage.total for call in bill.calls)
        log.error("calls_lost", turn_id=bill.turn, calls=len(bill.calls), tokens=tokens)
