"""A model provider that keeps a ledger of its own and can be told to misbehave.

It speaks OpenAI's dialect. Each message names a key and how many words it wants; the words are
common ones, each one token of the usual vocabularies, so that an estimate by counting and the
ledger use the same unit.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from typing import Any

from aiohttp import web

from chaos.seen import Generation

WORDS = (
    " the", " of", " and", " to", " in", " is", " you", " that", " it", " he", " was", " for",
    " on", " are", " as", " with", " his", " they", " at", " be", " this", " have", " from",
    " or", " one", " had", " by", " word", " but", " not", " what", " all", " were", " we",
)  # fmt: skip
ASK = re.compile(r"\[\[chaos:(\S+) words=(\d+)\]\]")
GAP_S = 0.02
FAULTS = ("500", "429", "html", "empty", "cut", "no_finish", "stall", "garbage", "slow_start")


def words_for(key: str, count: int) -> list[str]:
    """What is said to the message of this key."""
    chance = random.Random(key)
    return [chance.choice(WORDS) for _ in range(count)]


class Provider:
    """The provider; `fault` is what happens to replies that begin from now on, sometimes."""

    def __init__(self, seed: int) -> None:
        self.generations: list[Generation] = []
        self.fault = ""
        self.port = 0
        self._chance = random.Random(seed)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen on a loopback port."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        # The path names the process that asks, as only it can close what it has opened.
        app.router.add_post("/{process}/v1/chat/completions", self._complete)
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Stop."""
        if self._runner:
            await self._runner.cleanup()

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body: dict[str, Any] = await request.json()
        # Exactly the question: a summary is asked for with what was said, questions included.
        found = ASK.fullmatch(str(body["messages"][-1].get("content")).strip())
        if found is None:
            return await self._say(request, Generation("", time.monotonic()), [" fine"], "")
        process = request.match_info["process"]
        key, count = found[1], int(found[2])
        generation = Generation(key, time.monotonic(), process)
        self.generations.append(generation)
        fault = self.fault if self._chance.random() < 0.6 else ""
        return await self._say(request, generation, words_for(key, count), fault)

    async def _say(
        self, request: web.Request, generation: Generation, words: list[str], fault: str
    ) -> web.StreamResponse:
        if fault in {"500", "429"}:
            headers = {"Retry-After": "1"} if fault == "429" else {}
            error = {"error": {"message": "no", "type": "api_error", "code": None}}
            return web.json_response(error, status=int(fault), headers=headers)
        if fault == "html":
            return web.Response(text="<!doctype html><p>Hello</p>", content_type="text/html")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        if fault == "slow_start":
            await asyncio.sleep(1.0)
        if fault == "empty":
            return response
        await response.write(_chunk({"role": "assistant", "content": ""}))
        cut_at = self._chance.randrange(1, len(words)) if len(words) > 1 else 1
        for number, word in enumerate(words):
            if number == cut_at and fault and fault != "slow_start":
                return await self._break(request, response, fault)
            await asyncio.sleep(GAP_S)
            await response.write(_chunk({"content": word}))
            generation.tokens += 1
            generation.last_at = time.monotonic()
        usage = {"prompt_tokens": 10, "completion_tokens": len(words)}
        await response.write(_chunk({}, "stop") + _data({"choices": [], "usage": usage}))
        generation.whole = True
        await response.write(b"data: [DONE]\n\n")
        return response

    async def _break(
        self, request: web.Request, response: web.StreamResponse, fault: str
    ) -> web.StreamResponse:
        if fault == "stall":
            await asyncio.sleep(30)
        elif fault == "garbage":
            await response.write(b'data: {"choices": [}\n\n')
        elif fault == "cut" and request.transport is not None:
            request.transport.abort()
        return response  # no_finish: a clean end that proves nothing


def _chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
    return _data({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def _data(fields: dict[str, Any]) -> bytes:
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "chaos-1"}
    return b"data: " + json.dumps(head | fields).encode() + b"\n\n"
