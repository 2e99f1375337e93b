"""How a turn ends: stored first, then said once, in its terminal event and in its message."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import structlog

from parlour.agent.graph import Answer
from parlour.chat.booking import Booking
from parlour.chat.questions import QuestionBook, Questions
from parlour.chat.running import Running
from parlour.chat.sink import TurnSink
from parlour.chat.tab import ANSWER
from parlour.domain import ErrorPart, Part, TurnStatus
from parlour.errors import Internal, Problem, StoreUnavailable, TurnLost, TurnNotFound
from parlour.events.types import Failure, Finalize
from parlour.models.routed import Router
from parlour.store.ledger import Ledger
from parlour.store.turns import Turns
from parlour.telemetry.metrics import Metrics

log = structlog.get_logger("parlour.turn")

FINISH_RETRIES_S = (0.1, 0.5, 1.0, 2.0, 4.0)  # a short outage of the store must not fail a turn


def finalize_of(sink: TurnSink, answer: Answer | None, problem: Problem | None) -> Finalize:
    """The terminal event of a turn that ended with `answer`, with `problem`, or was stopped."""
    status: Literal["done", "stopped", "waiting", "failed"] = "stopped"
    if problem is not None:
        status = "failed"
    elif answer is not None:
        status = "waiting" if answer.waiting else "done"
    return Finalize(
        status=status,
        finish_reason=answer.finish_reason if answer else "",
        error=_failure(problem) if problem else None,
        first_token_ms=sink.first_token_ms,
        elapsed_ms=sink.elapsed_ms,
    )


def _failure(problem: Problem) -> Failure:
    reference = structlog.contextvars.get_contextvars().get("request_id", "")
    return Failure(
        code=problem.code,
        message=str(problem) or problem.title,
        retryable=problem.retryable,
        reference=reference,
    )


def error_part(failure: Failure) -> ErrorPart:
    """The failure as the stored message keeps it."""
    return ErrorPart(failure.code, failure.message, failure.retryable, failure.reference)


class Ending:
    """Stores turns and says how they ended. One for the process."""

    def __init__(
        self,
        *,
        store: Turns,
        ledger: Ledger,
        questions: QuestionBook,
        metrics: Metrics,
        router: Router,
    ) -> None:
        self._store = store
        self._booking = Booking(ledger)
        self._questions = questions
        self._metrics = metrics
        self._router = router

    async def store_and_say(
        self, running: Running, answer: Answer | None, problem: Problem | None
    ) -> bool:
        """Store the turn, then say its one terminal event.

        False when another process has the turn: then nothing is said, as its end is said there.
        """
        sink = running.sink
        questions = None
        if answer is not None and answer.waiting and problem is None:
            try:
                questions = await self._ask(running, answer)
            except StoreUnavailable as outage:
                problem = outage
        sink.end()
        final = finalize_of(sink, answer, problem)
        parts = sink.parts()
        if final.error:
            parts = (*parts, error_part(final.error))
        try:
            kept = await self._finish(running, final, parts, answer, questions)
        except StoreUnavailable as outage:
            kept, problem = False, outage
        except Exception:
            log.exception("turn_not_stored")  # readers still have to hear how it ended
            kept, problem = False, Internal("The answer could not be stored. It has been logged.")
        else:
            if not kept and await self._is_elsewhere(running):
                log.warning("turn_ended_elsewhere")
                return False
        if not kept:
            await self.never_begun(running)
            # It could not be stored, or its conversation is gone: never say it is done.
            final = finalize_of(
                sink, None, problem or TurnLost("Another process ended this answer.")
            )
        # Only now: readers and other processes take what is on the log.
        for event in questions.events if questions and kept else ():
            sink.event(event)
        sink.event(final)
        sink.log.flush(now=True)
        ended: dict[str, Any] = {
            "status": final.status,
            "code": final.error.code if final.error else "",
            "elapsed_ms": final.elapsed_ms,
            "first_token_ms": final.first_token_ms,
        }
        self._metrics.turn_ended(**ended, usage=sink.usage)
        log.info("turn_ended", **ended, tokens=sink.usage.total)
        return True

    async def _is_elsewhere(self, running: Running) -> bool:
        """Whether another process goes on with the turn, or has ended it.

        One without a conversation cannot be gone on with, and nobody could read its end there.
        """
        if running.ask.history is not None:
            return False
        try:
            await self._store.get(running.principal, running.thread, running.turn)
        except TurnNotFound:
            return False  # deleted with its conversation
        except StoreUnavailable:
            pass  # its fence was passed, so it is
        return True

    async def never_begun(self, running: Running) -> None:
        """A message that could not be stored may have called a model all the same."""
        await self._booking.without_turn(running.principal, running.turn, running.tab.calls)

    async def close(self) -> None:
        """Book what still waits for the store."""
        await self._booking.close()

    async def _ask(self, running: Running, answer: Answer) -> Questions:
        """What people have to decide; over a short outage, as with the end itself."""
        for pause in (*FINISH_RETRIES_S, 0):
            try:
                questions = await self._questions.put(running, answer.waiting)
            except StoreUnavailable:
                if not pause:
                    raise
                await asyncio.sleep(pause)
            else:
                running.sink.ask(questions.events)
                return questions
        raise AssertionError("unreachable")

    async def _finish(
        self,
        running: Running,
        final: Finalize,
        parts: tuple[Part, ...],
        answer: Answer | None,
        questions: Questions | None,
    ) -> bool:
        async def attempt() -> bool:
            return await self._store.finish(
                running.turn,
                fence=running.fence,
                status=TurnStatus(final.status),
                finish_reason=final.finish_reason,
                parts=parts,
                usage=running.sink.usage,
                calls=running.tab.calls,
                events=running.sink.packed_events(*(questions.events if questions else ()), final),
                first_token_ms=final.first_token_ms,
                elapsed_ms=final.elapsed_ms,
                error=error_part(final.error) if final.error else None,
                model=self._router.first(running.principal.workspace).label,
                served_by=answer.served_by if answer else None,
                tools=running.sink.new_calls(),
                asked=questions.asked if questions else None,
                settles=running.ask.waiting is not None,
                notes=self._notes(running),
            )

        async def landed() -> bool:
            kept = await self._store.get(running.principal, running.thread, running.turn)
            return kept.status == final.status

        return await _retrying(attempt, landed)

    def _notes(self, running: Running) -> dict[str, Any]:
        """For who looks closely: by which route it was answered, and where it was begun anew."""
        notes: dict[str, Any] = {}
        answered = [call.route for call in running.tab.calls if call.purpose == ANSWER]
        if answered:
            route = self._router.route(answered[-1])
            notes["route"] = {"name": route.name, "model": route.model, "region": route.region}
        if running.sink.restarts:
            notes["restarts"] = running.sink.restarts
        return notes


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
