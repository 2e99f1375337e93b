"""Approved routes through the whole house: nothing else is ever called."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from parlour.events import types as ev
from parlour.models.choice import Decision, again
from tests.house import House, events_of, final, said
from tests.journey.conftest import OpenHouse
from tests.upstream import Reply, Upstream


@pytest.fixture
async def first() -> AsyncIterator[Upstream]:
    async with Upstream() as it:
        yield it


@pytest.fixture
async def second() -> AsyncIterator[Upstream]:
    async with Upstream() as it:
        yield it


def routes(first: Upstream, second: Upstream) -> dict[str, Any]:
    return {
        "first": {"provider": "openai", "model": "mock-1", "base_url": first.openai_url},
        "second": {"provider": "anthropic", "model": "mock-1", "base_url": second.url},
    }


def settings(first: Upstream, second: Upstream, mode: str, **models: Any) -> dict[str, Any]:
    return {
        "model": "",
        "routes": routes(first, second),
        "policy": {"routes": {"mode": mode, "use": ["first", "second"]}},
        "models": {"first_byte_s": 2, "idle_s": 2, "retry_s_max": 3, **models},
    }


@pytest.mark.promise("P24")
async def test_a_pinned_route_that_fails_is_a_failed_turn_and_never_another_route(
    open_house: OpenHouse, first: Upstream, second: Upstream
) -> None:
    async with open_house(**settings(first, second, "pinned", tries_max=1)) as house:
        for number in range(6):
            end = final(await house.ask(f"c{number}", "[[fault:server_error]]"))
            assert end.status == "failed"
            assert end.error is not None
            expected = "upstream_server_error" if number < 3 else "route_unavailable"
            assert end.error.code == expected
        assert len(first.requests) == 3  # then it is left alone
        assert second.requests == []


@pytest.mark.promise("P24")
async def test_an_ordered_policy_switches_before_the_first_word_and_says_so(
    open_house: OpenHouse, first: Upstream, second: Upstream
) -> None:
    async with open_house(**settings(first, second, "ordered", tries_max=1)) as house:
        first.next(Reply(fault="server_error"))
        frames = await house.ask("c1", "hello")
        assert final(frames).status == "done"
        notices = [e for e in events_of(frames) if isinstance(e, ev.Notice)]
        assert [n.kind for n in notices] == ["route_switched"]
        assert "openai:mock-1" in notices[0].text
        assert "anthropic:mock-1" in notices[0].text
        assert len(second.requests) == 1
        _, body = await house.get("/api/threads/c1")
        assert [p["text"] for p in body["messages"][1]["parts"] if p["type"] == "notice"] == [
            notices[0].text
        ]


async def test_after_the_first_word_nothing_is_switched_or_tried_again(
    open_house: OpenHouse, first: Upstream, second: Upstream
) -> None:
    async with open_house(**settings(first, second, "ordered")) as house:
        frames = await house.ask("c1", "[[fault:cut_rst]]")
        assert final(frames).status == "failed"
        assert said(frames) != ""
        assert (len(first.requests), len(second.requests)) == (1, 0)


async def test_a_call_is_tried_again_when_upstream_says_and_not_before(
    open_house: OpenHouse, first: Upstream, second: Upstream
) -> None:
    async with open_house(**settings(first, second, "pinned")) as house:
        first.next(Reply(fault="rate_limit", retry_after="1"))
        began = time.monotonic()
        frames = await house.ask("c1", "hello")
        assert final(frames).status == "done"
        assert len(first.requests) == 2
        assert time.monotonic() - began >= 1
        assert any(isinstance(e, ev.Status) for e in events_of(frames))


async def test_a_wait_beyond_the_budget_is_an_answer_at_once(
    open_house: OpenHouse, first: Upstream, second: Upstream
) -> None:
    async with open_house(**settings(first, second, "pinned")) as house:
        end = final(await house.ask("c1", "[[fault:rate_limit]]"))  # asks for 7 s; there are 3
        assert end.error is not None
        assert end.error.code == "upstream_rate_limited"
        assert len(first.requests) == 1


async def test_when_every_route_rests_people_are_told_at_once_when_to_try_again(
    open_house: OpenHouse, first: Upstream, second: Upstream
) -> None:
    async with open_house(**settings(first, second, "ordered", tries_max=1)) as house:
        for number in range(3):
            await house.ask(f"c{number}", "[[fault:server_error]]")
        asked = len(first.requests) + len(second.requests)
        end = final(await house.ask("c9", "hello"))
        assert end.error is not None
        assert end.error.code == "route_unavailable"
        assert "Try again in" in end.error.message
        assert end.error.retryable
        assert len(first.requests) + len(second.requests) == asked


async def test_a_route_that_rested_is_tried_with_one_call(
    open_house: OpenHouse, first: Upstream, second: Upstream
) -> None:
    given = settings(first, second, "ordered", tries_max=3, breaker_failures=1, breaker_s=0.001)
    async with open_house(**given) as house:
        first.next(*[Reply(fault="server_error")] * 4)
        assert final(await house.ask("c1", "hello")).status == "done"
        assert len(first.requests) == 3  # tries of a route that was taken to be well
        assert final(await house.ask("c2", "hello")).status == "done"
        assert len(first.requests) == 4
        assert final(await house.ask("c3", "hello")).status == "done"
        assert (len(first.requests), len(second.requests)) == (5, 2)  # it is well again


async def test_the_askers_own_mistake_is_no_failure_of_the_route(
    open_house: OpenHouse, first: Upstream, second: Upstream
) -> None:
    async with open_house(**settings(first, second, "ordered")) as house:
        for number in range(4):
            end = final(await house.ask(f"c{number}", "[[fault:context]]"))
            assert end.error is not None
            assert end.error.code == "upstream_context_too_long"
        assert second.requests == []
        assert final(await house.ask("c9", "hello")).status == "done"


@pytest.mark.promise("P24")
async def test_an_answer_of_another_model_is_not_shown(
    open_house: OpenHouse, first: Upstream, second: Upstream
) -> None:
    async with open_house(**settings(first, second, "ordered")) as house:
        first.next(Reply(model="cheaper-model"))
        frames = await house.ask("c1", "hello")
        end = final(frames)
        assert end.error is not None
        assert end.error.code == "upstream_wrong_route"
        assert said(frames) == ""
        assert second.requests == []


async def test_the_route_of_a_turn_and_its_decisions_are_kept_and_made_again(
    open_house: OpenHouse, first: Upstream, second: Upstream
) -> None:
    async with open_house(**settings(first, second, "ordered", tries_max=1)) as house:
        first.next(Reply(fault="server_error"))
        frames = await house.ask("c1", "hello")
        turn = frames[0].body["turn_id"]
        await house.services.decisions.flush()
        kept = await house.services.decisions.of_turn(turn)
        made = [msgspec.json.decode(one.body, type=Decision) for one in kept]
        assert [decision.choice for decision in made] == ["first", "second"]
        assert [c.state for c in made[1].candidates] == ["failed", "closed"]
        assert all(again(decision) for decision in made)
        stored = await digest_of(house, turn)
        assert stored == house.services.router.first("local").digest


async def digest_of(house: House, turn: str) -> str:
    rows = await house.services.database.fetch(
        "SELECT route FROM turns WHERE id = %(turn)s", {"turn": turn}
    )
    return str(rows[0][0])


async def test_each_workspace_is_served_by_its_own_route(
    open_house: OpenHouse, first: Upstream, second: Upstream
) -> None:
    given = settings(first, second, "pinned")
    given["policy"]["routes"]["use"] = ["first"]
    given["workspaces"] = {"local": {"routes": {"use": ["second"]}}}
    async with open_house(**given) as house:
        assert final(await house.ask("c1", "hello")).status == "done"
        assert (len(first.requests), len(second.requests)) == (0, 1)
