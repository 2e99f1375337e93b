"""The embedded model: a small one that runs on this machine, so that Parlour answers without a key.

It is a demonstration and an offline fallback. One child process runs it (local_process.py); what it
is asked, so that a small model does well, is in local_choice.py.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from yarl import URL

from parlour.domain import ToolRequest, ToolSpec, Usage
from parlour.errors import ConfigurationError, Upstream
from parlour.models import weights
from parlour.models.failures import (
    ConnectTimeout,
    CutOff,
    Disconnected,
    FirstByteTimeout,
    IdleTimeout,
    NoFinish,
    NotHttp,
    TotalTimeout,
    Unreachable,
)
from parlour.models.local_choice import (
    answer_messages,
    called_before,
    choice_messages,
    choice_schema,
    may_choose,
    read_choice,
)
from parlour.models.local_process import LocalModelFailed, LocalProcess, Order
from parlour.models.openai import OpenAIReader
from parlour.models.port import ChatMessage, ModelReply, ModelRequest, ModelSink, Unheard
from parlour.models.wire import Wire, WireLimits

FETCH_COMMAND = "parlour fetch-model"  # what people type to get weights; named in sentences

CONTEXT_TOKENS = 8_192
REPLY_TOKENS_MAX = 1_024  # 30 s of the 1.5B on two cores
CHOICE_TOKENS_MAX = 400
# About 4,000 tokens: 40 s of the 1.5B's reading, and with two replies it fits the context.
PROMPT_CHARS_MAX = 14_000
TEMPERATURE = 0.2  # small models wander
PARALLEL = 2
QUEUE_WAIT_S = 60.0
# The first byte comes when all is read: 4,000 tokens take 40 s alone, twice that beside another.
LIMITS = WireLimits(connect_s=5, first_byte_s=180, idle_s=60, total_s=300)
_BROKEN = (Unreachable, ConnectTimeout, NotHttp, Disconnected, CutOff, NoFinish)
_HUNG = (FirstByteTimeout, IdleTimeout, TotalTimeout)


class LocalModelBusy(Upstream):
    """Too many turns want the embedded model at once."""

    code = "local_model_busy"
    status = 503
    title = "The embedded model is busy"
    retry_after_s = 10


def build_local(
    which: str, *, data_dir: Path, cache_dir: Path = weights.CACHE_DIR, threads: int = 0
) -> LocalModel:
    """The embedded model of that name (`1.5b`, `0.5b`, `135m`), the GGUF file at that path, or the
    default for this machine when empty. Starts nothing yet.

    Weights are looked for below `data_dir`, then below `cache_dir`. `threads` 0 = one a core.
    Raises `ConfigurationError` when the extra or the weights are not there, with what to type.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise ConfigurationError(
            "The embedded model needs an extra. Type: pip install 'parlour[local]'"
        )
    path, name = _resolve(which, (data_dir, cache_dir))
    order = Order(
        model=path.resolve(),
        threads=threads or max(2, _cores()),
        context=CONTEXT_TOKENS,
        parallel=PARALLEL,
    )
    return LocalModel(name, LocalProcess(order))


