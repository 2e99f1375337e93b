"""How much one question may take, and what happens where it ends.

A soft limit takes the tools away: the model is told which limit it was, answers with what it has,
and says what was not done; calls that it asks for all the same are answered and not made, and
people are told. A model that still asks in its last round has used up its chances: there the turn
ends, with what was said kept.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from parlour.agent.loops import NOT_CALLED, LoopLimits, Wish, circles, made_calls, refused_by
from parlour.errors import QuestionLimit
from parlour.models.port import ChatMessage
from parlour.safety.conduct_rules import LIMITS, LOOPS, SMALL_TALK

Spent = Literal["", "tool_calls", "rounds", "time", "loop"]

LOOPS_MAX = 2  # refused calls of a model that goes in circles, after which it gets no tools
STATUS_EVERY = 3  # tool calls, after which people are told how far it is

_ANSWER = "Answer now with what you have, and say plainly what was not done."
_WORDS: dict[Spent, str] = {
    "tool_calls": f"You have used all the tool calls of this question. {_ANSWER}",
    "rounds": f"This is the last step of this question, so there are no more tools. {_ANSWER}",
    "time": f"The time for tools in this question is over. {_ANSWER}",
    "loop": f"You ask for the same calls again and again, so there are no more tools. {_ANSWER}",
}


@dataclass(frozen=True, slots=True)
class AgentLimits:
    """Bounds of one turn. Tokens are per model reply; `tools_until` is a time of the loop."""

    rounds_max: int
    tool_calls_max: int
    reply_tokens_max: int
    temperature: float | None = None
    tools_until: float = math.inf
    small_talk: bool = False  # the question is a greeting: no tool is called
    loops: LoopLimits = field(default_factory=LoopLimits)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call is not made: the rule, and what the model is told."""

    rule: str
    words: str


def spent(
    limits: AgentLimits, messages: Sequence[ChatMessage], *, rounds: int, calls: int
) -> Spent:
    """What the question has used up, before its next model call; empty = nothing."""
    if calls >= limits.tool_calls_max:
        return "tool_calls"
    if rounds + 1 >= limits.rounds_max:
        return "rounds"
    if messages and asyncio.get_running_loop().time() >= limits.tools_until:
        return "time"
    return "loop" if refused_by(messages, LOOPS) >= LOOPS_MAX else ""


def words_of(what: Spent) -> str:
    """What the model is told about a limit."""
    return _WORDS[what]


def refusals(
    limits: AgentLimits, messages: Sequence[ChatMessage], wishes: Sequence[Wish], *, calls: int
) -> list[Refusal | None]:
    """For each call of a round why it is not made; None = nothing speaks against it."""
    if limits.small_talk:
        words = f"{NOT_CALLED}a greeting needs no tool. Answer it in words."
        return [Refusal(SMALL_TALK, words)] * len(wishes)
    if asyncio.get_running_loop().time() >= limits.tools_until:
        words = f"{NOT_CALLED}the time for tools in this question is over."
        return [Refusal(LIMITS, words)] * len(wishes)
    most = limits.tool_calls_max
    left = max(0, most - calls)
    over = Refusal(LIMITS, f"{NOT_CALLED}a question may use {most} tool calls, and they are used.")
    found = circles(messages, wishes[:left], limits.loops)
    within = [Refusal(LOOPS, words) if words else None for words in found]
    return [*within, *([over] * (len(wishes) - len(within)))]


def check_rounds(limits: AgentLimits, rounds: int, caught: Callable[[str], None]) -> None:
    """A round of tools begins after so many model calls. Raises `QuestionLimit` after the last."""
    if rounds >= limits.rounds_max:
        caught(LIMITS)
        raise QuestionLimit(
            f"The assistant still asked for tools after {rounds} steps, which is the limit for one "
            "question. What it had said by then is kept; ask for less at a time, or for one part."
        )


def notice_of(
    messages: Sequence[ChatMessage], refused: Sequence[Refusal], limits: AgentLimits
) -> str:
    """What people are told, once in a turn, when a limit kept calls from being made."""
    count = sum(refusal.rule == LIMITS for refusal in refused)
    if not count or refused_by(messages, LIMITS):
        return ""
    what = "1 tool call was" if count == 1 else f"{count} tool calls were"
    if asyncio.get_running_loop().time() >= limits.tools_until:
        return f"The time for tools in one question is over: {what} not made."
    return f"One question may use {limits.tool_calls_max} tool calls: {what} not made."


def so_far(before: Sequence[ChatMessage], after: Sequence[ChatMessage], title: str) -> str:
    """What people are told after each third tool call; empty in between."""
    earlier, now = made_calls(before), made_calls([*before, *after])
    if earlier // STATUS_EVERY == now // STATUS_EVERY:
        return ""
    return f"{now} tool calls so far, the last one «{title}»."
