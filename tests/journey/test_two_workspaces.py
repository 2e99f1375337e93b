"""Two workspaces, every route, every id swapped: 404, and not a word more than for what never was.

The routes come from the application, so a new route is tried by itself. One whose ids, body, query
or way of answering nobody has named here fails the test: say below what it takes.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute

from parlour.domain import Principal, UserId, WorkspaceId
from parlour.store.tool_results import ToolResults
from parlour.web import create_api
from tests.house import House, parse_frames
from tests.journey.conftest import OpenHouse
from tests.journey.test_garbage import SECRET, token
from tests.live.test_mcp_face import client
from tests.notes import Notes, asked, calling

ID = "^[A-Za-z0-9_-]{1,64}$"
NONE = "never-was"
Try = tuple[str, Any]  # a path and a body


@dataclass(frozen=True, slots=True)
class Ids:
    """What Ann has, by the names that routes and bodies give to ids."""

    thread: str
    turn: str
    question: str
    answer: str
    approval: str
    handle: str

    def path(self) -> dict[str, str]:
        """By the names in paths."""
        return {
            "thread": self.thread,
            "chat_id": self.thread,
            "turn": self.turn,
            "approval": self.approval,
            "handle": self.handle,
        }


# Bodies by route: each makes a valid body that names what an `Ids` has.
BODIES: dict[str, Any] = {
    "POST /api/threads/{thread}/turns": lambda ids: [
        {"text": "hello"},
        {"text": "hello", "trigger": "edit", "target": ids.question},
        {"trigger": "regenerate", "target": ids.answer},
    ],
    "POST /api/threads": lambda ids: [{"id": ids.thread}],
    "PATCH /api/threads/{thread}": lambda _: [{"title": "Mine now"}],
    "POST /api/threads/{thread}/versions": lambda ids: [{"message_id": ids.question}],
    "POST /api/threads/{thread}/approvals/{approval}": lambda _: [
        {"decision": "approve"},
        {"decision": "decline"},
    ],
    "POST /api/chat": lambda ids: [
        {"id": ids.thread, "message": _message("m9")},
        {"id": ids.thread, "message": _message("m9"), "messageId": ids.question},
        {"id": ids.thread, "trigger": "regenerate-message", "messageId": ids.answer},
        {
            "id": ids.thread,
            "messageId": ids.answer,
            "approvals": [{"approvalId": ids.approval, "approved": True}],
        },
    ],
}

# No id of anybody's is in them: they speak of the caller alone, or of nobody.
OF_THE_CALLER = {
    "GET /api/threads",
    "GET /api/me",
    "GET /api/limits",
    "GET /api/disclosures",
    "GET /api/disclosures/receipts",
    "POST /api/disclosures/receipts",
    "GET /api/admin/tools",
    "POST /api/admin/tools/approve",
    "GET /api/admin/audit",
    "GET /api/admin/audit/verify",
    "GET /v1/models",
    "POST /v1/chat/completions",
    "GET /health/live",
    "GET /health/ready",
    "GET /metrics",
}

# Files of the page and the contract: the same bytes for everybody.
FILES = {"GET /", "GET /c/{thread}", "GET /assets/{name:path}", "GET /openapi.json"}

# Not routes with ids but a protocol; what its tools take by id has a test of its own below.
PROTOCOLS = {"ANY /mcp"}

# Parameters of a query. `before` may be an id: the test of lists tries it.
QUERY = {"limit", "before", "after", "offset", "surface", "user", "kind", "since", "until"}

# An id that a client makes up: one that nobody has begins something new, so there is no "the same
# answer as for what never was". Somebody else's is refused as an old id that never was.
BEGINS = {"POST /api/threads", "POST /api/threads/{thread}/turns", "POST /api/chat"}

# Ids in bodies that a client makes up for itself, and editions, which are nobody's.
FREE = {"message_id", "disclosure_receipt", "edition"}


def _message(identity: str) -> dict[str, Any]:
    return {"id": identity, "role": "user", "parts": [{"type": "text", "text": "hello"}]}


@pytest.fixture
async def house(open_house: OpenHouse, tmp_path: Path) -> AsyncIterator[House]:
    script = [
        calling(("add_note", {"text": "secret"})),
        {"when": "", "steps": [{"text": "Hello, Ann."}]},
    ]
    notes = Notes(tmp_path / "notes")
    async with open_house(script, secret=SECRET, mcp={"notes": notes.server()}) as it:
        yield it


def bearer(user: str, workspace: str, *roles: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token(user, workspace, roles=list(roles))}"}


ANN = bearer("ann", "w1")
STRANGERS = {
    "another user of the workspace": bearer("bob", "w1"),
    "the same user of another workspace": bearer("ann", "w2"),
    "an administrator of another workspace": bearer("eve", "w2", "admin"),
}


async def ann_has(house: House) -> Ids:
    """A conversation with a question, an answer, a call that waits and a result that was kept."""
    thread = "ann-1"
    approval = await waiting_call(house, thread)
    _, body = await house.get(f"/api/threads/{thread}", **ANN)
    question, answer = body["messages"][-2:]
    ann = Principal(WorkspaceId("w1"), UserId("ann"))
    kept = await ToolResults(house.services.database).keep(
        ann, "h1", thread=thread, tool="notes__read", title="Read", text="secret rows", days=1
    )
    assert kept
    return Ids(thread, answer["turn"], question["id"], answer["id"], approval, "h1")


async def waiting_call(house: House, thread: str) -> str:
    """Ask until Ann's own tool server has started, and a call waits for her."""
    async with asyncio.timeout(60):
        while True:
            async with house.start(thread, "go", ANN) as response:
                frames = parse_frames(await response.text())
            if found := asked(frames):
                return found[0].approval_id


