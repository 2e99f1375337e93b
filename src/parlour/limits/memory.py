"""Limits counted in memory, for one process. Plain dictionaries; nothing here ever waits.

What a subject has used survives in the ledger, so one that was not seen for a while may be
forgotten: it is seeded again.
"""

from __future__ import annotations

import secrets
from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, field

from parlour.limits.levels import (
    HOUR_S,
    Amount,
    Done,
    Granted,
    Level,
    Moment,
    Refused,
    Seed,
    Subject,
    Unseeded,
    Want,
    over,
)

SUBJECTS_MAX = 10_000  # about a kilobyte each

Key = tuple[str, str | None]


@dataclass(slots=True)
class _State:
    day: int
    month: int
    day_tokens: int = 0
    day_nanos: int = 0
    month_tokens: int = 0
    month_nanos: int = 0
    holds: dict[str, tuple[Amount, float]] = field(default_factory=dict[str, tuple[Amount, float]])
    turns: dict[str, float] = field(default_factory=dict[str, float])
    requests: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])

    def roll(self, at: Moment) -> None:
        """Begin a new day or month, and drop what has run out."""
        if at.day > self.day:
            self.day, self.day_tokens, self.day_nanos = at.day, 0, 0
        if at.month > self.month:
            self.month, self.month_tokens, self.month_nanos = at.month, 0, 0
        for name in [name for name, (_, ends) in self.holds.items() if ends <= at.seconds]:
            del self.holds[name]
        for turn in [turn for turn, ends in self.turns.items() if ends <= at.seconds]:
            del self.turns[turn]
        gone = bisect_right(self.requests, (at.seconds - HOUR_S, "\uffff"))
        if gone:
            del self.requests[:gone]

    def asked(self, turn: str) -> bool:
        return any(entry[1] == turn for entry in self.requests)

    def level(self, *, but: Want | None = None) -> Level:
        """What is used, but for what that turn has and asks for again."""
        held = [
            amount for name, (amount, _) in self.holds.items() if but is None or name != but.hold
        ]
        return Level(
            requests=len(self.requests) - (but is not None and self.asked(but.turn)),
            oldest=self.requests[0][0] if self.requests else 0.0,
            turns=len(self.turns) - (but is not None and but.turn in self.turns),
            day_tokens=self.day_tokens,
            day_nanos=self.day_nanos,
            month_tokens=self.month_tokens,
            month_nanos=self.month_nanos,
            held_tokens=sum(amount.tokens for amount in held),
            held_nanos=sum(amount.nanos for amount in held),
        )


class MemoryCounters:
    """See `levels.Counters`."""

    def __init__(self, *, subjects_max: int = SUBJECTS_MAX) -> None:
        self._states: dict[Key, _State] = {}
        self._subjects_max = subjects_max
        self.place = secrets.token_hex(4)  # gone with this process

    async def take(
        self, subjects: Sequence[Subject], at: Moment, want: Want
    ) -> Granted | Refused | Unseeded:
        """Reserve for all subjects or for none."""
        states = self._known(subjects, at)
        if isinstance(states, Unseeded):
            return states
        for place, (subject, state) in enumerate(zip(subjects, states, strict=True)):
            level = state.level(but=want)
            limit = over(subject.bounds, level, want)
            if limit is not None:
                return Refused(place, limit, level)
        ends = at.seconds + want.ttl_s
        held = Amount(want.sure.tokens + want.most.tokens, want.sure.nanos + want.most.nanos)
        for state in states:
            state.holds[want.hold] = (held, ends)
            if want.enters:
                state.turns[want.turn] = ends
            if want.question and not state.asked(want.turn):
                insort(state.requests, (at.seconds, want.turn))
        return Granted(tuple(state.level() for state in states))

    async def settle(
        self, subjects: Sequence[Subject], at: Moment, done: Done
    ) -> tuple[Level, ...] | Unseeded:
        """Book what a call has really used."""
        states = self._known(subjects, at)
        if isinstance(states, Unseeded):
            return states
        for state in states:
            state.holds.pop(done.hold, None)
            state.day_tokens += done.spent.tokens
            state.day_nanos += done.spent.nanos
            state.month_tokens += done.spent.tokens
            state.month_nanos += done.spent.nanos
            if done.leave:
                state.turns.pop(done.turn, None)
            if done.forget:
                state.requests = [entry for entry in state.requests if entry[1] != done.turn]
        return tuple(state.level() for state in states)

    async def look(self, subjects: Sequence[Subject], at: Moment) -> tuple[Level, ...] | Unseeded:
        """The levels, unchanged."""
        states = self._known(subjects, at)
        if isinstance(states, Unseeded):
            return states
        return tuple(state.level() for state in states)

    async def seed(self, subject: Subject, at: Moment, seed: Seed) -> None:
        """Tell what the ledger knows. What is counted already is never made less."""
        key = (subject.workspace, subject.user)
        state = self._states.get(key)
        if state is None:
            self._forget_idle()
            state = self._states[key] = _State(at.day, at.month)
            state.requests = [(when, "") for when in sorted(seed.requests)]
        state.roll(at)
        state.day_tokens = max(state.day_tokens, seed.day_tokens)
        state.day_nanos = max(state.day_nanos, seed.day_nanos)
        state.month_tokens = max(state.month_tokens, seed.month_tokens)
        state.month_nanos = max(state.month_nanos, seed.month_nanos)

    async def close(self) -> None:
        """Nothing is held."""

    def _known(self, subjects: Sequence[Subject], at: Moment) -> list[_State] | Unseeded:
        found = [self._states.get((subject.workspace, subject.user)) for subject in subjects]
        missing = tuple(place for place, state in enumerate(found) if state is None)
        if missing:
            return Unseeded(missing)
        states = [state for state in found if state is not None]
        for state in states:
            state.roll(at)
        return states

    def _forget_idle(self) -> None:
        """Make room: the ledger remembers whoever asks nothing at the moment."""
        if len(self._states) < self._subjects_max:
            return
        idle = [key for key, state in self._states.items() if not (state.holds or state.turns)]
        for key in idle[: max(1, len(idle) // 2)]:
            del self._states[key]
