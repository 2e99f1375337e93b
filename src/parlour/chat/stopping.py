"""Stopping a turn wherever it runs: kept in the store, heard by its owner, answered when true.

    stop -> the store -> the owner hears -> it hangs up on the model and stores the end -> answered

The owner hears within milliseconds through the event log that the processes share. It also looks
into the store four times a second, so that it hears without that log, and when its own news of a
turn are old: a process that was frozen learns by the same look that its turns are another's now.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

import structlog

from parlour.chat.running import Running
from parlour.domain import Principal, ThreadId, TurnId, TurnStatus
from parlour.errors import StopPending, StoreUnavailable, TurnNotFound
from parlour.events.log import EventLog
from parlour.store.turns import Turns

LOOK_S = 0.25  # between two looks for stops of the turns here, one small statement each
CONFIRM_S = 3.0  # for the owner to end the turn; one that is well needs milliseconds
PAUSE_S_MIN = 0.01  # before it is asked whether the turn has ended, doubled up to ...
PAUSE_S_MAX = 0.1  # ... this

log = structlog.get_logger("parlour.stopping")


class Stops:
    """One for the process; `running` are its turns, `stop_here` ends one of them."""

    def __init__(
        self,
        *,
        store: Turns,
        events: EventLog,
        owner: str,
        running: Mapping[TurnId, Running],
        stop_here: Callable[[str], None],
    ) -> None:
        self._store = store
        self._events = events
        self._owner = owner
        self._running = running
        self._stop_here = stop_here
        self._telling: set[asyncio.Task[None]] = set()
        events.on_stop(stop_here)

    async def stop(self, principal: Principal, thread: ThreadId, turn: TurnId) -> None:
        """Stop a turn; it has ended when this returns. Stopping twice is fine.

        Raises `TurnNotFound`, `StoreUnavailable` when nothing was stored, and `StopPending` when
        the stop is stored and the turn has not ended in time.
        """
        if not await self._store.request_stop(principal, thread, turn):
            return
        until = time.monotonic() + CONFIRM_S
        here = self._running.get(turn)
        if here is not None and here.task is not None:
            self._stop_here(turn)
            await asyncio.wait({here.task}, timeout=CONFIRM_S)
        else:
            self._tell(turn)
        pause_s = PAUSE_S_MIN
        while not await self._ended(principal, thread, turn):
            if time.monotonic() + pause_s > until:
                raise StopPending(
                    "The stop is stored, but the process that answers has not confirmed it. The "
                    "answer ends when it does, or is found to be gone. Ask again to be sure."
                )
            await asyncio.sleep(pause_s)
            pause_s = min(PAUSE_S_MAX, 2 * pause_s)

    async def listen(self) -> None:
        """Stop the turns here that somebody asked to stop, or that another process has taken over.

        Runs until it is cancelled.
        """
        while True:
            await asyncio.sleep(LOOK_S)
            turns = [turn for turn, running in self._running.items() if not running.stopping]
            if not turns:
                continue
            try:
                for turn in await self._store.to_stop(self._owner, turns):
                    self._stop_here(turn)
            except StoreUnavailable:
                pass  # the keeper says so
            except Exception:
                log.exception("stops_not_seen")  # the next look tries again

    def _tell(self, turn: TurnId) -> None:
        """Beside the confirmation: a Redis that is away takes seconds to be known as such."""
        task = asyncio.create_task(self._events.request_stop(turn), name=f"stopping {turn}")
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _ended(self, principal: Principal, thread: ThreadId, turn: TurnId) -> bool:
        try:
            found = await self._store.get(principal, thread, turn)
        except TurnNotFound:
            return True  # its conversation was deleted meanwhile
        except StoreUnavailable:
            return False
        return found.status != TurnStatus.RUNNING
