"""Limits over HTTP: what is refused, in which words, and what cannot be got around."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import jwt
import pytest

from parlour.domain import Principal, UserId, WorkspaceId
from parlour.events import types as ev
from parlour.store.ledger import Ledger
from tests.house import House, events_of, final
from tests.journey.conftest import HELLO, OpenHouse
from tests.notes import Notes, asked, calling, decide_and_read, listed

SECRET = "s" * 32
SPENDS = [
    {"when": "costs (\\d+)", "steps": [{"text": "Done."}, {"usage": {"input": 990, "output": 10}}]},
    *HELLO,
]


def token(user: str = "ann", workspace: str = "acme", **claims: Any) -> str:
    body = {"sub": user, "workspace": workspace, "aud": "parlour", "exp": time.time() + 600}
    return jwt.encode({**body, **claims}, SECRET, algorithm="HS256")


def tier(**limits: Any) -> dict[str, Any]:
    return {"secret": SECRET, "policy": {"limits": {"tiers": {"free": limits}}}}


def notices(frames: Any) -> list[ev.Notice]:
    return [event for event in events_of(frames) if isinstance(event, ev.Notice)]


async def status_of(house: House, thread: str, text: str, **more: Any) -> tuple[int, Any]:
    headers = more.pop("headers", {})
    async with house.start(
        thread, text, {"accept": "application/json", **headers}, **more
    ) as response:
        body = await response.json()
        return response.status, {**body, "retry-after": response.headers.get("retry-after")}


async def quiet(house: House) -> None:
    """Wait until no turn runs."""
    for running in tuple(house.services.runner.running.values()):
        await house.ended(running.turn)


async def test_the_fiftieth_question_of_an_hour_is_answered_and_the_next_refused(
    open_house: OpenHouse,
) -> None:
    async with open_house(SPENDS, token(), secret=SECRET) as house:
        for number in range(50):
            frames = await house.ask(f"t{number % 5}", "hello")
            assert final(frames).status == "done"
        status, problem = await status_of(house, "t1", "hello")
        assert (status, problem["code"], problem["limit"]) == (
            429,
            "rate_limited",
            "requests_per_hour",
        )
        assert 3_500 < int(problem["retry-after"]) <= 3_600
        assert problem["resets_at"].endswith("Z")
        assert problem["scope"] == "user"
        # Nothing of it was stored, and what was said before can be read.
        _, thread = await house.get("/api/threads/t1")
        assert len(thread["messages"]) == 20


async def test_at_the_limit_of_an_hour_what_was_asked_can_still_be_decided_and_carried_out(
    open_house: OpenHouse, tmp_path: Path
) -> None:
    notes = Notes(tmp_path / "notes")
    script = [calling(("add_note", {"text": "milk"})), *HELLO]
    given = {**tier(requests_per_hour=1), "mcp": {"notes": notes.server()}}
    async with open_house(script, token(), **given) as house:
        await listed(house, principal=Principal(WorkspaceId("acme"), UserId("ann")))
        (approval,) = asked(await house.ask("c1", "go"))
        status, problem = await status_of(house, "c2", "hello")
        assert (status, problem["limit"]) == (429, "requests_per_hour")
        frames = await decide_and_read(house, "c1", approval.approval_id)
        assert final(frames).status == "done"
        assert notes.calls() == ["milk"]
        status, problem = await status_of(house, "c2", "hello")
        assert (status, problem["limit"]) == (429, "requests_per_hour")


async def test_a_tier_of_the_token_has_its_own_limits_and_an_unknown_one_is_free(
    open_house: OpenHouse,
) -> None:
    async with open_house(SPENDS, **tier(requests_per_hour=1)) as house:
        for name, allowed in (("pro", 3), ("custom", 3), ("gold-plated", 1)):
            told = [
                (
                    await status_of(
                        house,
                        f"{name}-{number}",
                        "hello",
                        headers={"authorization": f"Bearer {token(name, tier=name)}"},
                    )
                )[0]
                for number in range(3)
            ]
            assert told.count(202) == allowed


@pytest.mark.promise("P17")
async def test_a_days_tokens_are_used_up_warned_of_and_then_refused(open_house: OpenHouse) -> None:
    async with open_house(SPENDS, token(), **tier(tokens_per_day=10_000)) as house:
        # A question needs room for its prompt: what stands around it is learned from the first.
        warned: list[str] = []
        for number in range(30):
            status, problem = await status_of(house, f"t{number}", "costs 1")
            if status == 429:
                break
            await quiet(house)
            frames = await house.read(f"t{number}", problem["turn_id"])
            warned += [notice.text for notice in notices(frames)]
        assert (status, problem["code"], problem["limit"]) == (
            429,
            "quota_exceeded",
            "tokens_per_day",
        )
        assert problem["used"] >= 8_000
        assert len(warned) == 1
        assert "80 % of 10,000 tokens a day. More from 00:00 UTC" in warned[0]
        assert int(problem["retry-after"]) <= 86_400
        status, limits = await house.get("/api/limits")
        assert status == 200
        day = next(one for one in limits["limits"] if one["limit"] == "tokens_per_day")
        assert day["near"]
        assert (day["limit"], day["allowed"], day["used"]) == (
            "tokens_per_day",
            10_000,
            problem["used"],
        )


async def test_the_warning_comes_once_at_80_percent(open_house: OpenHouse) -> None:
    async with open_house(SPENDS, token(), **tier(requests_per_hour=5)) as house:
        said = [notices(await house.ask(f"t{number}", "hello")) for number in range(5)]
    assert [len(each) for each in said] == [0, 0, 0, 1, 0]
    (warning,) = said[3]
    assert warning.kind == "quota_warning"
    assert "80 % of 5 questions an hour" in warning.text


@pytest.mark.promise("P2")
async def test_the_same_message_sent_again_costs_no_question_and_is_never_refused(
    open_house: OpenHouse,
) -> None:
    async with open_house(SPENDS, token(), **tier(requests_per_hour=2)) as house:
        for _ in range(5):
            await house.ask("one", "hello", message_id="m1")
        many = await asyncio.gather(
            *(status_of(house, "two", "hello", message_id="m2") for _ in range(20))
        )
        assert {status for status, _ in many} == {202}
        assert len({body["turn_id"] for _, body in many}) == 1
        status, _ = await status_of(house, "three", "hello")
        assert status == 429
        again, body = await status_of(house, "two", "hello", message_id="m2")
        assert (again, body["joined"]) == (202, True)


async def test_answers_at_once_are_bounded_and_given_back(open_house: OpenHouse) -> None:
    async with open_house(SPENDS, token(), **tier(turns_at_once=1)) as house:
        model: Any = house.services.router.client("default")
        started = await house.begin("one", "gate")
        await model.reached("middle")
        status, problem = await status_of(house, "two", "hello")
        assert (status, problem["limit"]) == (429, "turns_at_once")
        model.open("middle")
        await house.read("one", started["turn_id"])
        frames = await house.ask("two", "hello")  # at once: the end gave the place back
        assert final(frames).status == "done"
        failed = await house.ask("three", "fail")
        assert final(failed).status == "failed"
        assert (await status_of(house, "four", "hello"))[0] == 202


async def test_another_header_address_or_tab_passes_no_limit(open_house: OpenHouse) -> None:
    async with open_house(SPENDS, token(), **tier(requests_per_hour=1)) as house:
        await house.ask("one", "hello")
        for headers in (
            {"x-forwarded-for": "203.0.113.9"},
            {"forwarded": "for=203.0.113.9", "x-real-ip": "203.0.113.9"},
            {"authorization": f"Bearer {token(name='Ann again', tier='free')}"},
        ):
            assert (await status_of(house, "two", "hello", headers=headers))[0] == 429
        for path, body in (
            ("/v1/chat/completions", {"model": "parlour", "messages": [HI]}),
            (
                "/api/chat",
                {"id": "x", "trigger": "submit-message", "message": UI_HI, "messages": []},
            ),
        ):
            status, problem = await house.post(path, body)
            assert (status, problem["code"]) == (429, "rate_limited"), path


HI = {"role": "user", "content": "hello"}
UI_HI = {"id": "m1", "role": "user", "parts": [{"type": "text", "text": "hello"}]}


async def test_the_openai_face_refuses_in_openais_words(open_house: OpenHouse) -> None:
    async with open_house(SPENDS, token(), **tier(requests_per_hour=1)) as house:
        body = {"model": "parlour", "messages": [HI]}
        assert (await house.post("/v1/chat/completions", body))[0] == 200
        async with house.http.post(f"{house.url}/v1/chat/completions", json=body) as response:
            assert response.status == 429
            assert int(response.headers["retry-after"]) > 0
            error = (await response.json())["error"]
        assert error["code"] == "rate_limited"
        assert error["type"] == "rate_limit_error"
        assert "questions an hour" in error["message"]


async def test_a_restart_gives_nobody_a_new_day(open_house: OpenHouse) -> None:
    given = tier(requests_per_hour=2)
    async with open_house(SPENDS, token(), **given) as house:
        await house.ask("one", "hello")
        await house.ask("two", "hello")
    async with open_house(SPENDS, token(), **given) as house:
        status, problem = await status_of(house, "three", "hello")
        assert (status, problem["limit"]) == (429, "requests_per_hour")
    async with open_house(SPENDS, token(), **tier(tokens_per_day=1)) as house:
        status, problem = await status_of(house, "three", "hello")
        assert (status, problem["limit"]) == (429, "tokens_per_day")


async def test_a_workspace_has_limits_of_its_own_for_everybody_in_it(
    open_house: OpenHouse,
) -> None:
    given = {"secret": SECRET, "workspaces": {"acme": {"limits": {"workspace": WORKSPACE}}}}
    async with open_house(SPENDS, **given) as house:
        for user, workspace, expected in (
            ("ann", "acme", 202),
            ("bob", "acme", 202),
            ("cy", "acme", 429),
            ("ann", "other", 202),
        ):
            headers = {"authorization": f"Bearer {token(user, workspace)}"}
            status, body = await status_of(house, f"{user}-{workspace}", "hello", headers=headers)
            assert status == expected
            if status == 429:
                assert body["scope"] == "workspace"


WORKSPACE = {"requests_per_hour": 2}


async def test_the_one_local_user_has_no_limits(open_house: OpenHouse) -> None:
    given = tier(requests_per_hour=1)
    async with open_house(SPENDS, policy=given["policy"]) as house:
        for number in range(3):
            assert final(await house.ask(f"t{number}", "hello")).status == "done"
        _, limits = await house.get("/api/limits")
        assert limits["limits"] == []


async def test_money_is_refused_before_it_is_spent_and_an_unknown_price_too(
    open_house: OpenHouse,
) -> None:
    given = tier(dollars_per_day="0.01")
    unknown = {"model": "openai:nobody-knows", "openai_api_key": "k"}
    async with open_house(SPENDS, token(), **given, **unknown) as house:
        status, problem = await status_of(house, "one", "hello")
        assert (status, problem["code"]) == (503, "model_unpriced")
    prices = {"scripted:script": {"input": "5000000", "output": "5000000"}}
    given["policy"]["ledger"] = {"prices": prices}
    async with open_house(SPENDS, token(), **given) as house:
        status, problem = await status_of(house, "one", "hello")
        assert (status, problem["code"], problem["limit"]) == (
            429,
            "quota_exceeded",
            "dollars_per_day",
        )


async def test_a_tier_may_lack_a_model_or_the_tools(open_house: OpenHouse) -> None:
    async with open_house(SPENDS, token(), **tier(routes=["openai:*"], requests_per_hour=9)) as h:
        status, problem = await status_of(h, "one", "hello")
        assert (status, problem["code"]) == (403, "route_not_allowed")
    async with open_house(SPENDS, token(), **tier(features=["memory"])) as house:
        frames = await house.ask("one", "calculate")
        assert not [event for event in events_of(frames) if isinstance(event, ev.ToolCall)]


async def test_a_limit_reached_within_a_turn_ends_it_with_a_notice(open_house: OpenHouse) -> None:
    script = [
        {
            "when": "calculate",
            "needs": ["parlour__calculator"],
            "rounds": [
                [
                    {"text": "Let me see. "},
                    {"calls": [{"name": "parlour__calculator", "arguments": {"expression": "1"}}]},
                    {"usage": {"input": 5_000, "output": 5}},
                ],
                [{"text": "Never said."}],
            ],
        }
    ]
    async with open_house(script, token(), **tier(tokens_per_day=5_000)) as house:
        frames = await house.ask("one", "calculate")
        end = final(frames)
        assert end.error is not None
        assert (end.status, end.error.code) == ("failed", "quota_exceeded")
        assert [notice.kind for notice in notices(frames)] == ["quota_warning", "quota_exceeded"]
        sums = await Ledger(house.services.database).sums("call")
        assert len(sums) == 1


async def test_what_is_asked_beside_the_answers_is_limited_and_counted_too(
    open_house: OpenHouse,
) -> None:
    given = tier(tokens_per_day=20_000)
    given["policy"]["memory"] = {"window_messages": 4}
    async with open_house(SPENDS, token(), **given) as house:
        for number in range(4):
            await house.ask("one", f"costs {number}")
        async with asyncio.timeout(10):
            while True:
                sums = await Ledger(house.services.database).sums("purpose")
                if {one.key for one in sums} == {"answer", "summary"}:
                    break
                await asyncio.sleep(0.02)
        _, told = await house.get("/api/limits")
        day = next(one for one in told["limits"] if one["limit"] == "tokens_per_day")
        assert day["used"] == sum(one.usage.total for one in sums)
        asked = next(one for one in told["limits"] if one["limit"] == "requests_per_hour")
        assert asked["used"] == 4
