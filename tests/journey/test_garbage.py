"""Bad input: a clear 4xx, nothing stored, nothing running."""

from __future__ import annotations

import io
import json
from typing import Any

import jwt
import pytest

from tests.house import House
from tests.journey.conftest import HELLO, OpenHouse

SECRET = "a secret of at least thirty-two characters"
TURNS = "/api/threads/c1/turns"
JSON = {"content-type": "application/json"}


def token(user: str, workspace: str = "w1", **claims: Any) -> str:
    return jwt.encode(
        {"sub": user, "workspace": workspace, "aud": "parlour", "exp": 4_000_000_000, **claims},
        SECRET,
        algorithm="HS256",
    )


async def send(house: House, path: str, data: bytes, headers: dict[str, str]) -> tuple[int, Any]:
    body = io.BytesIO(data)
    async with house.http.post(house.url + path, data=body, headers=headers) as response:
        text = await response.text()
        if response.status >= 400:
            assert response.content_type == "application/problem+json"
        return response.status, json.loads(text) if text.startswith("{") else text


GARBAGE: list[tuple[str, bytes, int, str]] = [
    ("not JSON", b"hello", 400, "bad_request"),
    ("half JSON", b'{"text": "he', 400, "bad_request"),
    ("an empty body", b"", 400, "bad_request"),
    ("an array", b"[1]", 400, "bad_request"),
    ("a number", b"7", 400, "bad_request"),
    ("null", b"null", 400, "bad_request"),
    ("broken UTF-8", b'{"text": "\xff\xfe"}', 400, "bad_request"),
    ("a NUL", b'{"text": "a\\u0000b"}', 400, "bad_request"),
    ("half a character", b'{"text": "\\ud800"}', 400, "bad_request"),
    ("an empty text", b'{"text": "  "}', 400, "bad_request"),
    ("an unknown field", b'{"text": "hello", "admin": true}', 400, "bad_request"),
    ("a wrong type", b'{"text": 7}', 400, "bad_request"),
    ("a wrong id", b'{"text": "hello", "message_id": "a b"}', 400, "bad_request"),
    ("an unknown trigger", b'{"text": "hello", "trigger": "drop"}', 400, "bad_request"),
    ("edit without target", b'{"text": "hello", "trigger": "edit"}', 400, "bad_request"),
    ("an unknown target", b'{"text":"hello","trigger":"edit","target":"x"}', 404, ""),
    ("10 MB", b'{"text": "' + b"a" * 10_000_000 + b'"}', 413, "too_long"),
    ("200,000 characters", b'{"text": "' + b"a" * 200_000 + b'"}', 413, "too_long"),
    ("deep nesting", b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "bad_request"),
]


@pytest.mark.promise("P22")
@pytest.mark.parametrize(
    ("data", "status", "code"), [g[1:] for g in GARBAGE], ids=[g[0] for g in GARBAGE]
)
async def test_garbage_is_refused_in_a_sentence(hello: House, data: bytes, status: int, code: str):
    found, problem = await send(hello, TURNS, data, JSON)
    assert found == status, problem
    assert problem["status"] == status
    assert problem["detail"].endswith((".", "?", "}", "`")), problem
    assert problem["request_id"]
    if code:
        assert problem["code"] == code
    assert "Traceback" not in json.dumps(problem)
    assert not hello.services.runner.running
    _, listed = await hello.get("/api/threads")
    assert listed["threads"] == []


@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions", "/api/threads"])
@pytest.mark.promise("P22")
@pytest.mark.parametrize(
    "data", [b"hello", b"[]", b'{"zzz": 1}', b'{"id": "c1", "message": 7}', b"\xff"]
)
async def test_every_face_refuses_garbage(hello: House, path: str, data: bytes):
    status, _ = await send(hello, path, data, JSON)
    assert status == 400
    assert not hello.services.runner.running


async def test_a_form_of_another_site_is_refused(hello: House):
    for media in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        status, problem = await send(hello, TURNS, b'{"text":"hello"}', {"content-type": media})
        assert (status, problem["code"]) == (415, "unsupported_media")


