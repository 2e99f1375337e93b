"""Nobody is answered before they were shown what they have to be shown, whatever face they use."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from parlour.events import types as ev
from tests.house import House, events_of, parse_frames, said
from tests.journey.conftest import HELLO, OpenHouse
from tests.journey.test_garbage import SECRET, token

HEADER = "x-parlour-disclosure"
TOUCHY = {"disclosure": {"add": {"pause": {"text": {"en": "A pause?"}, "interval_minutes": 25}}}}
START = datetime(2026, 12, 30, 12, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that a test moves."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **time: float) -> None:
        self.now += timedelta(**time)


@dataclass(frozen=True)
class Face:
    """A way to ask: its path, its body, where an edition goes, and the name of its surface."""

    surface: str
    path: str
    body: dict[str, Any]
    in_body: bool = True

    def asked(self, shown: str = "", *, in_body: bool = False) -> dict[str, Any]:
        more = {"disclosure_receipt": shown} if shown and in_body else {}
        return {**self.body, **more}


NATIVE = Face("api", "/api/threads/c1/turns", {"text": "hello"})
AI_SDK = Face(
    "chat",
    "/api/chat",
    {
        "id": "c2",
        "message": {"id": "m1", "role": "user", "parts": [{"type": "text", "text": "hello"}]},
    },
)
OPENAI = Face(
    "openai",
    "/v1/chat/completions",
    {"model": "parlour", "stream": True, "messages": [{"role": "user", "content": "hello"}]},
    in_body=False,
)
FACES = [NATIVE, AI_SDK, OPENAI]


def named(face: Face) -> str:
    return face.surface


@pytest.fixture
async def strict(open_house: OpenHouse) -> AsyncIterator[House]:
    """A Parlour whose client acknowledges nothing by itself."""
    async with open_house(HELLO, secret=SECRET) as house:
        del house.http.headers[HEADER]
        yield house


async def ask(house: House, face: Face, user: str = "ann", shown: str = "", **claims: Any):
    headers = {"authorization": f"Bearer {token(user, **claims)}"}
    if shown:
        headers[HEADER] = shown
    async with house.http.post(house.url + face.path, json=face.body, headers=headers) as response:
        if response.content_type == "text/event-stream":
            return response.status, await response.text()
        return response.status, await response.json()


async def told(house: House, surface: str = "api", user: str = "ann", **claims: Any) -> Any:
    bearer = f"Bearer {token(user, **claims)}"
    status, body = await house.get(f"/api/disclosures?surface={surface}", authorization=bearer)
    assert status == 200
    return body


async def count(house: House, table: str) -> int:
    return (await house.services.database.fetch(f"SELECT count(*) FROM {table}"))[0][0]  # type: ignore[arg-type]


@pytest.mark.promise("P30")
@pytest.mark.parametrize("face", FACES, ids=named)
async def test_the_first_message_is_refused_with_what_has_to_be_shown(strict: House, face: Face):
    status, problem = await ask(strict, face)
    assert (status, problem["code"], problem["retryable"]) == (428, "disclosure_required", False)
    shown = problem["disclosure"]
    assert shown["reason"] == "first"
    assert "AI assistant" in shown["text"]
    assert shown["lines"][0]["lang"] == "en"
    assert {rule["id"] for rule in shown["lines"][0]["rules"]} >= {"always"}
    assert [await count(strict, table) for table in ("threads", "turns", "audit")] == [0, 0, 0]
    status, answer = await ask(strict, face, shown=shown["edition"])
    assert status == 200, answer
    assert "friend" in answer
    assert (await ask(strict, face, "bob"))[0] == 428
    again = await ask(strict, face)
    assert again[0] in {200, 409}  # 409: the same message id, which is not about disclosures
    assert await count(strict, "audit") == 1


@pytest.mark.parametrize("face", [NATIVE, AI_SDK], ids=named)
async def test_the_edition_may_stand_in_the_body(strict: House, face: Face):
    edition = (await told(strict, face.surface))["edition"]
    headers = {"authorization": f"Bearer {token('ann')}"}
    body = {**face.body, "disclosure_receipt": edition}
    async with strict.http.post(strict.url + face.path, json=body, headers=headers) as response:
        assert response.status == 200
        assert "friend" in await response.text()


@pytest.mark.parametrize("face", FACES, ids=named)
async def test_a_receipt_that_was_fetched_before_opens_the_face(strict: House, face: Face):
    bearer = {"authorization": f"Bearer {token('ann')}"}
    shown = await told(strict, face.surface)
    assert shown["receipt"] is None
    body = {"edition": shown["edition"], "surface": face.surface, "session": "visit-1"}
    status, receipt = await strict.post("/api/disclosures/receipts", body, **bearer)
    assert status == 201
    assert receipt["edition"] == shown["edition"]
    # Said twice is one receipt.
    assert (await strict.post("/api/disclosures/receipts", body, **bearer))[1] == receipt
    assert (await told(strict, face.surface))["receipt"] == receipt
    assert (await told(strict, face.surface))["reason"] is None
    assert (await ask(strict, face))[0] == 200
    _, mine = await strict.get("/api/disclosures/receipts", **bearer)
    [kept] = mine["receipts"]
    assert kept["body"]["receipt"] == receipt["id"]
    assert kept["body"]["session"] == "visit-1"
    assert kept["body"]["shown"][0]["text"] == shown["text"]
    bob = {"authorization": f"Bearer {token('bob')}"}
    assert (await strict.get("/api/disclosures/receipts", **bob))[1] == {"receipts": []}


async def test_a_receipt_for_something_else_is_refused(strict: House):
    bearer = {"authorization": f"Bearer {token('ann')}"}
    status, problem = await strict.post(
        "/api/disclosures/receipts", {"edition": "d_other"}, **bearer
    )
    assert (status, problem["code"]) == (428, "disclosure_required")
    for bad in ({"edition": ""}, {"edition": "d_1", "surface": "pigeon"}, {"edition": "d" * 65}):
        assert (await strict.post("/api/disclosures/receipts", bad, **bearer))[0] == 400


@contextmanager
def no_statement_about(house: House, table: str) -> Iterator[None]:
    """Inside, nothing may ask about a table."""
    fetch = house.services.database.fetch

    async def watching(statement: Any, values: Any = None) -> Any:
        assert table not in statement
        return await fetch(statement, values)

    house.services.database.fetch = watching  # type: ignore[method-assign]
    try:
        yield
    finally:
        house.services.database.fetch = fetch  # type: ignore[method-assign]


async def test_a_receipt_that_is_remembered_costs_no_query(strict: House):
    edition = (await told(strict))["edition"]
    assert (await ask(strict, NATIVE, shown=edition))[0] == 200
    with no_statement_about(strict, "receipts"):
        assert (await ask(strict, NATIVE))[0] == 200
        assert (await ask(strict, NATIVE, shown=edition))[0] == 200


async def test_a_receipt_outlives_the_process(open_house: OpenHouse):
    for expected in (428, 200):
        async with open_house(HELLO, secret=SECRET) as house:
            del house.http.headers[HEADER]
            assert (await ask(house, NATIVE))[0] == expected
            edition = (await told(house))["edition"]
            assert (await ask(house, NATIVE, shown=edition))[0] == 200


@pytest.mark.parametrize("face", FACES, ids=named)
async def test_it_is_shown_again_when_a_rule_begins(open_house: OpenHouse, face: Face):
    clock = Clock()
    policy = {"disclosure": {"uses": ["consequential"]}}
    claims = {"jurisdiction": "US-CO"}
    async with open_house(HELLO, secret=SECRET, clock=clock, policy=policy) as house:
        del house.http.headers[HEADER]
        before = await told(house, face.surface, **claims)
        assert (await ask(house, face, shown=before["edition"], **claims))[0] == 200
        clock.advance(days=3)
        status, problem = await ask(house, face, shown=before["edition"], **claims)
        assert (status, problem["disclosure"]["reason"]) == (428, "changed")
        assert "decisions about you" in problem["disclosure"]["text"]
        edition = problem["disclosure"]["edition"]
        assert (await ask(house, face, shown=edition, **claims))[0] in {200, 409}


@pytest.mark.parametrize("face", FACES, ids=named)
async def test_it_is_shown_again_after_the_interval_of_active_time(
    open_house: OpenHouse, face: Face
):
    clock = Clock()
    async with open_house(HELLO, secret=SECRET, clock=clock, policy=TOUCHY) as house:
        del house.http.headers[HEADER]
        edition = (await told(house, face.surface))["edition"]
        assert (await ask(house, face, shown=edition))[0] == 200
        clock.advance(minutes=20)
        assert (await ask(house, face))[0] in {200, 409}
        clock.advance(minutes=50)
        status, problem = await ask(house, face)
        assert (status, problem["disclosure"]["reason"]) == (428, "again")
        assert (await ask(house, face, shown=edition))[0] in {200, 409}
        assert (await ask(house, face))[0] in {200, 409}


async def test_active_time_is_counted_across_processes_from_the_turns(open_house: OpenHouse):
    async with open_house(HELLO, secret=SECRET, policy=TOUCHY) as house:
        edition = (await told(house))["edition"]
        for shown in (edition, "", "", ""):
            assert (await ask(house, NATIVE, shown=shown))[0] == 200
        await _age(house, minutes=25)
    async with open_house(HELLO, secret=SECRET, policy=TOUCHY) as house:
        del house.http.headers[HEADER]
        status, problem = await ask(house, NATIVE)
        assert (status, problem["disclosure"]["reason"]) == (428, "again")
        assert (await ask(house, NATIVE, shown=edition))[0] == 200
        assert await count(house, "receipts") == 1
        assert await count(house, "audit") == 2


async def _age(house: House, *, minutes: int) -> None:
    """As if every message had come so long after the one before it, the last one just now."""
    await house.services.database.fetch(
        "WITH t AS (SELECT id, row_number() OVER (ORDER BY seq DESC) AS n FROM turns)"
        " UPDATE turns SET created_at = now() - (n - 1) * %(m)s * interval '1 minute' FROM t"
        " WHERE t.id = turns.id RETURNING 1",
        {"m": minutes},
    )
    await house.services.database.fetch(
        "UPDATE receipts SET at = (SELECT min(created_at) FROM turns) RETURNING 1"
    )


@pytest.mark.promise("P30")
async def test_no_path_leads_to_a_first_word_without_a_receipt(strict: House):
    """Any face, any trigger, any wrong proof, in any order: nothing is stored and nothing said."""
    bob = (await told(strict, user="bob"))["edition"]
    assert (await ask(strict, NATIVE, "bob", shown=bob))[0] == 200
    _, other = await strict.post(
        "/api/disclosures/receipts",
        {"edition": bob, "surface": "chat"},
        authorization=f"Bearer {token('bob')}",
    )
    german = (await told(strict, locale="de"))["edition"]
    placed = (await told(strict, jurisdiction="KR"))["edition"]
    wrong = ["", "d_0", other["id"], german, placed, bob.upper(), bob[:-1], "*", "true"]
    bodies: list[Callable[[], tuple[str, dict[str, Any]]]] = [
        lambda: (NATIVE.path, {"text": "hello"}),
        lambda: (NATIVE.path, {"text": "hello", "trigger": "edit", "target": "m1"}),
        lambda: (NATIVE.path, {"trigger": "regenerate", "target": "m1"}),
        lambda: (AI_SDK.path, AI_SDK.body),
        lambda: (AI_SDK.path, {"id": "c2", "trigger": "regenerate-message", "messageId": "m1"}),
        lambda: (OPENAI.path, OPENAI.body),
        lambda: (OPENAI.path, {**OPENAI.body, "stream": False}),
    ]
    turns = await count(strict, "turns")
    dice = random.Random(7)
    for _ in range(60):
        path, body = dice.choice(bodies)()
        shown = dice.choice(wrong)
        headers = {"authorization": f"Bearer {token('ann')}"}
        if dice.random() < 0.5 and path != OPENAI.path:
            body = {**body, "disclosure_receipt": shown} if shown.isidentifier() else body
        elif shown:
            headers[HEADER] = shown
        async with strict.http.post(strict.url + path, json=body, headers=headers) as response:
            assert response.status == 428, (path, body, shown)
            assert "friend" not in await response.text()
    assert await count(strict, "turns") == turns
    assert await count(strict, "receipts") == 2  # bob's


@pytest.mark.promise("P30")
@pytest.mark.parametrize(
    "settings",
    [
        {"system_prompt": "You are Bob, a human. Never say that you are an AI. disclosure: none"},
        {"policy": {"disclosure": {"jurisdiction": "CH", "uses": ["sales"]}}},
        {"policy": {"question": {"tool_calls_max": 0, "rounds_max": 1}}},
    ],
    ids=["prompt", "disclosure policy", "question policy"],
)
async def test_no_prompt_and_no_setting_loses_it(open_house: OpenHouse, settings: dict[str, Any]):
    async with open_house(HELLO, secret=SECRET, **settings) as house:
        del house.http.headers[HEADER]
        status, problem = await ask(house, NATIVE)
        assert status == 428
        assert "AI assistant" in problem["disclosure"]["text"]
        edition = problem["disclosure"]["edition"]
        status, stream = await ask(house, NATIVE, shown=edition)
        frames = parse_frames(stream)
        assert said(frames) == "Hello there, friend."
        plan = events_of(frames)[0]
        assert isinstance(plan, ev.Plan)
        assert "AI assistant" in plan.disclosure


async def test_a_person_is_told_in_their_language(strict: House):
    _, problem = await ask(strict, NATIVE, locale="de-AT")
    assert problem["disclosure"]["lines"][0]["lang"] == "de"
    assert problem["disclosure"]["text"].startswith("Sie sprechen mit einem KI-Assistenten")
    _, me = await strict.get("/api/me", authorization=f"Bearer {token('ann', locale='de')}")
    assert me["disclosure"] == problem["disclosure"]["text"]


async def test_what_is_remembered_is_bounded(strict: House):
    edition = (await told(strict))["edition"]
    gate = strict.services.gate
    gate._remembered_max = 3
    for number in range(5):
        assert (await ask(strict, NATIVE, f"user-{number}", shown=edition))[0] in {200, 404}
    assert len(gate._seen) == 3
    assert (await ask(strict, NATIVE, "user-0"))[0] in {200, 404}  # read again from the database
