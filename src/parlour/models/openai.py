"""OpenAI-compatible chat completions: send a request, read the stream.

Written for OpenAI itself and for the many servers that speak its dialect with an accent: usage on
every chunk or in one without choices, reasoning under two names, tool calls without ids or all
under one index, content as a list of parts, a missing `[DONE]`. The wire format is described at
platform.openai.com/docs/api-reference/chat-streaming.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from yarl import URL

from parlour.domain import Usage
from parlour.models.bounds import WireLimits
from parlour.models.failures import ModelFailure, NoFinish
from parlour.models.finish import finish_reason
from parlour.models.frame import Frame
from parlour.models.names import plain
from parlour.models.openai_messages import message_json, tool_json
from parlour.models.port import ModelReply, ModelRequest, ModelSink, Served
from parlour.models.refusals import told, unreadable
from parlour.models.sse import EventSplitter
from parlour.models.toolcalls import ToolCallPieces
from parlour.models.usage import Spending, buckets, usage_of
from parlour.models.voice import Voice
from parlour.models.wire import DONE, FINISHED, OPEN, SPEAKING, Wire

# Models that know only `max_completion_tokens`, by OpenAI's own names, also behind a gateway's
# prefix. Everything else that speaks this dialect knows `max_tokens`, and often nothing newer.
_NEW_BOUND = re.compile(r"(?:^|/)(?:o\d|gpt-[5-9]|gpt-\d\d)", re.IGNORECASE)
_OWN_HOSTS = ("api.openai.com", ".api.openai.com", ".openai.azure.com")

# --- what is read of a chunk. No cycles can form, so the garbage collector need not look. ------


class _Piece(msgspec.Struct, gc=False):
    type: str = ""
    text: str | None = None
    thinking: list[_Piece] | str | None = None


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class _ToolPiece(msgspec.Struct, gc=False):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct, gc=False):
    content: str | list[_Piece] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolPiece] | None = None


class _Choice(msgspec.Struct, gc=False):
    delta: _Delta | None = None
    finish_reason: str | None = None
    index: int = 0


class _PromptDetails(msgspec.Struct, gc=False):
    cached_tokens: int | float | None = None
    cache_write_tokens: int | float | None = None


class _CompletionDetails(msgspec.Struct, gc=False):
    reasoning_tokens: int | float | None = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: int | float | None = None
    completion_tokens: int | float | None = None
    total_tokens: int | float | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None
    prompt_cache_hit_tokens: int | float | None = None  # DeepSeek's name for cached_tokens


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    model: str | None = None
    id: str | None = None
    provider: str | None = None  # a gateway's word for who answers
    error: Any = None
    object: str | None = None


_decode = msgspec.json.Decoder(_Chunk).decode


class OpenAIModel:
    """One model behind one OpenAI-compatible base URL, for many calls at once."""

    def __init__(
        self,
        model: str,
        *,
        base_url: str,
        api_key: str = "",
        limits: WireLimits | None = None,
        wire: Wire | None = None,
        extra: Mapping[str, Any] | None = None,
        check: Served | None = None,
    ) -> None:
        """`extra` goes into every body; `check` judges who answers before a word is shown."""
        self._model = model
        self._extra = dict(extra or {})
        self._check = check
        self._url = URL(base_url.rstrip("/") + "/chat/completions")
        host = self._url.host or ""
        self._own = host == _OWN_HOSTS[0] or host.endswith(_OWN_HOSTS[1:])
        self._bound = (
            "max_completion_tokens" if self._own or _NEW_BOUND.search(model) else "max_tokens"
        )
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",  # compressing a stream of tokens only delays it
            "User-Agent": "parlour",
        }
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._wire = wire or Wire(limits or WireLimits())

    @property
    def name(self) -> str:
        """`openai:<model>`."""
        return f"openai:{self._model}"

    async def stream(self, request: ModelRequest, sink: ModelSink) -> ModelReply:
        """One call. Raises a `ModelFailure`; cancelling closes the connection."""
        reader = OpenAIReader(
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
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [message_json(message) for message in request.messages],
            "stream": True,
            "stream_options": {"include_usage": True},
            self._bound: request.max_tokens,
        }
        if self._own:  # padding against traffic analysis; half of the bytes of a short token
            body["stream_options"]["include_obfuscation"] = False
        if request.tools:
            body["tools"] = [tool_json(tool) for tool in request.tools]
        if request.temperature is not None:
            body["temperature"] = request.temperature
        return msgspec.json.encode(body | self._extra)

    async def close(self) -> None:
        """Close the connections."""
        await self._wire.close()


class OpenAIReader:
    """Reads one reply: give `feed` the bytes, then ask for the `reply`."""

    __slots__ = (
        "_calls",
        "_check",
        "_events",
        "_finish",
        "_frame",
        "_id",
        "_model",
        "_upstream",
        "_usage",
        "_voice",
    )

    def __init__(
        self, sink: ModelSink, *, line_bytes_max: int = 1_000_000, check: Served | None = None
    ) -> None:
        self._check = check
        self._events = EventSplitter(bytes_max=line_bytes_max)
        self._voice = Voice(sink)
        self._frame = Frame()
        self._calls = ToolCallPieces()
        self._finish = ""
        self._usage: _Usage | None = None
        self._model = self._upstream = self._id = ""

    @property
    def spoke(self) -> bool:
        """Whether anything of the reply has been said."""
        return bool(self._voice)

    def feed(self, data: bytes) -> int:
        """Read some bytes. Returns how far the reply is; raises a `ModelFailure`."""
        done = said = False
        voice, words_of = self._voice, self._frame.words
        if self._events.begins_event(data) and (words := self._frame.words_of_read(data)):
            voice.say(words)
            voice.flush()
            return FINISHED if self._finish else SPEAKING
        try:
            for payload in self._events.feed(data):
                if words := words_of(payload):
                    voice.say(words)
                elif payload == b"[DONE]":
                    done = True
                else:
                    self._read(payload)
        finally:
            # Also when this read breaks the reply: what was said before the break was said.
            said = voice.flush()
        if not self._finish:
            if done:
                raise NoFinish()
            return SPEAKING if said else OPEN
        return DONE if done else FINISHED

    def reply(self, request: ModelRequest) -> ModelReply:
        """The whole reply. Raises when nothing proves that it is whole."""
        self._events.finish(self._read_last, whole=bool(self._finish))
        self._voice.flush()
        if self._check is not None and not self._model:
            self._check("", self._upstream)
        reply = ModelReply(
            text=self._voice.text.join(),
            finish_reason=finish_reason(self._finish, calls=len(self._calls)),
            reasoning=self._voice.thought.join(),
            tool_calls=self._calls.requests(),
            usage=_usage(self._usage) if self._usage else Usage(),
            served_by=self._model,
            upstream=self._upstream,
            request_id=self._id,
        )
        told = self._usage is not None
        return reply if told else dataclasses.replace(reply, usage=usage_of(reply, request))

    def spending(self, request: ModelRequest) -> Callable[[], Usage | None]:
        """For the request's tally: what this reply has used so far."""

        counting = Spending(request)

        def spent() -> Usage | None:
            if self._usage is not None:
                return _usage(self._usage)
            calls = self._calls.said()
            voice = self._voice
            if not (self._model or voice or calls):
                return None
            return counting.usage(said=voice.text.join() + calls, thought=voice.thought.join())

        return spent

    def _read(self, payload: bytes) -> None:
        """One chunk. This runs for every token of a server whose chunks have no frame."""
        try:
            chunk = _decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise unreadable(error) from None
        if chunk.usage is not None:
            self._usage = chunk.usage
        if not chunk.choices or chunk.error is not None:
            return self._read_other(chunk, payload)
        if chunk.model and not self._model:
            self._served(chunk)
        for choice in chunk.choices:
            if choice.index:  # only one answer was asked for
                continue
            delta = choice.delta
            if delta is not None:
                self._read_delta(delta)
            if choice.finish_reason:
                self._finish = choice.finish_reason
        if self._frame.sought and (text := _only_words(chunk)):
            self._frame.learn(payload, text)
        return None

    def _served(self, chunk: _Chunk) -> None:
        """The first chunk says who answers."""
        self._model, self._id = plain(chunk.model), plain(chunk.id)
        self._upstream = plain(chunk.provider)
        if self._check is not None:
            self._check(self._model, self._upstream)

    def _read_delta(self, delta: _Delta) -> None:
        thought = delta.reasoning_content or delta.reasoning
        if thought:
            self._voice.think(thought)
        content = delta.content
        if content.__class__ is str:
            if content:
                self._voice.say(content)  # pyright: ignore[reportArgumentType]
        elif content is not None:
            for part in content:
                self._read_piece(part)  # pyright: ignore[reportArgumentType]
        if delta.refusal:
            self._voice.say(delta.refusal)
        for piece in delta.tool_calls or ():
            function = piece.function or _Function()
            arguments = function.arguments
            if isinstance(arguments, dict):
                arguments = msgspec.json.encode(arguments).decode()
            self._calls.add(
                index=piece.index,
                call_id=piece.id,
                name=function.name,
                arguments=arguments or "",
            )

    def _read_piece(self, piece: _Piece) -> None:
        thinking = piece.thinking
        if isinstance(thinking, list):
            thinking = "".join(part.text or "" for part in thinking)
        if thinking:
            self._voice.think(thinking)
        if piece.text:
            self._voice.say(piece.text)

    def _read_other(self, chunk: _Chunk, payload: bytes) -> None:
        """A chunk without choices: usage, an error in one of two forms, or nothing of interest."""
        if chunk.error is not None:
            raise told(chunk.error)
        if chunk.object == "error":
            raise told(msgspec.json.decode(payload))

    def _read_last(self, payload: bytes) -> None:
        if payload != b"[DONE]":
            self._read(payload)


def _only_words(chunk: _Chunk) -> str:
    """The words of a chunk that has nothing else in it; empty when it has."""
    choices = chunk.choices or []
    choice = choices[0]
    delta = choice.delta
    if delta is None or len(choices) > 1 or choice.index or choice.finish_reason or chunk.usage:
        return ""
    if delta.reasoning_content or delta.reasoning or delta.refusal or delta.tool_calls:
        return ""
    return delta.content if isinstance(delta.content, str) else ""


def _usage(said: _Usage) -> Usage:
    into = said.prompt_tokens_details or _PromptDetails()
    out = said.completion_tokens_details or _CompletionDetails()
    return buckets(
        prompt=said.prompt_tokens,
        output=said.completion_tokens,
        cache_read=into.cached_tokens or said.prompt_cache_hit_tokens,
        cache_write=into.cache_write_tokens,
        reasoning=out.reasoning_tokens,
        total=said.total_tokens,
    )
