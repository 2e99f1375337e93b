"""What clients saw and what upstream did: the evidence that the invariants are checked against.

Times are of one monotonic clock: the harness, its clients and the provider live in one process.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

HUNG_UP = "upstream_disconnected"  # after the request was sent, and before a byte of its answer


@dataclass(slots=True)
class Attempt:
    """One POST of a message: where it went and what came back. `status` 0 = no answer."""

    process: int
    status: int = 0
    turn: str = ""
    code: str = ""


@dataclass(slots=True)
class Reader:
    """One client that follows a turn, over as many connections as it takes."""

    events: dict[int, bytes] = field(default_factory=dict[int, bytes])
    order: list[int] = field(default_factory=list[int])  # as they came; a reset empties both
    conflicts: list[int] = field(default_factory=list[int])  # came twice with other bytes
    repeats: list[int] = field(default_factory=list[int])  # came twice within one connection
    last_id: str = ""  # as it came
    resets: int = 0
    gave_up: str = ""


@dataclass(slots=True)
class Message:
    """One message that a client wanted answered, under one key."""

    user: str
    thread: str
    key: str
    text: str
    words: list[str]  # what upstream says to it when all is well
    attempts: list[Attempt] = field(default_factory=list[Attempt])
    readers: list[Reader] = field(default_factory=list[Reader])
    stop_asked_at: float | None = None  # for the first time
    stop_acked_at: float | None = None
    stored: dict[str, Any] | None = None  # the answer as the store has it when all is over

    @property
    def acked(self) -> list[Attempt]:
        """Posts that were acknowledged."""
        return [attempt for attempt in self.attempts if attempt.turn]


@dataclass(slots=True)
class Generation:
    """One reply that upstream made: how much it said, and when it last said something."""

    key: str
    began_at: float
    process: str = ""  # of Parlour, that asked for it
    tokens: int = 0
    last_at: float = 0.0
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Frozen:
    """How long a process was stopped by the machine (SIGSTOP): it could do nothing at all."""

    process: str
    from_s: float
    to_s: float


@dataclass(slots=True)
class Evidence:
    """All of one run."""

    seed: int
    messages: list[Message] = field(default_factory=list[Message])
    generations: list[Generation] = field(default_factory=list[Generation])
    kills: int = 0
    nemesis: list[str] = field(default_factory=list[str])
    frozen: list[Frozen] = field(default_factory=list[Frozen])
    logs: dict[str, bytes] = field(default_factory=dict[str, bytes])  # of the processes, by name
    lag_s: float = 0.0  # the longest that the machine kept this process from running
    booked: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])  # by turn

    def of_key(self, key: str) -> list[Generation]:
        """Every reply that upstream began for a message."""
        return [generation for generation in self.generations if generation.key == key]

    def broken_lines(self) -> Counter[str]:
        """By turn, how often its line to upstream broke before the answer, so that it asked again.
        The processes say so themselves; upstream may have spoken, and nobody can have heard it."""
        lines = [line for log in self.logs.values() for line in log.splitlines()]
        said = [json.loads(line) for line in lines if b'"event": "route_failed"' in line]
        return Counter(e["turn_id"] for e in said if e["again"] and e["code"] == HUNG_UP)

    def frozen_s(self, process: str, from_s: float, to_s: float) -> float:
        """How long a process was frozen in that time."""
        spans = (
            min(to_s, span.to_s) - max(from_s, span.from_s)
            for span in self.frozen
            if span.process == process
        )
        return sum(max(0.0, span) for span in spans)
