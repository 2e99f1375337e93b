"""The story of a turn: read this first.

    start -> claim (the message and the turn, one transaction) -> commit | run, side by side
    run   -> agent rounds -> end (store, then one terminal event)

A turn is a task of this process and belongs to no connection. Its owner keeps a lease in the
database alive (chat/keeper.py); readers read its log (chat/reading.py). However the run ends,
`_end` stores it and says exactly one `finalize`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import structlog

from parlour.agent.graph import Agent, AgentLimits, Answer, ProgressReport, Run
from parlour.agent.prompt import system_prompt
from parlour.agent.saver import TurnSaver
from parlour.chat.ask import Ask, Started
from parlour.chat.context import to_prompt
from parlour.chat.ending import error_part, finalize_of
from parlour.chat.sink import TurnSink
from parlour.domain import (
    Message,
    MessageId,
    Part,
    Principal,
    TextPart,
    ThreadId,
    ToolOutcome,
    ToolRequest,
    TurnId,
    TurnStatus,
)
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
from parlour.events.types import Finalize, Plan
from parlour.limits.room import Room
from parlour.models.port import Model
from parlour.safety.disclosure import DISCLOSURE
from parlour.store.turns import Claim, NewTurn, Turns
from parlour.telemetry.metrics import Metrics
from parlour.tools.toolbox import Toolbox

log = structlog.get_logger("parlour.turn")

FINISH_RETRIES_S = (0.1, 0.5, 1.0, 2.0, 4.0)  # a short outage of the store must not fail a turn


@dataclass(slots=True)
class Running:
    """One turn in this process."""

    principal: Principal
    thread: ThreadId
    turn: TurnId
    message: MessageId
    fence: int
    sink: TurnSink
    task: asyncio.Task[None] | None = None
    stopping: bool = False
    committed: asyncio.Future[bool] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )  # False: the commit failed, so there is no turn
    saved_size: int = 0  # of the log, when its parts were last stored


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """Bounds of a turn; seconds, characters and bytes as the names say."""

    agent: AgentLimits
    turn_s_max: float
    message_chars_max: int
    log_bytes_max: int
    window_messages: int
    lease_s: float = 15


class TurnRunner:
    """Starts, runs, stops and ends turns. One for the process."""

    def __init__(
        self,
        *,
        store: Turns,
        events: EventLog,
        agent: Agent,
        model: Model,
        toolbox: Toolbox,
        room: Room,
        limits: TurnLimits,
        metrics: Metrics,
        own_words: str = "",
    ) -> None:
        self.owner = secrets.token_hex(8)
        self.running: dict[TurnId, Running] = {}
        self.model = model
        self._store = store
        self._events = events
        self._agent = agent
        self._toolbox = toolbox
        self._room = room
        self._limits = limits
        self._metrics = metrics
        self._system = system_prompt(own_words)
        self._draining = False
        events.on_stop(self.stop_here)

    # --- in ---

    async def start(self, principal: Principal, ask: Ask) -> Started:
        """Accept a message and begin to answer it. Returns once the message is committed.

        Raises `TooLong`, `ShuttingDown`, `Overloaded`, `StoreUnavailable`, and what the claim
        finds: `ThreadNotFound`, `MessageNotFound`, `TurnInProgress`, `KeyReused`.
        """
        self._check(ask)
        await self._room.enter()
        try:
            claim = await self._store.claim(
                self._new_turn(principal, ask), window=self._limits.window_messages
            )
        except BaseException:
            self._room.leave()
            raise
        if claim.joined is not None:
            self._room.leave()
            return Started(claim.joined, ask.thread, claim.assistant_message, joined=True)
        running = self._begin(principal, ask, claim)
        try:
            await claim.commit()
        except BaseException:
            running.committed.set_result(False)
            if running.task:
                running.task.cancel()
            raise
        running.committed.set_result(True)
        running.sink.release()
        return Started(running.turn, ask.thread, running.message, joined=False)

    async def stop(self, principal: Principal, thread: ThreadId, turn: TurnId) -> None:
        """Stop a turn wherever it runs. Raises `TurnNotFound`; stopping twice is fine."""
        await self._store.request_stop(principal, thread, turn)
        if turn in self.running:
            self.stop_here(turn)
        else:
            await self._events.request_stop(turn)

    def stop_here(self, turn: str) -> None:
        """Stop a turn if this process runs it."""
        running = self.running.get(TurnId(turn))
        if running and running.task and not running.stopping:
            running.stopping = True
            running.task.cancel()

    def refuse(self) -> None:
        """Take no new turns from now on."""
        self._draining = True

    async def drain(self, timeout_s: float) -> None:
        """Let running turns finish for `timeout_s`, then end them clearly."""
        self.refuse()
        tasks = [r.task for r in self.running.values() if r.task]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=timeout_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=5)

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

    def _new_turn(self, principal: Principal, ask: Ask) -> NewTurn:
        return NewTurn(
            principal=principal,
            thread=ask.thread,
            turn=TurnId(_new_id("t")),
            user_message=None if ask.trigger == "regenerate" else ask.key or _new_id("u"),
            assistant_message=_new_id("a"),
            client_id=ask.key,
            body_hash=ask.fingerprint(),
            parts=(TextPart(ask.text),),
            target=ask.target,
            trigger=ask.trigger,
            model=self.model.name,
            owner=self.owner,
            lease_s=self._limits.lease_s,
            hidden=ask.hidden,
        )

    def _begin(self, principal: Principal, ask: Ask, claim: Claim) -> Running:
        """Start the run while the claim is being committed; readers wait for the commit."""
        sink = TurnSink(self._events.create(claim.turn), bytes_max=self._limits.log_bytes_max)
        sink.event(
            Plan(
                turn_id=claim.turn,
                thread_id=ask.thread,
                message_id=claim.assistant_message,
                user_message_id=claim.user_message or "",
                model=self.model.name,
                disclosure=DISCLOSURE,
            )
        )
        running = Running(
            principal, ask.thread, claim.turn, claim.assistant_message, claim.fence, sink
        )
        history = tuple(claim.history) if ask.history is None else ask.history
        self.running[claim.turn] = running
        running.task = asyncio.create_task(self._run(running, history), name=f"turn {claim.turn}")
        return running

    async def _run(self, running: Running, history: tuple[Message, ...]) -> None:
        structlog.contextvars.bind_contextvars(turn_id=running.turn, thread_id=running.thread)
        self._metrics.turns_running.inc()
        answer: Answer | None = None
        problem: Problem | None = None
        try:
            async with asyncio.timeout(self._limits.turn_s_max):
                answer = await self._answer(running, history)
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

    async def _answer(self, running: Running, history: tuple[Message, ...]) -> Answer:
        async def call_tool(request: ToolRequest, report: ProgressReport) -> ToolOutcome:
            # Nothing acts for a message that may yet fail to be stored.
            await asyncio.shield(running.committed)
            outcome = await self._toolbox.call(running.principal, request, on_progress=report)
            server = self._toolbox.server_of(request.name)
            self._metrics.tool_called(server, ok=outcome.ok, elapsed_ms=outcome.elapsed_ms)
            return outcome

        async def save(data: bytes) -> None:
            # Before the commit there is no turn to keep it with, and a quick round gets here first.
            await asyncio.shield(running.committed)
            if not await self._store.save_checkpoint(running.turn, running.fence, data):
                raise TurnLost("Another process has taken over this answer.")

        run = Run(
            prompt=to_prompt(self._system, history),
            model=self.model,
            tools=await self._toolbox.specs(running.principal),
            call_tool=call_tool,
            sink=running.sink,
            limits=self._limits.agent,
        )
        return await self._agent.run(run, saver=TurnSaver(save=save), thread=running.turn)

    # --- out ---

    async def _end(self, running: Running, answer: Answer | None, problem: Problem | None) -> None:
        """Store the turn, then say its one terminal event."""
        try:
            # A model can be done, or a stop arrive, before the claim is committed.
            if await running.committed:
                await self._store_and_say(running, answer, problem)
        finally:
            running.sink.log.close()
            self.running.pop(running.turn, None)
            self._room.leave()
            self._metrics.turns_running.dec()

    async def _store_and_say(
        self, running: Running, answer: Answer | None, problem: Problem | None
    ) -> None:
        sink = running.sink
        sink.end()
        final = finalize_of(sink, answer, problem)
        parts = sink.parts()
        if final.error:
            parts = (*parts, error_part(final.error))
        try:
            kept = await self._finish(running, final, parts, answer)
        except StoreUnavailable as outage:
            kept, problem = False, outage
        except Exception:
            log.exception("turn_not_stored")  # readers still have to hear how it ended
            kept, problem = False, Internal("The answer could not be stored. It has been logged.")
        if not kept:
            # The turn is not ours any more, or could not be stored: never say it is done.
            final = finalize_of(
                sink, None, problem or TurnLost("Another process ended this answer.")
            )
        sink.event(final)  # only now: readers and other processes take what is on the log
        sink.log.flush(now=True)
        ended: dict[str, Any] = {
            "status": final.status,
            "code": final.error.code if final.error else "",
            "elapsed_ms": final.elapsed_ms,
            "first_token_ms": final.first_token_ms,
        }
        self._metrics.turn_ended(**ended, usage=sink.usage)
        log.info("turn_ended", **ended, tokens=sink.usage.total)

    async def _finish(
        self, running: Running, final: Finalize, parts: tuple[Part, ...], answer: Answer | None
    ) -> bool:
        async def attempt() -> bool:
            return await self._store.finish(
                running.turn,
                fence=running.fence,
                status=TurnStatus(final.status),
                finish_reason=final.finish_reason,
                parts=parts,
                usage=running.sink.usage,
                events=running.sink.packed_events(final),
                first_token_ms=final.first_token_ms,
                elapsed_ms=final.elapsed_ms,
                error=error_part(final.error) if final.error else None,
                model=self.model.name,
                served_by=answer.served_by if answer else None,
            )

        async def landed() -> bool:
            kept = await self._store.get(running.principal, running.thread, running.turn)
            return kept.status == final.status

        return await _retrying(attempt, landed)


async def _retrying(
    attempt: Callable[[], Awaitable[bool]], landed: Callable[[], Awaitable[bool]]
) -> bool:
    """Try until the store answers. After a lost answer, "not yours to end" may mean that the
    first try has landed."""
    for number, pause in enumerate((*FINISH_RETRIES_S, 0)):
        try:
            return await attempt() or (number > 0 and await landed())
        except StoreUnavailable:
            if not pause:
                raise
            await asyncio.sleep(pause)
    raise AssertionError("unreachable")


def _new_id(kind: str) -> MessageId:
    return MessageId(f"{kind}_{secrets.token_hex(10)}")
