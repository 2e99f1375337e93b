"""The story of a turn: read this first.

    start -> claim (the message and the turn, one transaction) -> commit | run, side by side
    run   -> agent rounds -> end (store, then one terminal event)

A turn is a task of this process and belongs to no connection. Its owner keeps a lease in the
database alive (chat/keeper.py); readers read its log (chat/reading.py). However the run ends,
`_end` stores it and says exactly one `finalize`. What it does in between is chat/answering.py.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import msgspec
import structlog

from parlour.agent.graph import Answer
from parlour.chat.answering import Answering
from parlour.chat.ask import Ask, Started
from parlour.chat.continuing import as_it_waited, given_up, said_before
from parlour.chat.ending import Ending
from parlour.chat.enriching import Enriching
from parlour.chat.judge import Judge
from parlour.chat.page import PageContext, cleaned
from parlour.chat.privacy import Privacy, Taken
from parlour.chat.running import Running, TurnLimits
from parlour.chat.second import SecondMessages
from parlour.chat.sink import TurnSink
from parlour.chat.stopping import Stops
from parlour.chat.summary import Remembering
from parlour.chat.tab import Tab
from parlour.chat.till import Entry, Till
from parlour.domain import Message, MessageId, Principal, TextPart, TurnId
from parlour.errors import (
    Internal,
    Problem,
    ShuttingDown,
    StoreUnavailable,
    TooLong,
    TurnLost,
    TurnTimeout,
)
from parlour.events.log import EventLog
from parlour.events.types import Plan
from parlour.limits.room import Room
from parlour.models.routed import Router
from parlour.policy import Policies
from parlour.safety.disclosures.gate import Gate
from parlour.store.turns import Claim, NewTurn, Turns
from parlour.store.waiting import Settled
from parlour.telemetry import traces as tr
from parlour.telemetry.metrics import Metrics

log = structlog.get_logger("parlour.turn")

GivenUp = Callable[[Principal, Sequence[Settled]], None]


class TurnRunner:
    """Starts, runs, stops and ends turns. One for the process."""

    def __init__(
        self,
        *,
        store: Turns,
        events: EventLog,
        router: Router,
        answering: Answering,
        ending: Ending,
        privacy: Privacy,
        judge: Judge,
        remembering: Remembering,
        gate: Gate,
        enriching: Enriching,
        room: Room,
        till: Till,
        policies: Policies,
        limits: TurnLimits,
        metrics: Metrics,
    ) -> None:
        self.owner = secrets.token_hex(8)
        self.running: dict[TurnId, Running] = {}
        self._router = router
        self._store = store
        self._events = events
        self._answering = answering
        self._ending = ending
        self._privacy = privacy
        self._judge = judge
        self.remembering = remembering
        self._gate = gate
        self.enriching = enriching
        self.room = room
        self._till = till
        self._policies = policies
        self._limits = limits
        self._metrics = metrics
        self._draining = False
        self.stops = Stops(
            store=store,
            events=events,
            owner=self.owner,
            running=self.running,
            stop_here=self.stop_here,
        )
        self._second = SecondMessages(
            store=store, policies=policies, ended=self._ended, stop=self.stops.stop
        )
        self._on_given_up: GivenUp | None = None

    def on_given_up(self, hear: GivenUp) -> None:
        """Who hears that a new message has put aside what waited for a decision."""
        self._on_given_up = hear

    @property
    def draining(self) -> bool:
        """Whether no new turns are taken any more."""
        return self._draining

    @property
    def window(self) -> int:
        """The most messages of a conversation that are read for a turn."""
        return max(policy.memory.window_messages for policy in self._policies.all())

    # --- in ---

    async def start(self, principal: Principal, ask: Ask) -> Started:
        """Accept a message and begin to answer it. Returns once the message is committed.

        Raises `TooLong`, `ShuttingDown`, `DisclosureRequired`, `Overloaded`, `StoreUnavailable`,
        and what the claim finds (`ThreadNotFound`, `MessageNotFound`, `TurnInProgress`,
        `KeyReused`) or the limits say
        (`RateLimited`, `QuotaExceeded`, `LimitsUnavailable`).
        """
        self._check(ask)
        if ask.page is not None:
            bounds = self._policies.of(principal.workspace).page
            ask = replace(ask, page=cleaned(ask.page, bounds))
        if ask.waiting:  # it was told before the turn that this one goes on after
            told = self._gate.disclosures.of(principal, ask.surface)
        else:
            told = await self._gate.pass_on(principal, ask.surface, ask.shown, session=ask.thread)
        taken = await self._privacy.take(principal, ask)
        ask, orders = await self._judge.orders.admit(principal, taken.ask)
        taken = replace(taken, ask=ask, orders=orders)
        attempt = partial(self._claim, principal, taken)
        claim, entry = await (
            attempt() if ask.waiting else self._second.claim(principal, ask, attempt)
        )
        if claim.joined is not None:
            return Started(claim.joined, ask.thread, claim.assistant_message, joined=True)
        running = self._begin(principal, taken, claim, entry, told.text)
        try:
            await claim.commit()
        except BaseException:
            running.committed.set_result(False)
            if running.task:
                running.task.cancel()
            raise
        running.committed.set_result(True)
        running.sink.release()
        if claim.superseded and self._on_given_up is not None:
            self._on_given_up(principal, claim.superseded)
        return Started(running.turn, ask.thread, running.message, joined=False)

    async def _claim(self, principal: Principal, taken: Taken) -> tuple[Claim, Entry | None]:
        """A claim, with a place in the room and its price put aside unless it joins a turn."""
        new = self._new_turn(principal, taken)
        window = self._policies.of(principal.workspace).memory.window_messages
        await self.room.enter(principal.workspace)
        joined = True
        try:
            claim, entry = await self._till.enter(
                principal,
                taken.ask.history,
                lambda: self._store.claim(new, window=window),
                question="new" if taken.ask.waiting is None else "none",
            )
            joined = claim.joined is not None
            return claim, entry
        finally:
            if joined:
                self.room.leave(principal.workspace)

    def stop_here(self, turn: str) -> None:
        """Stop a turn if this process runs it."""
        running = self.running.get(TurnId(turn))
        if running and running.task and not running.stopping:
            running.stopping = True
            running.task.cancel()

    async def _ended(self, turn: TurnId) -> bool:
        """Wait for the end of a turn of this process; False when it does not run here."""
        running = self.running.get(turn)
        if running is None or running.task is None:
            return False
        await asyncio.wait({running.task})
        return True

    def refuse(self) -> None:
        """Take no new turns from now on."""
        self._draining = True

    async def drain(self, timeout_s: float) -> None:
        """Let running turns finish for `timeout_s`, then leave them to another process."""
        self.refuse()
        tasks = [r.task for r in self.running.values() if r.task]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=timeout_s)
            for running in self.running.values():
                running.leaving = True
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=5)

    def model_name(self, principal: Principal) -> str:
        """`provider:model` of what answers this user when all is well."""
        return self._router.first(principal.workspace).label

    async def close(self) -> None:
        """Let go of what the turns used, once they are over."""
        await self.enriching.close()
        await self._ending.close()
        await asyncio.to_thread(self._judge.traces.close)

    # --- the run ---

    def _check(self, ask: Ask) -> None:
        if self._draining:
            raise ShuttingDown("This server is restarting. Please try again in a few seconds.")
        most = self._limits.message_chars_max
        if len(ask.text) > most:
            raise TooLong(
                f"The message has {len(ask.text)} characters; the limit is {most}. "
                "Shorten it, or send the rest in a second message."
            )

    def _new_turn(self, principal: Principal, taken: Taken) -> NewTurn:
        ask = taken.ask
        route = self._router.first(principal.workspace)
        return NewTurn(
            principal=principal,
            thread=ask.thread,
            turn=TurnId(_new_id("t")),
            user_message=ask.key or _new_id("u") if ask.trigger in {"submit", "edit"} else None,
            assistant_message=ask.waiting.message if ask.waiting else _new_id("a"),
            client_id=ask.key,
            body_hash=ask.fingerprint(),
            parts=as_it_waited(ask.waiting) if ask.waiting else (TextPart(ask.text),),
            target=ask.target,
            trigger=ask.trigger,
            model=route.label,
            route=route.digest,
            owner=self.owner,
            lease_s=self._limits.lease_s,
            surface=ask.surface,
            hidden=ask.hidden,
            masked=taken.sealed,
            alone=ask.history is not None,
            page=msgspec.json.encode(ask.page) if ask.page else None,
        )

    def _begin(
        self,
        principal: Principal,
        taken: Taken,
        claim: Claim,
        entry: Entry | None,
        disclosure: str,
    ) -> Running:
        """Start the run while the claim is being committed; readers wait for the commit."""
        ask = taken.ask
        sink = TurnSink(self._events.create(claim.turn), bytes_max=self._limits.log_bytes_max)
        before = said_before(ask.waiting)
        sink.event(
            Plan(
                turn_id=claim.turn,
                thread_id=ask.thread,
                message_id=claim.assistant_message,
                user_message_id=claim.user_message or "",
                model=self.model_name(principal),
                disclosure=disclosure,
                continues=ask.waiting.turn if ask.waiting else "",
                repeats=len(before.payloads),
            )
        )
        sink.repeat(before.payloads, before.parts)
        for notice in given_up(claim.superseded):
            sink.event(notice)
        tab = Tab(self._till, principal, claim.turn, sink, entry)
        tab.greet()
        running = Running(
            principal, ask, claim.turn, claim.assistant_message, claim.fence, sink, tab
        )
        self._privacy.begin(running, taken.masks)
        if claim.page is not None:
            running.page = msgspec.json.decode(claim.page, type=PageContext)
        self._judge.begin(running, taken.orders)
        history = tuple(claim.history) if ask.history is None else ask.history
        running.history, running.summary = history, claim.summary
        running.paged = claim.paged
        self.launch(running)
        return running

    def launch(self, running: Running) -> None:
        """Begin to run a turn; it is on the list of this process from here on."""
        self.stop_here(running.turn)  # as its former owner, where this process was silent itself
        self.running[running.turn] = running
        running.task = asyncio.create_task(
            self._traced(running, running.history), name=f"turn {running.turn}"
        )

    async def _traced(self, running: Running, history: tuple[Message, ...]) -> None:
        named = {tr.CONVERSATION: running.thread, tr.TURN: running.turn}
        workspace = running.principal.workspace
        with self._judge.traces.span("turn", **named, **{tr.WORKSPACE: workspace}):
            await self._run(running, history)

    async def _run(self, running: Running, history: tuple[Message, ...]) -> None:
        structlog.contextvars.bind_contextvars(turn_id=running.turn, thread_id=running.thread)
        self._metrics.turns_running.inc()
        answer: Answer | None = None
        problem: Problem | None = None
        try:
            async with asyncio.timeout(self._limits.turn_s_max):
                answer = await self._answering.answer(running, history)
        except TimeoutError:
            problem = TurnTimeout(
                f"The answer took longer than {self._limits.turn_s_max:g} seconds and was ended."
            )
        except asyncio.CancelledError:
            # Ours to swallow: nobody awaits this task, and the turn still has to end.
            if not running.stopping:
                problem = TurnLost("The server was shut down before the answer was finished.")
        except Problem as error:
            problem = error
        except Exception:
            log.exception("turn_crashed")
            problem = Internal("Something went wrong on our side. It has been logged.")
        finally:
            running.stopping = True  # what is ending can no longer be stopped
            await asyncio.shield(self._end(running, answer, problem))

    # --- out ---

    async def _end(self, running: Running, answer: Answer | None, problem: Problem | None) -> None:
        """Store the turn, then say its one terminal event; or leave both to another process."""
        kept = handed = elsewhere = False
        try:
            # A model can be done, or a stop arrive, before the claim is committed.
            kept = await running.committed
            await running.tab.close(kept=kept)
            if kept:
                await self._privacy.keep(running)
            if kept and isinstance(problem, TurnLost) and await self._handed_over(running):
                handed = True
            elif kept:
                elsewhere = not await self._ending.store_and_say(running, answer, problem)
            if kept and not (handed or elsewhere):
                self.remembering.turn_ended(running)
                self.enriching.begin(running, answer)
        finally:
            if handed:
                running.sink.log.flush(now=True)  # who goes on closes it
            elif elsewhere:
                running.sink.log.break_off()  # its readers find the one that goes on
            else:
                running.sink.log.close()
            self._privacy.end(running)
            if self.running.get(running.turn) is running:
                del self.running[running.turn]
            self.room.leave(running.principal.workspace)
            self._metrics.turns_running.dec()
        if not kept:
            await self._ending.never_begun(running)

    async def _handed_over(self, running: Running) -> bool:
        """Whether the turn is left to another process, as this one is shutting down.

        One that went on after a decision is closed there, and the decision carried out again.
        """
        if not running.leaving or running.ask.history is not None:
            return False
        try:
            return await self._store.hand_over(
                running.turn, running.fence, running.sink.parts(), running.tab.so_far()
            )
        except StoreUnavailable:
            return False


def _new_id(kind: str) -> MessageId:
    return MessageId(f"{kind}_{secrets.token_hex(10)}")
