"""Short words for what tests of the store do again and again."""

from __future__ import annotations

import itertools
from typing import Any

from parlour.domain import (
    Message,
    MessageId,
    Principal,
    TextPart,
    ThreadId,
    ToolPart,
    TurnId,
    TurnStatus,
    Usage,
    UserId,
    WorkspaceId,
)
from parlour.store.database import Database
from parlour.store.turns import Claim, NewTurn, Turns

ANN = Principal(WorkspaceId("acme"), UserId("ann"))
BOB = Principal(WorkspaceId("acme"), UserId("bob"))
ANN_ELSEWHERE = Principal(WorkspaceId("globex"), UserId("ann"))
THREAD = ThreadId("thread-1")
NUMBERS = itertools.count(1)


def new_turn(text: str = "Hello", **changes: Any) -> NewTurn:
    number = next(NUMBERS)
    values: dict[str, Any] = {
        "principal": ANN,
        "thread": THREAD,
        "turn": TurnId(f"turn-{number}"),
        "assistant_message": MessageId(f"answer-{number}"),
        "user_message": MessageId(f"question-{number}"),
        "body_hash": text.encode(),
        "model": "scripted:",
        "owner": "process-1",
        "parts": (TextPart(text),) if text else (),
    }
    if "client_id" in changes:
        values["user_message"] = MessageId(changes["client_id"])
    return NewTurn(**{**values, **changes})


async def claimed(turns: Turns, new: NewTurn, *, window: int = 20) -> Claim:
    claim = await turns.claim(new, window=window)
    await claim.commit()
    return claim


async def finish(turns: Turns, claim: Claim, text: str = "Hi", **changes: Any) -> bool:
    values: dict[str, Any] = {
        "fence": claim.fence,
        "status": TurnStatus.DONE,
        "finish_reason": "stop",
        "parts": (TextPart(text, round=1),),
        "error": None,
        "usage": Usage(input=10, output=5),
        "model": "scripted:",
        "events": b"blob",
        "first_token_ms": 12,
        "elapsed_ms": 34,
        "served_by": "scripted",
    }
    values |= changes
    tools = [part for part in values["parts"] if isinstance(part, ToolPart)]
    return await turns.finish(claim.turn, **{"tools": tools, **values})


async def exchange(turns: Turns, text: str, **changes: Any) -> Claim:
    claim = await claimed(turns, new_turn(text, **changes))
    assert await finish(turns, claim, f"Re: {text}")
    return claim


def words(history: list[Message]) -> list[str]:
    return [part.text for message in history for part in message.parts if hasattr(part, "text")]


async def count(database: Database, table: str) -> int:
    return (await database.fetch(f"SELECT count(*) FROM {table}"))[0][0]