def routes(of: Sequence[BaseRoute]) -> Iterator[tuple[str, str, str]]:
    """Every route of an application: its name here, its method and its path."""
    for route in iter_route_contexts(of):
        for method in sorted(route.methods or {"ANY"}):
            if method != "HEAD":  # whoever answers GET answers it with the same headers
                yield f"{method} {route.path}", method, route.path or ""


def routes_of(house: House) -> list[tuple[str, str, str]]:
    """The routes that hold what is somebody's."""
    known = OF_THE_CALLER | FILES | PROTOCOLS
    return [r for r in routes(create_api(house.services).routes) if r[0] not in known]


async def document(house: House) -> dict[str, Any]:
    return (await house.get("/openapi.json"))[1]


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the document says of every route in it, by its name here."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


async def call(
    house: House, method: str, path: str, body: Any, who: dict[str, str]
) -> tuple[int, Any]:
    async with house.http.request(method, house.url + path, json=body, headers=who) as response:
        text = await response.text()
        said = json.loads(text) if text and response.content_type.endswith("json") else text
        if isinstance(said, dict):
            said.pop("request_id", None)
        return response.status, said


def filled(path: str, ids: Ids) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: ids.path()[found[1]], path)


def tries(name: str, path: str, ids: Ids, own: str) -> Iterator[tuple[Try, Try]]:
    """What names one or more of Ann's ids, and the same with ids that never were in their place.

    All of hers, each alone, and all but the conversation, which is then the stranger's `own`.
    """
    mixes = [ids, replace(ids, thread=own)]
    mixes += [replace(NOBODY, **{f.name: getattr(ids, f.name)}) for f in fields(ids)]
    tried: list[Try] = []
    for mix in mixes:
        if name in BEGINS and mix.thread == NONE:
            continue  # begins a conversation of the stranger's, as it should
        never = replace(NOBODY, thread=own) if mix.thread == own else NOBODY
        bodies = BODIES.get(name, lambda _: [None])
        for body, nothing in zip(bodies(mix), bodies(never), strict=True):
            theirs, none = (filled(path, mix), body), (filled(path, never), nothing)
            if theirs != none and theirs not in tried:
                tried.append(theirs)
                yield theirs, none


