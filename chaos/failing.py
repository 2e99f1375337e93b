"""A provider that fails most of the time, and writes down who called it, for what and with what."""

from __future__ import annotations

import asyncio
import json
import random
import re
from dataclasses import dataclass
from typing import Any

from aiohttp import web

ASKED = re.compile(r"\[\[asked:(\w+) by=\d+\]\]")
RETRY_AFTER_S = 1
HANG_S = 30.0  # or until the caller has gone, which is much sooner
# How often, of a hundred.
ANSWERS = {
    "answers": 34,
    "429": 22,
    "500": 20,
    "hangs before a word": 10,
    "hangs in the middle": 6,
    "breaks off": 8,
}


@dataclass(slots=True)
class Call:
    """One line of the book. An empty workspace: nobody's question stands in the request."""

    workspace: str
    model: str
    key: str
    answer: str


class Failing:
    """One provider; see the module. It speaks OpenAI's dialect."""

    def __init__(self, name: str, seed: int) -> None:
        self.name = name
        self.book: list[Call] = []
        self.url = ""
        self._chance = random.Random(f"{seed}/{name}")
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen on a loopback port."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._called)
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1_024).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    async def close(self) -> None:
        """Stop."""
        if self._runner:
            await self._runner.cleanup()

    async def _called(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        found = ASKED.search(text)
        body: dict[str, Any] = json.loads(text) if text else {}
        answer = self._chance.choices(tuple(ANSWERS), tuple(ANSWERS.values()))[0]
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.book.append(Call(found[1] if found else "", body.get("model", ""), key, answer))
        if answer in {"429", "500"}:
            return self._refuse(int(answer))
        if answer == "hangs before a word":
            await asyncio.sleep(HANG_S)
        return await self._say(request, answer)

    def _refuse(self, status: int) -> web.Response:
        error = {"error": {"message": "no", "type": "api_error", "code": None}}
        named = status == 429 and self._chance.random() < 0.5
        headers = {"Retry-After": str(RETRY_AFTER_S)} if named else {}
        return web.json_response(error, status=status, headers=headers)

    async def _say(self, request: web.Request, answer: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(self._chunk({"role": "assistant", "content": f"I am {self.name}."}))
        if answer == "hangs in the middle":
            await asyncio.sleep(HANG_S)
        if answer == "breaks off":
            return response
        await response.write(self._chunk({}, "stop") + b"data: [DONE]\n\n")
        return response

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        head = {"id": "c", "object": "chat.completion.chunk", "model": f"{self.name}-1"}
        return b"data: " + json.dumps({**head, "choices": [choice]}).encode() + b"\n\n"
