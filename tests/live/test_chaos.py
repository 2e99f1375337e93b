"""The checks of a storm see damage, and the seed makes its schedule (`make chaos` runs storms)."""

from __future__ import annotations

from pathlib import Path

from chaos.bugs import BUGS
from chaos.check import check
from chaos.nemesis import plan
from chaos.seen import Attempt, Evidence, Generation, Message, Reader


def test_the_seed_alone_makes_the_schedule() -> None:
    assert plan(7, 30) == plan(7, 30)
    assert plan(7, 30) != plan(8, 30)


def test_at_least_six_mistakes_are_seeded() -> None:
    assert len(BUGS) >= 6


def message(key: str, words: str = " the of", status: str = "done") -> Message:
    """A message whose turn went well."""
    token, end = b'{"type":"token","text":"%b"}' % words.encode(), b'{"type":"finalize"}'
    events = {1: b'{"type":"plan"}', 2: token, 3: end}
    stored = {"turn": "t", "status": status, "parts": [{"type": "text", "text": words}]}
    attempts, readers = [Attempt(0, 202, "t")], [Reader(events, [1, 2, 3])]
    return Message("u", "c", key, "", [" the", " of"], attempts, readers, stored=stored)


def evidence(*messages: Message, tokens: int = 2) -> Evidence:
    found = Evidence(1, list(messages))
    found.generations = [Generation(m.key, 0.0, tokens, 1.0, whole=True) for m in messages]
    found.booked = {"t": {"output": tokens}}
    return found


def broken(found: Evidence) -> set[str]:
    return {violation.invariant for violation in check(found)}


def test_a_clean_run_breaks_nothing() -> None:
    assert broken(evidence(message("k"))) == set()


def test_each_kind_of_damage_is_seen() -> None:
    lost = message("k")
    lost.stored = None
    assert "acknowledged is stored" in broken(evidence(lost))
    gap = message("k")
    del gap.readers[0].events[2]
    assert "no gap" in broken(evidence(gap))
    twice = message("k")
    twice.readers[0].events[4] = b'{"type":"finalize"}'
    assert "one terminal event, the last" in broken(evidence(twice))
    other = message("k")
    other.attempts.append(Attempt(1, 202, "t2"))
    assert "one key, one turn" in broken(evidence(other))
    cut = message("k", " the")
    assert "done is upstream's text" in broken(evidence(cut))
    late = message("k", status="stopped")
    late.stop_acked_at = -5.0
    assert "nothing is said after a stop" in broken(evidence(late))
    unbilled = evidence(message("k"))
    unbilled.booked = {}
    assert "billed is what was generated" in broken(unbilled)


def test_the_report_has_its_places() -> None:
    text = (Path(__file__).parents[2] / "chaos" / "report.md").read_text(encoding="utf-8")
    for place in ("{rows}", "{rules}", "{seconds:g}", "{clients}"):
        assert place in text