NOBODY = Ids(NONE, NONE, NONE, NONE, NONE, NONE)


@pytest.mark.promise("P21")
async def test_every_route_answers_strangers_as_if_nothing_were_there(house: House):
    ids = await ann_has(house)
    before = await call(house, "get", f"/api/threads/{ids.thread}", None, ANN)
    tried: dict[str, int] = {}
    for stranger, who in STRANGERS.items():
        own = f"own-{len(tried)}-{stranger.replace(' ', '-')}"
        assert (await call(house, "post", "/api/threads", {"id": own}, who))[0] == 201
        for name, method, path in routes_of(house):
            for theirs, none in tries(name, path, ids, own):
                found = await call(house, method, *theirs, who)
                if name in BEGINS and ids.thread in json.dumps(theirs):
                    _says_not_found(name, found)
                else:
                    expected = await call(house, method, *none, who)
                    assert found == expected, (name, stranger, theirs)
                    assert found[0] == 404, (name, stranger, found)
                assert "ann" not in json.dumps(found).replace(ids.thread, ""), (name, found)
                tried[name] = tried.get(name, 0) + 1
    assert tried.keys() == {name for name, *_ in routes_of(house)}
    assert await call(house, "get", f"/api/threads/{ids.thread}", None, ANN) == before


@pytest.mark.promise("P21")
async def test_only_a_chat_of_ones_own_can_be_stopped_and_any_number_of_times(house: House):
    ids = await ann_has(house)
    for who in STRANGERS.values():
        status, problem = await call(house, "post", f"/api/chat/{ids.thread}/stop", None, who)
        assert (status, problem["code"]) == (404, "thread_not_found")
        none = await call(house, "post", f"/api/chat/{NONE}/stop", None, who)
        assert none == (status, problem)
    for _ in range(2):
        stopped = await call(house, "post", f"/api/chat/{ids.thread}/stop", None, ANN)
        assert stopped[0] == 202


def _says_not_found(name: str, found: tuple[int, Any]) -> None:
    status, problem = found
    assert status == 404, (name, found)
    assert problem["code"] in {"thread_not_found", "message_not_found", "approval_not_found"}, found
    assert set(problem) == {"type", "title", "status", "detail", "code", "retryable"}


@pytest.mark.promise("P21")
async def test_the_same_ids_open_every_route_for_their_owner(house: House):
    """The other half: what strangers tried were the right ids."""
    ids = await ann_has(house)
    last: list[tuple[str, str, str]] = []
    for name, method, path in routes_of(house):
        if name in BEGINS:
            continue
        if method == "DELETE" or "approval}" in path or "stop" in path:
            last.append((name, method, path))
            continue
        body = BODIES[name](ids)[0] if name in BODIES else None
        found = await call(house, method, filled(path, ids), body, ANN)
        assert found[0] < 400, (name, found)
    for name, method, path in sorted(last, key=lambda route: route[1] == "DELETE"):
        body = BODIES[name](ids)[0] if name in BODIES else None
        found = await call(house, method, filled(path, ids), body, ANN)
        assert found[0] < 400 or found[0] == 409, (name, found)


async def test_lists_hold_nothing_of_anybody_else(house: House):
    ids = await ann_has(house)
    for who in STRANGERS.values():
        assert (await call(house, "get", "/api/threads", None, who))[1]["threads"] == []
        assert (await call(house, "post", "/api/threads", {}, who))[0] == 201
        own = (await call(house, "get", "/api/threads", None, who))[1]["threads"][0]["id"]
        for cursor in (ids.thread, ids.question, ids.answer):
            path = f"/api/threads/{own}/messages?before={cursor}"
            assert "Hello" not in json.dumps(await call(house, "get", path, None, who))
        _, shown = await call(house, "get", "/api/disclosures/receipts", None, who)
        assert all(receipt["body"]["session"] != ids.thread for receipt in shown["receipts"])
    eve = STRANGERS["an administrator of another workspace"]
    _, audit = await call(house, "get", "/api/admin/audit?user=ann", None, eve)
    assert audit["links"] == []
    _, tools = await call(house, "get", "/api/admin/tools", None, eve)
    assert tools["tools"] == []


