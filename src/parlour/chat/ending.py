"""How a turn ended, said once: in its terminal event and in its message."""

from __future__ import annotations

from typing import Literal

import structlog

from parlour.agent.graph import Answer
from parlour.chat.sink import TurnSink
from parlour.domain import ErrorPart
from parlour.errors import Problem
from parlour.events.types import Failure, Finalize


def finalize_of(sink: TurnSink, answer: Answer | None, problem: Problem | None) -> Finalize:
    """The terminal event of a turn that ended with `answer`, with `problem`, or was stopped."""
    status: Literal["done", "stopped", "failed"] = "stopped"
    if problem is not None:
        status = "failed"
    elif answer is not None:
        status = "done"
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