async def test_a_rebound_name_is_refused(hello: House):
    status, problem = await hello.get("/api/threads", host="evil.example")
    assert (status, problem["code"]) == (403, "forbidden")


@pytest.mark.parametrize(("chars", "status"), [(100, 200), (101, 413)])
async def test_a_message_is_bounded(open_house: OpenHouse, chars: int, status: int):
    async with (
        open_house(HELLO, limits={"message_chars_max": 100}) as house,
        house.start("c1", "a" * chars) as response,
    ):
        assert response.status == status


@pytest.mark.parametrize(("size", "status"), [(1_000, 200), (1_001, 413)])
async def test_a_body_is_bounded_whatever_its_headers_say(
    open_house: OpenHouse, size: int, status: int
):
    body = b'{"text": "hello"' + b" " * (size - 17) + b"}"
    assert len(body) == size

    async def chunked():
        yield body

    async with open_house(HELLO, limits={"body_bytes_max": 1_000}) as house:
        for data in (body, chunked()):
            async with house.http.post(house.url + TURNS, data=data, headers=JSON) as response:
                assert response.status == status
                await response.read()


async def test_unknown_addresses_and_methods_are_problems(hello: House):
    assert (await hello.get("/api/nothing"))[1]["code"] == "not_found"
    status, problem = await hello.post("/api/me")
    assert status == 405
    assert problem["status"] == 405
    assert (await hello.get("/api/threads/none"))[1]["code"] == "thread_not_found"
    assert (await hello.get("/api/threads/c1/turns/t1/events"))[1]["code"] == "turn_not_found"


@pytest.mark.promise("P21")
async def test_two_users_never_meet(open_house: OpenHouse):
    turns = "/api/threads/private/turns"
    async with open_house(HELLO, secret=SECRET) as house:
        mine = {"authorization": f"Bearer {token('ann')}"}
        async with house.start("private", "hello", mine, message_id="m1") as response:
            turn = response.headers["x-turn-id"]
            await response.read()
        for other in (token("bob"), token("ann", "w2")):
            theirs = {"authorization": f"Bearer {other}"}
            none = await house.get("/api/threads/none", **theirs)
            for path in ("", "/messages", f"/turns/{turn}/events"):
                status, problem = await house.get(f"/api/threads/private{path}", **theirs)
                assert status == 404
                assert "private" not in json.dumps(problem)
            assert (await house.get("/api/threads/private", **theirs))[1]["detail"] == none[1][
                "detail"
            ]
            for path, body in (
                (turns, {"text": "hello"}),
                (f"{turns}/{turn}/stop", None),
                ("/api/threads/private/versions", {"message_id": "m1"}),
            ):
                assert (await house.post(path, body, **theirs))[0] == 404, path
            for chat in ("private", "none"):
                assert (await house.post(f"/api/chat/{chat}/stop", **theirs))[0] == 404
            async with house.http.delete(
                f"{house.url}/api/threads/private", headers=theirs
            ) as gone:
                assert gone.status == 404
            assert (await house.get("/api/threads", **theirs))[1]["threads"] == []
        assert (await house.get("/api/threads/private", **mine))[0] == 200


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "Bearer",
        "Bearer x.y.z",
        "Basic abc",
        "Bearer " + jwt.encode({"sub": "a"}, SECRET, algorithm="HS256"),
        "Bearer " + token("ann", exp=1),
        "Bearer " + token("ann", aud="other"),
        "Bearer " + token("a\nb"),
        "Bearer " + token("ann", ""),
        "Bearer "
        + jwt.encode(
            {"sub": "ann", "workspace": "w", "aud": "parlour", "exp": 4_000_000_000},
            "x" * 40,
            algorithm="HS256",
        ),
        "Bearer "
        + jwt.encode(
            {"sub": "ann", "workspace": "w", "aud": "parlour", "exp": 4_000_000_000},
            None,
            algorithm="none",
        ),
    ],
)
async def test_a_token_that_proves_nothing_is_refused(open_house: OpenHouse, bad: str):
    async with open_house(HELLO, secret=SECRET) as house:
        status, problem = await house.get("/api/threads", authorization=bad)
        assert (status, problem["code"]) == (401, "unauthenticated")
        assert SECRET not in json.dumps(problem)
