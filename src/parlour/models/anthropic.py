"""Anthropic Messages: send a request, read the stream.

The wire format is described at platform.claude.com/docs/en/build-with-claude/streaming. Thinking
is shown but not sent back: the API asks for it only within a tool loop that has thinking switched
on, which this request does not.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec
from yarl import URL

from parlour.domain import ToolSpec, Usage
from parlour.models.bounds import WireLimits
from parlour.models.failures import ModelFailure, NoFinish
from parlour.models.finish import finish_reason
from parlour.models.names import plain
from parlour.models.port import ChatMessage, ModelReply, ModelRequest, ModelSink, Served
from parlour.models.refusals import told, unreadable
from parlour.models.sse import EventSplitter
from parlour.models.toolcalls import ToolCallPieces
from parlour.models.usage import Spending, apart, usage_of
from parlour.models.voice import Voice
from parlour.models.wire import DONE, FINISHED, OPEN, SPEAKING, Wire

API_VERSION = "2023-06-01"  # the only one that is not deprecated


# --- what is read of an event; unknown events and fields pass by, as the API asks -----------------


class _OutputDetails(msgspec.Struct, gc=False):
    thinking_tokens: int | None = None


class _Usage(msgspec.Struct, gc=False):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens_details: _OutputDetails | None = None


class _Message(msgspec.Struct, gc=False):
    id: str = ""
    model: str = ""
    usage: _Usage | None = None


class _Block(msgspec.Struct, gc=False):
    type: str = ""
    id: str | None = None
    name: str | None = None
    text: str | None = None
    thinking: str | None = None
    input: Any = None


class _Delta(msgspec.Struct, gc=False):
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class _Event(msgspec.Struct, gc=False):
    type: str
    index: int = 0
    delta: _Delta | None = None
    content_block: _Block | None = None
    message: _Message | None = None
    usage: _Usage | None = None
    error: Any = None


_decode = msgspec.json.Decoder(_Event).decode


class AnthropicModel:
    """One model behind one base URL of the Messages API, for many calls at once."""

    def __init__(
        self,
        model: str,
        *,
        base_url: str,
        api_key: str = "",
        limits: WireLimits | None = None,
        extra: Mapping[str, Any] | None = None,
        check: Served | None = None,
    ) -> None:
        """`extra` goes into every body; `check` judges who answers before a word is shown."""
        self._model = model
        self._extra = dict(extra or {})
        self._check = check
        base = base_url.rstrip("/").removesuffix("/v1")
        self._url = URL(base + "/v1/messages")
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",  # compressing a stream of tokens only delays it
            "User-Agent": "parlour",
            "anthropic-version": API_VERSION,
        }
        if api_key:
            self._headers["x-api-key"] = api_key
        self._wire = Wire(limits or WireLimits())

    @property
    def name(self) -> str:
        """`anthropic:<model>`."""
        return f"anthropic:{self._model}"

    async def stream(self, request: ModelRequest, sink: ModelSink) -> ModelReply:
        """One call. Raises a `ModelFailure`; cancelling closes the connection."""
        reader = AnthropicReader(
            sink, line_bytes_max=self._wire.limits.line_bytes_max, check=self._check
        )
        request.tally.spent = reader.spending(request)
        try:
            await self._wire.post(
                self._url, headers=self._headers, body=self.body(request), feed=reader.feed
            )
            return reader.reply(request)
        except ModelFailure as failure:
            failure.spoke = reader.spoke
            raise

    def body(self, request: ModelRequest) -> bytes:
        """The request's JSON; the same request always gives the same bytes."""
        system, messages = converse(request.messages)
        body: dict[str, Any] = {
            "model": self._model,
            "max_tokens": request.max_tokens,
            "messages": messages,
            "stream": True,
        }
        if system:
            body["system"] = system
        if request.tools:
            body["tools"] = [_tool(tool) for tool in request.tools]
        if request.temperature is not None:
            body["temperature"] = request.temperature
        return msgspec.json.encode(body | self._extra)

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()


