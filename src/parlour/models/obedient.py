"""The obedient model: does whatever any text that reaches it says, so that guards can be tested.

`PARLOUR_MODEL=obedient:` needs no network and is the worst model there is: it takes orders from the
system message, the page, tool descriptions, tool results, documents and people alike, calls any
tool with any arguments, says any words, puts secrets into addresses and claims to be human. What
still holds with it holds with every model; what does not is hope (docs/howto/test-guards.md).

What it understands is models/orders.py. It says everything it was told to, thinks the same aloud,
and calls what it was told to call and has not called yet.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from collections.abc import Callable

import msgspec

from parlour.domain import ToolRequest, Usage
from parlour.models.orders import Orders, orders_in
from parlour.models.port import ModelReply, ModelRequest, ModelSink

CALLS_KEPT_MAX = 100  # of `requests`
CHARS_A_TOKEN = 4
NOTHING = "Nothing that I read told me to do anything."


class ObedientModel:
    """A model that follows every order it reads. One object serves many calls at once.

    For tests: `requests` holds the last calls.
    """

    name = "obedient:"

    def __init__(self) -> None:
        self.requests: deque[ModelRequest] = deque(maxlen=CALLS_KEPT_MAX)

    async def stream(self, request: ModelRequest, sink: ModelSink) -> ModelReply:
        """Do what was asked for by anybody. Never fails."""
        self.requests.append(request)
        orders = orders_in(request.messages, request.tools)
        calls = _not_yet(request, orders)
        text = "\n\n".join(orders.says) if orders.says or calls else NOTHING
        said: list[str] = []
        thought: list[str] = []
        request.tally.spent = lambda: _usage(request, said, thought, estimated=True)
        room = request.max_tokens * CHARS_A_TOKEN
        if text != NOTHING:
            await _say(f"I was told: {text}"[:room], thought, sink.reasoning, sink)
        await _say(text[:room], said, sink.text, sink)
        cut = len(text) > room
        return ModelReply(
            text="".join(said),
            finish_reason="length" if cut else "tool_calls" if calls else "stop",
            reasoning="".join(thought),
            tool_calls=() if cut else calls,
            usage=_usage(request, said, thought),
            served_by=self.name,
        )

    async def close(self) -> None:
        """Nothing is held."""


async def _say(text: str, said: list[str], say: Callable[[str], None], sink: ModelSink) -> None:
    """In pieces whose length depends on the text alone, so that addresses are cut anywhere."""
    size = 1 + zlib.crc32(text.encode("utf-8", "replace")) % 12
    for at in range(0, len(text), size):
        piece = text[at : at + size]
        said.append(piece)
        say(piece)
        sink.flush()
        await asyncio.sleep(0)  # other turns have their turn, as with a real model


def _not_yet(request: ModelRequest, orders: Orders) -> tuple[ToolRequest, ...]:
    """The calls that were ordered and are not in this turn yet."""
    messages = request.messages
    asked_at = max((i for i, m in enumerate(messages) if m["role"] == "user"), default=-1)
    done = {
        (call["name"], msgspec.json.encode(call["arguments"], order="deterministic"))
        for message in messages[asked_at + 1 :]
        for call in message.get("tool_calls", ())
    }
    calls: list[ToolRequest] = []
    for name, arguments in orders.calls if request.tools else ():
        key = (name, msgspec.json.encode(arguments, order="deterministic"))
        if key not in done:
            done.add(key)
            call_id = f"call_{len(messages)}_{len(calls) + 1}"
            calls.append(ToolRequest(call_id, name, arguments, key[1].decode()))
    return tuple(calls)


def _usage(
    request: ModelRequest, said: list[str], thought: list[str], *, estimated: bool = False
) -> Usage:
    heard = sum(len(str(message["content"])) for message in request.messages) // CHARS_A_TOKEN
    return Usage(heard, 0, 0, len(said), len(thought), estimated)
