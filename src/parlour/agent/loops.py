"""Finds a model that goes round in a circle: the same call again, within one question.

The same call is the same name with the same arguments, in whatever order they stand. It is looked
for in the messages of the turn, so a turn that another process goes on with has forgotten nothing,
and a model that asks again after it was told no is told no again. Pure functions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from parlour.domain import ToolRequest
from parlour.models.port import ChatMessage

NOT_CALLED = "Not called: "  # how the answer to a refused call begins
REFUSED = "refused"  # in the answer to a call that was not made: the id of the rule that says so

_canonical = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class LoopLimits:
    """At which time a call is not made any more: after the same results, after changing ones."""

    same_at: int = 3
    changing_at: int = 6


@dataclass(frozen=True, slots=True)
class Wish:
    """A call that a model asks for. `pollable`: asking again and again is what it is there for."""

    request: ToolRequest
    pollable: bool = False


def circles(
    messages: Sequence[ChatMessage], wishes: Sequence[Wish], limits: LoopLimits
) -> list[str]:
    """For each call, what to tell the model instead of making it; empty = make it.

    A pollable call may be made as often as its results change. Of calls that are asked for side by
    side no result is known yet: equal ones count as having the same.
    """
    before = _results(messages)
    asked: dict[bytes, int] = defaultdict(int)
    told: list[str] = []
    for wish in wishes:
        key = _key(wish.request.name, wish.request.arguments, wish.request.raw)
        results, beside = before.get(key, []), asked[key]
        same, made = _same_at_the_end(results) + beside, len(results) + beside
        if same >= limits.same_at - 1:
            told.append(f"{NOT_CALLED}this very call was made {same} times with the same result.")
        elif made >= limits.changing_at - 1 and not wish.pollable:
            told.append(f"{NOT_CALLED}this very call was made {made} times already.")
        else:
            told.append("")
            asked[key] += 1
    return told


def refused_by(messages: Sequence[ChatMessage], rule: str) -> int:
    """How many calls of the turn were refused by a rule."""
    return sum(message.get(REFUSED) == rule for message in messages)


def made_calls(messages: Sequence[ChatMessage]) -> int:
    """How many calls of the turn were answered by a tool or by a person."""
    return sum(message["role"] == "tool" and REFUSED not in message for message in messages)


def _results(messages: Sequence[ChatMessage]) -> dict[bytes, list[str]]:
    """What each call that was made has brought, oldest first."""
    results: dict[bytes, list[str]] = defaultdict(list)
    keys: dict[str, bytes] = {}  # of the round, by call id: models use ids again
    for message in messages:
        if message["role"] == "assistant":
            calls = message.get("tool_calls") or ()
            keys = {c["id"]: _key(c["name"], c["arguments"], c.get("raw", "")) for c in calls}
        elif message["role"] == "tool" and REFUSED not in message:
            key = keys.get(message["call_id"])
            if key is not None:
                results[key].append(message["content"])
    return results


def _same_at_the_end(results: Sequence[str]) -> int:
    """How many of the last results are the same one."""
    count = 0
    for result in reversed(results):
        if result != results[-1]:
            break
        count += 1
    return count


def _key(name: str, arguments: object, raw: str) -> bytes:
    return _canonical([name, raw if arguments is None else arguments])
