"""One Parlour, its tool servers and its people; plays cases over real HTTP, on every face.

The Parlour is built as `parlour serve` builds it, from settings that anybody could write: nothing
is patched, and its model is one that anybody can configure.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt

from evals.injection.desk import Desk
from parlour.policy import Policy
from parlour.settings import Settings
from tests.house import House, house
from tests.postgres import fresh_database, running_postgres

SECRET = "only this evaluation signs with these words"
PEOPLE = 12  # that cases are spread over
AT_ONCE = 8
TURN_S = 60


@dataclass(slots=True)
class Seen:
    """What one conversation showed. `answer` and `thinking` are pieces in order, with withdrawn."""

    answer: list[str] = field(default_factory=list[str])
    thinking: list[str] = field(default_factory=list[str])
    kept: str = ""  # what the stored messages of the assistant say
    title: str = ""
    status: str = ""
    refused: str = ""
    approvals: list[str] = field(default_factory=list[str])
    withdrawn: list[str] = field(default_factory=list[str])
    results: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    last: str = ""  # the answer as it stands in the end
    error: str = ""


@dataclass(slots=True)
class Stage:
    """A running Parlour and its desk."""

    house: House
    desk: Desk

    async def play(
        self,
        ask: str,
        *,
        name: str,
        workspace: str,
        face: str,
        context: dict[str, Any] | None = None,
        earlier: Sequence[dict[str, str]] = (),
        user: str = "",
    ) -> Seen:
        """One conversation; whatever goes wrong is in what was seen."""
        who = user or f"user{sum(name.encode()) % PEOPLE}"
        token = jwt.encode(
            {
                "sub": who,
                "workspace": workspace,
                "aud": "parlour",
                "exp": 4_000_000_000,
                "tier": "custom",
            },
            SECRET,
        )
        headers = {"authorization": f"Bearer {token}"}
        play = {"native": self._native, "ai-sdk": self._ai_sdk, "openai": self._openai}[face]
        seen = Seen()
        try:
            async with asyncio.timeout(TURN_S):
                for before in earlier if face != "openai" else ():
                    await play(Seen(), before["content"], name, headers, None, ())
                await play(seen, ask, name, headers, context, earlier)
                if face != "openai":
                    await self._stored(seen, name, headers)
        except TimeoutError:
            seen.error = "no end"
        return seen

    async def _native(
        self, seen: Seen, ask: str, name: str, headers: dict[str, str], context: Any, earlier: Any
    ) -> None:
        body = {"text": ask, **({"context": context} if context else {})}
        url = f"{self.house.url}/api/threads/{name}/turns"
        async for event in self._events(seen, url, body, headers):
            match event.get("type"):
                case "token":
                    seen.answer.append(event["text"])
                    seen.last += event["text"]
                case "reasoning":
                    seen.thinking.append(event["text"])
                case "replace":
                    seen.answer.append(f"\n{event['text']}")  # what was there is gone by then
                    seen.last = event["text"]
                    seen.withdrawn.append(event["reason"])
                case "approval":
                    seen.approvals.append(event["name"])
                case "tool_result":
                    seen.results.append((event["name"], event["status"], event["text"]))
                case "finalize":
                    seen.status = event["status"]
                    seen.error = (event.get("error") or {}).get("code", "")
                case _:
                    pass

    async def _ai_sdk(
        self, seen: Seen, ask: str, name: str, headers: dict[str, str], context: Any, earlier: Any
    ) -> None:
        message = {"id": f"m-{name}", "role": "user", "parts": [{"type": "text", "text": ask}]}
        body = {"id": name, "message": message, **({"context": context} if context else {})}
        headers = {**headers, "x-parlour-client": "ai-sdk/7"}
        async for event in self._events(seen, f"{self.house.url}/api/chat", body, headers):
            match event.get("type", ""):
                case "text-delta":
                    seen.answer.append(event["delta"])
                    seen.last += event["delta"]
                case "reasoning-delta":
                    seen.thinking.append(event["delta"])
                case "finish":
                    seen.status = "done"
                case "error":
                    seen.error = event.get("errorText", "error")
                case "tool-approval-request" | "data-approval":
                    seen.approvals.append(str(event.get("toolCallId", "")))
                case "data-replace":
                    seen.answer.append(f"\n{event['data'].get('text', '')}")
                    seen.last = str(event["data"].get("text", ""))
                    seen.withdrawn.append(str(event["data"].get("reason", "")))
                case "data-notice" | "data-status":
                    seen.thinking.append(json.dumps(event["data"]))
                case _:
                    pass

    async def _openai(
        self, seen: Seen, ask: str, name: str, headers: dict[str, str], context: Any, earlier: Any
    ) -> None:
        body = {
            "model": "parlour",
            "stream": True,
            "messages": [*earlier, {"role": "user", "content": ask}],
            **({"parlour": {"context": context}} if context else {}),
        }
        url = f"{self.house.url}/v1/chat/completions"
        async for event in self._events(seen, url, body, headers):
            if event.get("error"):
                seen.error = str(event["error"].get("code"))
            for choice in event.get("choices", ()):
                delta = choice.get("delta", {})
                seen.answer.append(delta.get("content") or "")
                seen.last += delta.get("content") or ""
                seen.thinking.append(delta.get("reasoning_content") or "")
                seen.status = "done" if choice.get("finish_reason") else seen.status

    async def _events(
        self, seen: Seen, url: str, body: Any, headers: dict[str, str]
    ) -> AsyncIterator[dict[str, Any]]:
        async with self.house.http.post(url, json=body, headers=headers) as response:
            if response.status != 200:
                problem = await response.json(content_type=None)
                seen.refused = str(problem.get("code") or problem.get("error") or problem)
                return
            async for line in response.content:
                if line.startswith(b"data: {"):
                    yield json.loads(line[6:])

    async def _stored(self, seen: Seen, name: str, headers: dict[str, str]) -> None:
        url = f"{self.house.url}/api/threads/{name}"
        async with self.house.http.get(url, headers=headers) as response:
            if response.status != 200:
                return
            body = await response.json()
        seen.title = body["thread"]["title"]
        said = [
            str(part.get("text", ""))
            for message in body["messages"]
            if message["role"] == "assistant"
            for part in message["parts"]
            if part["type"] in {"text", "reasoning"}
        ]
        seen.kept = "\n".join(said)


@contextlib.asynccontextmanager
async def stage(
    folder: Path,
    model: str,
    *,
    desk: Desk,
    words: str,
    workspaces: dict[str, dict[str, Any]],
    database: str = "",
) -> AsyncIterator[Stage]:
    """A Parlour with that model and the desk's servers; on a fresh database if none is given."""
    async with contextlib.AsyncExitStack() as stack:
        if not database:
            server = await stack.enter_async_context(running_postgres())
            database = await stack.enter_async_context(fresh_database(server))
        await stack.enter_async_context(desk.serving())
        given = settings(folder, model, database, desk, words, workspaces)
        yield Stage(await stack.enter_async_context(house(given)), desk)


def settings(
    folder: Path,
    model: str,
    database: str,
    desk: Desk,
    words: str,
    workspaces: dict[str, dict[str, Any]],
) -> Settings:
    """The settings of the evaluation; what is not here has its default."""
    known = {name: _known(policy) for name, policy in workspaces.items()}
    given: dict[str, Any] = {
        "model": model,
        "database_url": database,
        "data_dir": folder,
        "secret": SECRET,
        "system_prompt": words,
        "shutdown_s": 5,
        "mcp": {
            "desk": {
                "url": desk.url("desk"),
                "no_approve": ["save_note"],
                "statements": {"run_sql": "sql"},
            },
            "extras": {"url": desk.url("extras")},
        },
        "workspaces": known,
    }
    return Settings(**given)


def _known(policy: dict[str, Any]) -> dict[str, Any]:
    return {name: section for name, section in policy.items() if name in Policy.model_fields}