class LocalModel:
    """A `Model` whose work is done by a child process, started by `warm` or on first use."""

    def __init__(self, name: str, process: LocalProcess) -> None:
        self._name = f"local:{name}"
        self._process = process
        self._wire = Wire(LIMITS)
        self._room = asyncio.Semaphore(PARALLEL)

    @property
    def name(self) -> str:
        """`local:` and the model's name, e.g. `local:qwen2.5-coder-1.5b`."""
        return self._name

    @property
    def process(self) -> LocalProcess:
        """The owner of the child process."""
        return self._process

    async def warm(self, tools: Sequence[ToolSpec] = ()) -> None:
        """Start the child and let it read the stable part of the questions, so that the first
        message does not wait for that. Raises what `stream` raises."""
        await self._process.ensure()
        if tools:
            hello: list[ChatMessage] = [{"role": "user", "content": "hello"}]
            await self._choose(ModelRequest(hello, tuple(tools)))

    async def stream(self, request: ModelRequest, sink: ModelSink) -> ModelReply:
        """Choose a tool when any are on offer and it is their time, else answer in words."""
        usage = Usage()
        if request.tools and may_choose(request.messages):
            chosen, usage = await self._choose(request)
            if chosen and not called_before(request.messages, chosen):
                return ModelReply(
                    text="",
                    finish_reason="tool_calls",
                    tool_calls=(chosen,),
                    usage=usage,
                    served_by=self._name,
                )

        temperature = TEMPERATURE if request.temperature is None else request.temperature
        reply = await self._ask(
            {
                "messages": answer_messages(request.messages, chars_max=PROMPT_CHARS_MAX),
                "max_tokens": min(request.max_tokens, REPLY_TOKENS_MAX),
                "temperature": temperature,
            },
            request,
            sink,
        )
        return replace(reply, usage=usage + reply.usage)

    async def close(self) -> None:
        """End the child process and close connections to it."""
        await self._wire.close()
        await self._process.close()

    async def _choose(self, request: ModelRequest) -> tuple[ToolRequest | None, Usage]:
        body = {
            "messages": choice_messages(request.messages, request.tools),
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "step", "schema": choice_schema(request.tools)},
            },
            "max_tokens": CHOICE_TOKENS_MAX,
            "temperature": 0,
        }
        reply = await self._ask(body, request, Unheard())
        return read_choice(reply.text, request.tools), reply.usage

    async def _ask(
        self, body: Mapping[str, Any], request: ModelRequest, sink: ModelSink
    ) -> ModelReply:
        """One request, when there is room for it and the child is ready."""
        try:
            await asyncio.wait_for(self._room.acquire(), QUEUE_WAIT_S)
        except TimeoutError:
            raise LocalModelBusy(
                "The embedded model is answering others. Please try again in a moment."
            ) from None
        try:
            address = await self._process.ensure()
            reader = OpenAIReader(sink)
            request.tally.spent = reader.spending(request)
            streamed = {"stream": True, "stream_options": {"include_usage": True}}
            await self._wire.post(
                URL(f"{address.url}/v1/chat/completions"),
                headers={
                    "Content-Type": "application/json",
                    "Authorization": f"Bearer {address.key}",
                    # It hangs up after each stream without saying so; kept, the line would be dead.
                    "Connection": "close",
                },
                body=msgspec.json.encode({**body, **streamed, "cache_prompt": True}),
                feed=reader.feed,
            )
            reply = reader.reply(request)
        except _BROKEN as error:
            await self._process.settle()
            raise LocalModelFailed(
                "The embedded model stopped in the middle of its work. It starts again with the "
                "next message; please try again."
            ) from error
        except _HUNG:
            await self._process.abandon()
            raise
        finally:
            self._room.release()
        self._process.steady()
        return replace(reply, served_by=self._name)


def _resolve(which: str, places: Sequence[Path]) -> tuple[Path, str]:
    """The file and the model's short name."""
    if which and which not in weights.manifest():
        path = Path(which).expanduser()
        if not path.is_file():
            raise ConfigurationError(
                f"PARLOUR_MODEL names the file {which}, but there is none. Give the path of a GGUF "
                f"file, or one of {', '.join(weights.manifest())}."
            )
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise ConfigurationError(f"{which} is not a GGUF file.")
        return path, path.stem
    wanted = weights.named(which)
    for place in places:
        if found := weights.present(wanted, place):
            return found, wanted.model
    raise ConfigurationError(
        f"The embedded model {wanted.title} ({wanted.bytes / 1e6:,.0f} MB) is not here yet. "
        f"Type: {FETCH_COMMAND} {wanted.name}"
    )


def _cores() -> int:
    """Processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 2
