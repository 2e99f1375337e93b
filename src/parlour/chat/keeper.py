"""Keeps turns alive, and buries the dead: leases, partial answers, lost turns.

A turn whose process fell silent is gone on with by whichever process sees it first, three times at
most (chat/takeover.py); what nobody goes on with is ended clearly.

Every running turn is leased by its process. On each beat, a fifth of the lease (2 s), the keeper
renews all leases of the process, and stores with them what its turns have said so far: of 300 turns
at most, those first that were stored longest ago. So a killed process loses 2 s of an answer, or
with 1,500 at once 10 s, and a beat takes no longer the more of them there are. Whatever else is to
be done has a beat of its own: it must not make leases late.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

import structlog

from parlour.chat.approval import Decisions
from parlour.chat.running import Running
from parlour.chat.takeover import Takeover
from parlour.chat.till import Till
from parlour.chat.turn import TurnRunner
from parlour.errors import Problem, StoreUnavailable
from parlour.store.adopt import Adopted
from parlour.store.lost import LOST, Leave
from parlour.store.turns import Renewal, Turns
from parlour.telemetry.metrics import Metrics

log = structlog.get_logger("parlour.keeper")

BEATS = 5  # in a lease: four may fail before a live turn is taken for dead
GROUP = 50  # turns of one statement with what they said; a hundred are megabytes
LEASES = 500  # turns of one statement without it
SAVED_MAX = 300  # turns whose words are stored on one beat
LEAVE = Leave()
TAKEN_MAX = 20  # turns that are being taken over at a time; the next beat takes the next


class Keeper:
    """Background tasks of the process; start it once, close it at the end."""

    def __init__(
        self,
        *,
        runner: TurnRunner,
        decisions: Decisions,
        store: Turns,
        till: Till,
        takeover: Takeover,
        metrics: Metrics,
        lease_s: float,
    ) -> None:
        self._runner = runner
        self._decisions = decisions
        self._store = store
        self._till = till
        self._takeover = takeover
        self._metrics = metrics
        self._lease_s = lease_s
        self._beat_s = lease_s / BEATS
        self._serving = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._taking: set[asyncio.Task[None]] = set()

    async def start(self, *, serving: bool = True) -> None:
        """Keep beating. The first beat comes when the rest of the process has started: a turn that
        is gone on with needs all of it.

        A process that does not serve goes on with nothing and carries out no decisions: it has no
        tools. It ends at once what an earlier process left running.
        """
        self._serving = serving
        if not serving:
            await self._reap()
        self._tasks.add(asyncio.create_task(self._runner.stops.listen(), name="stops"))
        for work in (self._renew, self._tend):
            self._tasks.add(asyncio.create_task(self._beat(work), name=f"keeper {work.__name__}"))

    async def leave(self) -> None:
        """Go on with no more turns; those that are on their way here are left to others."""
        await _cancelled(self._taking)

    async def close(self) -> None:
        """Stop beating."""
        await self.leave()
        await _cancelled(self._tasks)

    async def _beat(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(self._beat_s)
            try:
                await work()
            except StoreUnavailable as error:
                log.warning("keeper_without_store", error=str(error))
            except Exception:
                log.exception("keeper_failed")  # the next beat tries again

    async def _tend(self) -> None:
        """See to what others have left, and to what waits for a person."""
        await self._take_over()
        await self._reap()
        await self._decisions.sweep(carry_out=self._serving)

    async def _renew(self) -> None:
        """Extend the leases of all turns here, and stop those that were asked to stop."""
        turns = [r for r in self._runner.running.values() if r.committed.done()]
        spoke = [r for r in turns if r.sink.log.size != r.saved_size]
        spoke = sorted(spoke, key=lambda r: r.saved_at)[:SAVED_MAX]
        saved = {running.turn for running in spoke}
        rest = [running.turn for running in turns if running.turn not in saved]
        for at in range(0, len(rest), LEASES):
            group = dict.fromkeys(rest[at : at + LEASES])
            self._heed(await self._store.renew(self._runner.owner, group, self._lease_s))
        for at in range(0, len(spoke), GROUP):
            await self._save(spoke[at : at + GROUP])

    async def _save(self, group: Sequence[Running]) -> None:
        """Extend the leases of these, and store what they have said and spent."""
        now = asyncio.get_running_loop().time()
        sizes = [running.sink.log.size for running in group]
        partials = {running.turn: running.sink.parts() for running in group}
        spent = {running.turn: running.tab.so_far() for running in group}
        renewal = await self._store.renew(self._runner.owner, partials, self._lease_s, spent)
        for running, size in zip(group, sizes, strict=True):
            running.saved_size, running.saved_at = size, now
        self._heed(renewal)

    def _heed(self, renewal: Renewal) -> None:
        for turn in renewal.stop | renewal.lost:
            self._runner.stop_here(turn)

    async def _take_over(self) -> None:
        """Go on with turns whose process fell silent, where there is one that can."""
        most = TAKEN_MAX - len(self._taking)
        if not self._serving or self._runner.draining or most <= 0:
            return
        adopted = await self._store.adopt(
            self._runner.owner,
            self._till.price,
            lease_s=self._lease_s,
            window=self._runner.window,
            leave=LEAVE,
            most=most,
            mine=self._runner.running,
        )
        for turn in adopted:
            # Beside the beat: each waits for what others have of it, and meanwhile the leases of
            # all turns here have to be renewed, and their stops heard.
            task = asyncio.create_task(self._go_on(turn), name=f"taking over {turn.turn}")
            self._taking.add(task)
            task.add_done_callback(self._taking.discard)

    async def _go_on(self, turn: Adopted) -> None:
        try:
            await self._till.lost(turn.lost)
            async with asyncio.timeout(self._lease_s - self._beat_s):  # then others may have it
                await self._takeover.go_on(turn)
        except (Problem, TimeoutError) as error:  # no room, no quota: again when the lease is over
            log.warning("turn_not_taken", turn_id=turn.turn, error=str(error))
        except Exception:
            log.exception("turn_not_taken", turn_id=turn.turn)  # one must not stop the others
        else:
            log.warning("turn_taken_over", turn_id=turn.turn, thread_id=turn.thread)
            self._metrics.turns_taken_over.inc()
            # Who asked to stop it while it was on its way here told nobody who runs it. Where the
            # store does not answer, the next beat asks.
            with contextlib.suppress(StoreUnavailable):
                await self._save([self._runner.running[turn.turn]])

    async def _reap(self) -> None:
        for lost in await self._store.reap(
            self._till.price, leave=LEAVE, mine=self._runner.running
        ):
            await self._till.lost(lost)
            code = "" if lost.stopped else LOST.code
            log.warning("turn_closed", turn_id=lost.id, thread_id=lost.thread, code=code)
            self._metrics.turns.labels(lost.status.value, code).inc()


async def _cancelled(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel these and wait until they are gone."""
    going = tuple(tasks)
    for task in going:
        task.cancel()
    await asyncio.gather(*going, return_exceptions=True)
