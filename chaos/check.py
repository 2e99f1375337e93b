"""The invariants: what clients saw, the store and the provider's own ledger, held together."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from chaos.seen import Evidence, Message, Reader

STOP_S_P99 = 0.5
STOP_S_MAX = 1.0  # a machine that is busy shows more than the p99 now and then


@dataclass(frozen=True, slots=True)
class Violation:
    """One promise that was broken, and by what."""

    invariant: str
    what: str


def check(evidence: Evidence) -> list[Violation]:
    """Every violation in a run."""
    found: list[Violation] = []
    for name, rule in RULES.items():
        found += [Violation(name, what) for what in rule(evidence)]
    return found


def failed(evidence: Evidence) -> list[Violation]:
    """Turns that ended otherwise than as done or stopped: in fair weather none may."""
    ends = ((m.key, m.stored["status"] if m.stored else "lost") for m in evidence.messages)
    return [
        Violation("no turn fails", f"{key}: {end}")
        for key, end in ends
        if end not in {"done", "stopped"}
    ]


def _acked_is_stored(evidence: Evidence) -> Iterator[str]:
    for message in evidence.messages:
        if message.acked and message.stored is None:
            yield f"{message.key}: acknowledged, but the store has no answer for it"


def _ends(evidence: Evidence) -> Iterator[str]:
    for message in evidence.messages:
        if message.stored is not None and message.stored["status"] == "running":
            yield f"{message.key}: still running when all was over"
        for reader in message.readers:
            if reader.gave_up:
                yield f"{message.key}: {reader.gave_up}"


def _one_terminal_event(evidence: Evidence) -> Iterator[str]:
    for message, reader in _readers(evidence):
        ends = [n for n, data in reader.events.items() if b'"type":"finalize"' in data]
        if len(ends) > 1 or (ends and ends[0] != max(reader.events)):
            yield f"{message.key}: terminal events at {ends} of {max(reader.events)}"


def _no_gap(evidence: Evidence) -> Iterator[str]:
    for message, reader in _readers(evidence):
        missing = set(range(1, max(reader.events) + 1)) - set(reader.events)
        if missing:
            yield f"{message.key}: events {sorted(missing)[:5]} are missing"


def _no_repeat_or_reorder(evidence: Evidence) -> Iterator[str]:
    for message, reader in _readers(evidence):
        if reader.repeats:
            yield f"{message.key}: event {reader.repeats[0]} twice on one connection"
        if reader.conflicts:
            yield f"{message.key}: event {reader.conflicts[0]} came again with other content"
        if reader.order != sorted(reader.order):
            yield f"{message.key}: events out of order"


def _readers_agree(evidence: Evidence) -> Iterator[str]:
    for message in evidence.messages:
        whole = [r for r in message.readers if r.events and not r.gave_up]
        for reader in whole[1:]:
            if assembled(reader) != assembled(whole[0]):
                yield f"{message.key}: two readers saw different answers"


def _done_is_whole(evidence: Evidence) -> Iterator[str]:
    for message in evidence.messages:
        stored = message.stored
        if stored is None or stored["status"] != "done":
            continue
        if _text(stored) != "".join(message.words):
            yield f"{message.key}: done, but the text is not what upstream said"


def _what_was_seen_is_stored(evidence: Evidence) -> Iterator[str]:
    for message in evidence.messages:
        stored = message.stored
        if stored is None or stored["status"] == "running":
            continue
        for reader in message.readers:
            if reader.events and not reader.gave_up and assembled(reader) != _text(stored):
                yield f"{message.key}: a reader's text is not the stored one"


def _is_a_beginning(evidence: Evidence) -> Iterator[str]:
    for message in evidence.messages:
        if message.stored is None:
            continue
        if not "".join(message.words).startswith(_text(message.stored)):
            yield f"{message.key}: what is stored was never said"


def _one_key_one_turn(evidence: Evidence) -> Iterator[str]:
    for message in evidence.messages:
        turns = {attempt.turn for attempt in message.acked}
        if len(turns) > 1:
            yield f"{message.key}: one key, turns {sorted(turns)}"


def _one_key_one_generation(evidence: Evidence) -> Iterator[str]:
    """At most one more for each kill, for each post that was refused as the store failed, and for
    each call that was made again because its line broke before the answer.

    The model is called beside the commit (ADR 0008): a message whose commit fails is not
    acknowledged and its call is cut off, but upstream may have begun to speak. So it may have on a
    line that lets nothing through.
    """
    broken = evidence.broken_lines()
    for message in evidence.messages:
        spoke = [g for g in evidence.of_key(message.key) if g.tokens]
        refused = sum(attempt.code == "store_unavailable" for attempt in message.attempts)
        again = sum(broken[turn] for turn in {attempt.turn for attempt in message.acked})
        if len(spoke) > 1 + evidence.kills + refused + again:
            yield (
                f"{message.key}: {len(spoke)} generations, {evidence.kills} kills in all, "
                f"{refused} posts of it refused by the store, {again} lines broken before an answer"
            )


def _billed(evidence: Evidence) -> Iterator[str]:
    for message in evidence.messages:
        stored = message.stored
        booked = evidence.booked.get(stored["turn"]) if stored else None
        if stored is None or stored["status"] == "running":
            continue
        generated = sum(g.tokens for g in evidence.of_key(message.key))
        billed = int(booked["output"]) if booked else 0
        delivered = len(_text(stored).split())
        clean = stored["status"] == "done" and len(evidence.of_key(message.key)) == 1
        if clean and billed != generated:
            yield f"{message.key}: clean, billed {billed}, generated {generated}"
        elif not delivered <= billed <= generated:
            yield f"{message.key}: delivered {delivered}, billed {billed}, generated {generated}"


def _late_s(evidence: Evidence, message: Message, stop_at: float) -> float:
    """How long upstream spoke on after a stop.

    The time in which the process that listened was frozen by the machine does not count: it can
    close nothing, and nobody else can close what it has opened. From its thaw on it counts again.
    """
    return max(
        (
            max(0.0, g.last_at - stop_at - evidence.frozen_s(g.process, stop_at, g.last_at))
            for g in evidence.of_key(message.key)
        ),
        default=0.0,
    )


def stops(evidence: Evidence) -> list[tuple[float, str]]:
    """How many seconds upstream spoke on after each acknowledged stop, the shortest first."""
    return sorted(
        (_late_s(evidence, message, message.stop_acked_at), message.key)
        for message in evidence.messages
        if message.stop_acked_at is not None
    )


def waits(evidence: Evidence) -> list[float]:
    """How many seconds people waited from asking for a stop until it was acknowledged."""
    return [
        message.stop_acked_at - message.stop_asked_at
        for message in evidence.messages
        if message.stop_asked_at is not None and message.stop_acked_at is not None
    ]


def _nothing_after_stop(evidence: Evidence) -> Iterator[str]:
    late = stops(evidence)
    if late and late[-1][0] > STOP_S_MAX:
        yield f"{late[-1][1]}: upstream spoke {late[-1][0]:.2f} s after the stop"
    if len(late) >= 100 and late[int(len(late) * 0.99)][0] > STOP_S_P99:
        yield f"{late[int(len(late) * 0.99)][1]}: p99 of the time to stop is above {STOP_S_P99} s"


def _stops_are_answered(evidence: Evidence) -> Iterator[str]:
    for message in evidence.messages:
        if message.stop_asked_at is not None and message.stop_acked_at is None:
            yield f"{message.key}: a stop was asked for again and again, and never acknowledged"


def _refusals_are_clear(evidence: Evidence) -> Iterator[str]:
    for message in evidence.messages:
        for attempt in message.attempts:
            if attempt.status >= 400 and not attempt.code:
                yield f"{message.key}: HTTP {attempt.status} without a code"
            if attempt.status == 500:
                yield f"{message.key}: HTTP 500 ({attempt.code})"


Rule = Callable[[Evidence], Iterator[str]]
RULES: dict[str, Rule] = {
    "acknowledged is stored": _acked_is_stored,
    "every turn ends": _ends,
    "one terminal event, the last": _one_terminal_event,
    "no gap": _no_gap,
    "no repeat, no reorder": _no_repeat_or_reorder,
    "readers agree": _readers_agree,
    "done is upstream's text": _done_is_whole,
    "what was seen is stored": _what_was_seen_is_stored,
    "a partial text is a beginning": _is_a_beginning,
    "one key, one turn": _one_key_one_turn,
    "one key, one generation": _one_key_one_generation,
    "billed is what was generated": _billed,
    "nothing is said after a stop": _nothing_after_stop,
    "a stop is acknowledged": _stops_are_answered,
    "refusals are clear": _refusals_are_clear,
}


def assembled(reader: Reader) -> str:
    """The answer as a reader's events make it: a restart drops the text of its round."""
    rounds: dict[int, list[str]] = {}
    current = 1
    for number in sorted(reader.events):
        event: dict[str, Any] = json.loads(reader.events[number])
        match event["type"]:
            case "token":
                rounds.setdefault(current, []).append(event["text"])
            case "restart":
                rounds[event["round"]] = []
                current = event["round"]
            case "round_end":
                current = event["round"] + 1
            case "replace":
                rounds = {current: [event["text"]]}
            case _:
                pass
    return "".join("".join(rounds[number]) for number in sorted(rounds))


def _text(stored: dict[str, Any]) -> str:
    return "".join(part["text"] for part in stored["parts"] if part["type"] == "text")


def _readers(evidence: Evidence) -> Iterator[tuple[Message, Reader]]:
    for message in evidence.messages:
        for reader in message.readers:
            if reader.events:
                yield message, reader