async def test_a_kept_result_is_read_over_mcp_by_its_owner_alone(house: House):
    ids = await ann_has(house)
    said: list[str] = []
    for who in (ANN, *STRANGERS.values()):
        async with client(house, who["authorization"].partition(" ")[2]) as mcp:
            for handle in (ids.handle, NONE):
                answer = await mcp.call_tool("read_result", {"handle": handle})
                said.append(str(answer.content).replace(handle, "it"))
    assert "secret rows" in said[0]
    assert set(said[1:]) == {said[1]}
    assert "secret rows" not in said[1]


# --- that nothing is left out ---


def unnamed(of: Sequence[BaseRoute]) -> Iterator[str]:
    """What nobody has said of the routes of an application: a sentence each."""
    for name, _, path in routes(of):
        if name in FILES | PROTOCOLS:
            continue
        ids = set(re.findall(r"\{(\w+)", path))
        if name in OF_THE_CALLER:
            if ids:
                yield f"{name} has ids: it is not of the caller alone"
        elif ids - set(NOBODY.path()):
            yield f"{name}: say in `Ids` what {ids - set(NOBODY.path())} is"
        elif not ids and name not in BODIES:
            yield f"{name}: say in BODIES which ids it takes, or that it is of the caller alone"


async def test_every_route_is_tried(house: House):
    every = create_api(house.services).routes
    assert list(unnamed(every)) == []
    names = {name for name, *_ in routes(every)}
    gone = {*BODIES, *BEGINS, *OF_THE_CALLER, *FILES, *PROTOCOLS} - names
    assert not gone, "routes that are gone"
    for name, operation in operations(await document(house)):
        tried = name in BODIES or name in OF_THE_CALLER
        assert tried or "requestBody" not in operation, f"{name}: give it a body in BODIES"
        query = {p["name"] for p in operation.get("parameters", []) if p["in"] == "query"}
        assert query <= QUERY, f"{name}: are {query - QUERY} ids of anybody's?"


@pytest.mark.parametrize("path", ["/api/threads/{thread}/files/{file}", "/api/export"])
def test_a_route_that_nobody_has_named_is_found(path: str):
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_api_route(path, lambda: None)
    assert [sentence.partition(":")[0] for sentence in unnamed(app.routes)] == [f"GET {path}"]


async def test_every_id_in_a_body_is_swapped(house: House):
    found = await document(house)
    schemas = found["components"]["schemas"]
    for name, operation in operations(found):
        content = operation.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        ids = {field.rpartition(".")[2] for field in _ids(schema, schemas)} - FREE
        sent = set(_names(BODIES[name](NOBODY))) if name in BODIES else set()
        assert ids <= sent, f"{name}: {ids - sent} in the body are ids that nobody swaps"


def _ids(schema: Any, schemas: dict[str, Any], path: str = "") -> Iterator[str]:
    """The fields of a body whose pattern is that of an id."""
    if schema.get("pattern") == ID:
        yield path
    if "$ref" in schema:
        yield from _ids(schemas[schema["$ref"].rpartition("/")[2]], schemas, path)
    for inner in (*schema.get("anyOf", []), *schema.get("allOf", [])):
        yield from _ids(inner, schemas, path)
    if "items" in schema:
        yield from _ids(schema["items"], schemas, path)
    for name, inner in schema.get("properties", {}).items():
        yield from _ids(inner, schemas, f"{path}.{name}")


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner)
