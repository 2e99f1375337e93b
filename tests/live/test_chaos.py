"""The checks of a storm see damage, and the seed makes its schedule (`make chaos` runs storms)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from chaos import clients
from chaos.bugs import BUGS, FOUND_BY
from chaos.check import RULES, check, failed
from chaos.failing import ANSWERS
from chaos.house import faketime
from chaos.nemesis import plan
from chaos.older import ROOT, VERSIONS, find
from chaos.report import PAGE, put
from chaos.routes import storm
from chaos.run import run
from chaos.seen import Attempt, Evidence, Frozen, Generation, Message, Reader

STORM_S = 6
ROLL_S = 8


def test_the_seed_alone_makes_the_schedule() -> None:
    assert plan(7, 30) == plan(7, 30)
    assert plan(7, 30) != plan(8, 30)


def test_at_least_six_mistakes_are_seeded() -> None:
    assert len(BUGS) >= 6
    assert set(BUGS) == set(FOUND_BY)
    assert set(FOUND_BY.values()) <= set(RULES)


def message(key: str, words: str = " the of", status: str = "done") -> Message:
    """A message whose turn went well."""
    token, end = b'{"type":"token","text":"%b"}' % words.encode(), b'{"type":"finalize"}'
    events = {1: b'{"type":"plan"}', 2: token, 3: end}
    stored = {"turn": "t", "status": status, "parts": [{"type": "text", "text": words}]}
    attempts, readers = [Attempt(0, 202, "t")], [Reader(events, [1, 2, 3])]
    return Message("u", "c", key, "", [" the", " of"], attempts, readers, stored=stored)


def evidence(*messages: Message, tokens: int = 2) -> Evidence:
    found = Evidence(1, list(messages))
    found.generations = [Generation(m.key, 0.0, "web0", tokens, 1.0, whole=True) for m in messages]
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


def test_a_second_generation_needs_a_kill_or_a_refusal_by_the_store() -> None:
    asked = message("k")
    found = evidence(asked)
    found.generations.insert(0, Generation("k", 0.0, "web0", 1, 0.5))
    found.booked = {"t": {"output": 3}}
    assert broken(found) == {"one key, one generation"}
    asked.attempts.insert(0, Attempt(0, 503, code="store_unavailable"))
    assert broken(found) == set()
    asked.attempts.pop(0)
    found.kills = 1
    assert broken(found) == set()


@pytest.mark.parametrize(
    ("code", "again", "allowed"),
    [
        ("upstream_disconnected", "true", True),
        ("upstream_disconnected", "false", False),
        ("upstream_cut_off", "true", False),
    ],
)
def test_a_call_whose_line_broke_before_the_answer_may_have_been_answered(
    code: str, again: str, allowed: bool
) -> None:
    found = evidence(message("k"))
    found.generations *= 2
    assert "one key, one generation" in broken(found)
    line = f'{{"code": "{code}", "again": {again}, "event": "route_failed", "turn_id": "%s"}}\n'
    found.logs = {"web0": b"a line of uvicorn\n" + (line % "other").encode()}
    assert "one key, one generation" in broken(found)
    found.logs["web1"] = (line % "t").encode()
    assert ("one key, one generation" not in broken(found)) is allowed


def test_only_the_time_in_which_the_one_who_listened_was_frozen_does_not_count() -> None:
    for process, from_s, broken_there in (
        ("web0", 0.0, False),
        ("web0", 3.0, True),
        ("web1", 0, True),
    ):
        late = message("k", status="stopped")
        late.stop_acked_at = 0.0
        found = evidence(late)
        found.generations = [Generation("k", 0.0, "web0", 2, 5.0)]
        found.frozen = [Frozen(process, from_s, from_s + 4)]
        assert ("nothing is said after a stop" in broken(found)) is broken_there


@pytest.mark.parametrize(
    "name", ["storms", "bugs", "rolling", "clocks", "fairness", "older", "routes"]
)
def test_the_page_has_a_place_for_each_report(name: str, tmp_path: Path) -> None:
    page = tmp_path / "chaos.md"
    page.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    for line in ("once", "again"):
        put(name, [line], page)
    assert "\nagain\n" in page.read_text(encoding="utf-8")
    assert "\nonce\n" not in page.read_text(encoding="utf-8")


def test_the_page_names_every_check() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in RULES if f"- {name}" not in text] == []


def test_the_older_code_is_the_last_one_without_the_newest_migration() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a clone")
    older = find()
    newest = f"{VERSIONS}/{older.migration}.py"
    then, now = (
        subprocess.run(["git", "show", f"{commit}:{newest}"], cwd=ROOT, capture_output=True).stdout
        for commit in (older.commit, "HEAD")
    )
    assert now
    assert then != now


@pytest.mark.promise("P1", "P2", "P3", "P20")
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_short_storm_breaks_no_promise(postgres: str, seed: int) -> None:
    result = await run(postgres, seed, STORM_S)
    assert result.violations == [], result.line()
    assert len(result.evidence.messages) > 0


@pytest.mark.promise("P11")
@pytest.mark.skipif(not faketime(), reason="libfaketime is not installed (PARLOUR_FAKETIME)")
async def test_a_short_storm_over_clocks_an_hour_apart_breaks_no_promise(postgres: str) -> None:
    result = await run(postgres, 4, STORM_S, wrong_clocks=True)
    assert result.violations == [], result.line()


@pytest.mark.promise("P14")
async def test_a_rolling_restart_under_load_fails_no_turn(postgres: str) -> None:
    result = await run(postgres, 1, ROLL_S, rolling=True)
    assert result.violations == [], result.line()
    assert len(result.evidence.nemesis) == 2  # both were restarted
    messages = result.evidence.messages
    assert len(messages) > 50


def test_a_turn_that_fails_in_fair_weather_is_seen() -> None:
    lost = message("c")
    lost.stored = None
    found = evidence(message("a"), message("b", status="failed"), lost)
    assert [violation.what for violation in failed(found)] == ["b: failed", "c: lost"]


@pytest.mark.promise("P24")
async def test_while_providers_fail_only_approved_ones_are_called(
    database_url: str, tmp_path: Path
) -> None:
    outcome = await storm(300, database_url, tmp_path)
    assert outcome.outside == []
    assert sum(outcome.ends.values()) == 300
    assert outcome.ends["done"] > 0
    assert {name for _, name in outcome.calls} == {"gold", "silver", "bronze"}
    assert len(outcome.answers) == len(ANSWERS)


async def test_a_line_that_breaks_right_after_the_end_does_not_make_a_reader_wait_for_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Found by a storm: the reader came back after the end, and heard of nothing, for a minute."""
    monkeypatch.setattr(clients, "READ_S", 2.0)
    end = b'id: t:1\nevent: finalize\ndata: {"type":"finalize"}\n\n'
    asked: list[str] = []

    async def events(request: web.Request) -> web.StreamResponse:
        asked.append(request.headers.get("last-event-id", ""))
        response = web.StreamResponse()
        await response.prepare(request)
        if len(asked) == 1:
            await response.write(end)
            assert request.transport is not None
            request.transport.close()  # without the chunk that ends it
        return response

    app = web.Application()
    app.router.add_get("/{rest:.*}", events)
    async with TestServer(app) as server:
        client = clients.Client(0, Evidence(1), lambda: [str(server.make_url("")).rstrip("/")])
        reader = Reader()
        try:
            await client._follow(message("k"), "t", reader)
        finally:
            await client.close()
    assert (reader.gave_up, reader.last_id, asked) == ("", "t:1", ["", "t:1"])
