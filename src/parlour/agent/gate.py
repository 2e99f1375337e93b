"""Before a tool acts: the gate that judges a round's calls, and the round that goes on after people
have decided.

The gate itself belongs to the chat room; here it is a function. A round in which some calls wait
ends the run: those that may run have run, the others are kept in the state (`pending`) as plain
values. When all are decided, another run begins with that state and settles them first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from parlour.domain import ToolOutcome, ToolRequest
from parlour.models.port import ChatMessage

ProgressReport = Callable[[float, float, str], None]  # done, total (0 = unknown), text
Note = dict[str, Any]  # what is asked of a person, in plain values: a checkpoint keeps it


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done with a call: run it, ask a person (`note`), or tell the model `words`."""

    answer: Literal["allow", "ask", "deny"]
    words: str = ""
    note: Note | None = None


ALLOW = Verdict("allow")

# Judges the calls of one round; the messages of the turn so far tell what has been read in it.
Gate = Callable[[Sequence[ToolRequest], Sequence[ChatMessage]], Awaitable[Sequence[Verdict]]]
# Settles one call that was asked about: makes it, or says why it was not made.
Settle = Callable[[Note, ProgressReport], Awaitable[ToolOutcome]]


async def judged(
    gate: Gate | None, calls: Sequence[ToolRequest], messages: Sequence[ChatMessage]
) -> list[Verdict]:
    """The verdict on each call; without a gate all may run."""
    if gate is None or not calls:
        return [ALLOW] * len(calls)
    return list(await gate(calls, messages))