class AnthropicReader:
    """Reads one reply: give `feed` the bytes, then ask for the `reply`."""

    __slots__ = (
        "_calls",
        "_check",
        "_done",
        "_events",
        "_finish",
        "_id",
        "_model",
        "_tool_blocks",
        "_usage",
        "_voice",
    )

    def __init__(
        self, sink: ModelSink, *, line_bytes_max: int = 1_000_000, check: Served | None = None
    ) -> None:
        self._check = check
        self._events = EventSplitter(bytes_max=line_bytes_max)
        self._voice = Voice(sink)
        self._calls = ToolCallPieces()
        self._tool_blocks: set[int] = set()
        self._finish = ""
        self._done = False
        self._usage = _Usage()
        self._model = self._id = ""

    @property
    def spoke(self) -> bool:
        """Whether anything of the reply has been said."""
        return bool(self._voice)

    def feed(self, data: bytes) -> int:
        """Read some bytes. Returns how far the reply is; raises a `ModelFailure`."""
        said = False
        try:
            for payload in self._events.feed(data):
                self._read(payload)
        finally:
            # Also when this read breaks the reply: what was said before the break was said.
            said = self._voice.flush()
        if not self._finish:
            if self._done:
                raise NoFinish()
            return SPEAKING if said else OPEN
        return DONE if self._done else FINISHED

    def reply(self, request: ModelRequest) -> ModelReply:
        """The whole reply. Raises when nothing proves that it is whole."""
        self._events.finish(self._read, whole=bool(self._finish))
        self._voice.flush()
        if self._check is not None and not self._model:
            self._check("", "")
        reply = ModelReply(
            text=self._voice.text.join(),
            finish_reason=finish_reason(self._finish, calls=len(self._calls)),
            reasoning=self._voice.thought.join(),
            tool_calls=self._calls.requests(),
            usage=_usage(self._usage),
            served_by=self._model,
            request_id=self._id,
        )
        if self._usage.output_tokens is None:
            return dataclasses.replace(reply, usage=usage_of(reply, request))
        return reply

    def spending(self, request: ModelRequest) -> Callable[[], Usage | None]:
        """For the request's tally: what this reply has used so far.

        The first event has the exact counts of what was read; those of what was said come last.
        """

        counting = Spending(request)

        def spent() -> Usage | None:
            if self._usage.output_tokens is not None:
                return _usage(self._usage)
            if not self._model and self._usage.input_tokens is None:
                return None
            said = self._voice.text.join() + self._calls.said()
            counted = counting.usage(said=said, thought=self._voice.thought.join())
            if self._usage.input_tokens is None:
                return counted
            told = _usage(self._usage)
            return Usage(
                told.input,
                told.cache_read,
                told.cache_write,
                counted.output,
                counted.reasoning,
                estimated=True,
            )

        return spent

    def _read(self, payload: bytes) -> None:
        """One event. This runs for every token."""
        try:
            event = _decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise unreadable(error) from None
        kind = event.type
        if kind == "content_block_delta" and event.delta is not None:
            self._read_delta(event.index, event.delta)
        elif kind == "content_block_start" and event.content_block is not None:
            self._begin_block(event.index, event.content_block)
        elif kind == "message_start" and event.message is not None:
            self._model, self._id = plain(event.message.model), plain(event.message.id)
            if self._check is not None:
                self._check(self._model, "")
            self._count(event.message.usage)
        elif kind == "message_delta":
            if event.delta is not None and event.delta.stop_reason:
                self._finish = event.delta.stop_reason
            self._count(event.usage, final=True)
        elif kind == "message_stop":
            self._done = True
        elif kind == "error":
            raise told(event.error)

    def _read_delta(self, index: int, delta: _Delta) -> None:
        if delta.text:
            self._voice.say(delta.text)
        elif delta.thinking:
            self._voice.think(delta.thinking)
        elif delta.partial_json and index in self._tool_blocks:
            self._calls.add(index=index, call_id=None, name=None, arguments=delta.partial_json)

    def _begin_block(self, index: int, block: _Block) -> None:
        if block.type == "tool_use":
            self._tool_blocks.add(index)
            # Empty here and streamed in pieces by the API itself; compatible servers send it whole.
            arguments = msgspec.json.encode(block.input).decode() if block.input else ""
            self._calls.add(index=index, call_id=block.id, name=block.name, arguments=arguments)
        elif block.type == "text" and block.text:
            self._voice.say(block.text)
        elif block.type == "thinking" and block.thinking:
            self._voice.think(block.thinking)

    def _count(self, usage: _Usage | None, *, final: bool = False) -> None:
        """Later counts replace earlier ones: all of them are cumulative."""
        if usage is None:
            return
        for field in _Usage.__struct_fields__:
            value = getattr(usage, field)
            # The first event's output count is a placeholder, not a count of what was said.
            if value is not None and (final or field != "output_tokens"):
                setattr(self._usage, field, value)


def _usage(said: _Usage) -> Usage:
    """This API's input excludes cached tokens; its output includes thinking."""
    return apart(
        input=said.input_tokens,
        output=said.output_tokens,
        cache_read=said.cache_read_input_tokens,
        cache_write=said.cache_creation_input_tokens,
        reasoning=(said.output_tokens_details or _OutputDetails()).thinking_tokens,
    )


def converse(messages: list[ChatMessage]) -> tuple[str, list[dict[str, Any]]]:
    """The system text, and the messages as this API wants them.

    Roles alternate, so consecutive ones are merged; tool results are blocks of a user message;
    empty text is left out, as the API refuses it.
    """
    system: list[str] = []
    found: list[dict[str, Any]] = []
    for message in messages:
        if message["role"] == "system":
            system.append(message["content"])
            continue
        role = "assistant" if message["role"] == "assistant" else "user"
        blocks = _blocks(message)
        if not blocks:
            continue
        if found and found[-1]["role"] == role:
            cast("list[dict[str, Any]]", found[-1]["content"]).extend(blocks)
        else:
            found.append({"role": role, "content": blocks})
    return "\n\n".join(text for text in system if text), found


def _blocks(message: ChatMessage) -> list[dict[str, Any]]:
    if message["role"] == "tool":
        return [
            {
                "type": "tool_result",
                "tool_use_id": _call_id(message["call_id"]),
                "content": message["content"],
            }
        ]
    blocks: list[dict[str, Any]] = []
    if message["content"].strip():
        blocks.append({"type": "text", "text": message["content"]})
    blocks += [
        {
            "type": "tool_use",
            "id": _call_id(call["id"]),
            "name": call["name"],
            "input": call["arguments"] or {},
        }
        for call in message.get("tool_calls") or ()
    ]
    return blocks


def _call_id(call_id: str) -> str:
    """Ids of other providers may hold characters that this API refuses."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", call_id)


def _tool(tool: ToolSpec) -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.description,
        "input_schema": tool.parameters or {"type": "object", "properties": {}},
    }
