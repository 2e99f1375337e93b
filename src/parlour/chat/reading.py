"""How a turn is read: live from its log, else from the store, always from an exact position.

A reader names the last event it has. It gets exactly what follows, or is told to `reset` and gets
the whole turn; never a gap, never a silent replay.
"""

from __future__ import annotations

from dataclasses import dataclass

from parlour.chat.packed import unpack_events
from parlour.chat.replay import events_of_turn
from parlour.domain import Principal, ThreadId, TurnId, TurnStatus
from parlour.events.log import Cursor, EventLog, Pace, TurnLog, UnknownPosition
from parlour.events.types import RESTART, Restart, decode
from parlour.safety.disclosures.engine import Disclosures
from parlour.store.turns import Turn, Turns

UNKNOWN_POSITION = "unknown_position"
OVERTAKEN = "overtaken"
REPLICATION_S = 1.0  # another process's events are seen here after 35 to 60 ms


@dataclass(frozen=True, slots=True)
class Position:
    """The last event that a reader has, 0 = none; and the number of the takeover under which it
    was said, 0 = by the first owner, None = the reader does not know."""

    after: int = 0
    takeover: int | None = None


START = Position()


@dataclass(slots=True)
class Reading:
    """A reader's cursor, and why it starts over (`reset`), if it does."""

    cursor: Cursor
    reset: str = ""


class Readings:
    """Opens turns for reading. One for the process."""

    def __init__(self, *, store: Turns, events: EventLog, disclosures: Disclosures) -> None:
        self._store = store
        self._disclosures = disclosures
        self._events = events
        self._pace = Pace()

    async def open(
        self, principal: Principal, thread: ThreadId, turn: TurnId, after: Position = START
    ) -> Reading:
        """Read `turn` from after a position. Raises `TurnNotFound`."""
        stored = await self._store.get(principal, thread, turn)
        return await self._open(principal, stored, after)

    async def open_started(self, turn: TurnId) -> Reading | None:
        """Read a turn that was started here a moment ago, from its first event."""
        log = await self._events.attach(turn)
        return Reading(log.cursor(0)) if log else None

    async def latest(self, principal: Principal, thread: ThreadId) -> TurnId | None:
        """The turn that runs in a conversation, if one does."""
        return await self._store.running(principal, thread)

    async def overtaken(
        self, principal: Principal, thread: ThreadId, reading: Reading
    ) -> Reading | None:
        """A new reading when the log of the one in hand will not go on.

        The owner of a turn may have died: then its log ends without a terminal event, and either
        the store knows how the turn ended, or this process has taken the turn over and goes on in
        a log of its own. Or a mirror of another process has a gap. Asked when a reader has been
        quiet for some seconds, and when its log is broken.
        """
        held, seq = reading.cursor.log, reading.cursor.seq
        stored = await self._store.get(principal, thread, TurnId(held.turn))
        if held.closed and not held.broken:
            return None
        if not held.broken and stored.status is TurnStatus.RUNNING:
            log = await self._events.attach(stored.id)
        else:
            log = await self._find(principal, stored, seq)
        if log is None or log is held:
            return None
        if len(log.payloads) >= seq and log.payloads[:seq] == held.payloads[:seq]:
            return Reading(log.cursor(seq))
        return Reading(log.cursor(0), reset=OVERTAKEN)

    async def _open(self, principal: Principal, stored: Turn, place: Position) -> Reading:
        log = await self._find(principal, stored, place.after)
        try:
            # A former owner may have said an event of this number, and another one.
            if place.takeover is not None and place.takeover != takeover_at(log, place.after):
                raise UnknownPosition(f"{log.turn}.{place.takeover}:{place.after}")
            return Reading(log.cursor(place.after))
        except UnknownPosition:
            return Reading(log.cursor(0), reset=UNKNOWN_POSITION)

    async def _find(self, principal: Principal, stored: Turn, after: int) -> TurnLog:
        """The best log there is to go on from event `after`."""
        if stored.status is not TurnStatus.RUNNING:
            # An ended turn's log is whole here, or it is in the store: a mirror may never be.
            log = await self._events.attach(stored.id)
            return log if log and log.closed else await self._from_store(principal, stored)
        # What a reader has seen may reach this process a moment after the reader does.
        log = await self._events.attach(stored.id, after=max(after, 0), wait_s=REPLICATION_S)
        # None: it runs where the log is not shared, or its process died. Wait for the store.
        return log or TurnLog(stored.id, self._pace)

    async def _from_store(self, principal: Principal, stored: Turn) -> TurnLog:
        """A closed log of an ended turn: its stored events, else events made from its message."""
        packed = await self._store.events(principal, stored.thread, stored.id)
        log = TurnLog(stored.id, self._pace)
        if packed is not None:
            log.extend(unpack_events(packed))
        else:
            parts = await self._store.parts(principal, stored.thread, stored.id)
            told = self._disclosures.of(principal, "api").text
            for event in events_of_turn(stored, parts, told):
                log.append(event)
        log.close()
        return log


def takeover_at(log: TurnLog, seq: int) -> int:
    """The number of the takeover under which event `seq` was said; 0 = by the first owner."""
    for payload in reversed(log.payloads[: max(0, seq)]):
        if payload.startswith(RESTART):
            event = decode(payload)
            return event.takeover if isinstance(event, Restart) else 0
    return 0
