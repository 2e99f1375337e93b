"""Any LangChain chat model as a Parlour model, for the providers without a reader of our own.

Costs about fifty times more CPU a token than openai.py, which is why those two are not here. What
LangChain does not pass on (a provider's reasoning, say) is lost. Needs the extra `providers` and
the provider's own package.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine, Mapping
from contextlib import aclosing
from typing import Any, cast

from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages.ai import UsageMetadata, add_usage

from parlour.domain import ToolSpec, Usage
from parlour.errors import ConfigurationError
from parlour.models import failures
from parlour.models.bounds import WireLimits
from parlour.models.failures import ModelFailure
from parlour.models.finish import finish_reason
from parlour.models.names import plain
from parlour.models.port import ChatMessage, ModelReply, ModelRequest, ModelSink, Served
from parlour.models.refusals import refused
from parlour.models.toolcalls import ToolCallPieces
from parlour.models.usage import broken_usage, buckets, usage_of

CANCEL_EVERY_S = 0.05
CANCELS_MAX = 40  # 2 s, the most that a stop may take

# The bound of a reply has three names; the first that a model knows is set.
_BOUNDS = ("max_tokens", "max_output_tokens", "num_predict")


def build_langchain(
    model: str, *, limits: WireLimits | None = None, check: Served | None = None
) -> LangChainModel:
    """The model that LangChain calls `provider:name`; keys come from its own variables.

    `check` judges who answers as soon as that is known, which with most of its packages is at the
    end of the reply.

    Raises `ConfigurationError` with LangChain's reason: an unknown provider, a missing package.
    """
    try:
        chat = _quiet(model)
    except ImportError as error:
        raise ConfigurationError(f"PARLOUR_MODEL=langchain:{model}: {error}") from None
    except Exception as error:  # each provider has its own exceptions for a missing key
        first_line = str(error).strip().partition("\n")[0]
        raise ConfigurationError(
            f"PARLOUR_MODEL=langchain:{model} cannot be set up: {first_line}"
        ) from error
    return LangChainModel(chat, name=f"langchain:{model}", limits=limits, check=check)


def _quiet(model: str) -> BaseChatModel:
    """LangChain's model without retries of its own: trying again is decided in one place."""
    chat = init_chat_model(model)
    if getattr(chat, "max_retries", 0) == 0:
        return chat
    return init_chat_model(model, max_retries=0)


class LangChainModel:
    """A Parlour model that speaks through a LangChain one. Use it with an instance of your own."""

    def __init__(
        self,
        chat: BaseChatModel,
        *,
        name: str,
        limits: WireLimits | None = None,
        check: Served | None = None,
    ) -> None:
        self._chat = chat
        self._check = check
        self._name = name
        self._limits = limits or WireLimits()

    @property
    def name(self) -> str:
        """`langchain:<provider>:<model>`."""
        return self._name

    async def stream(self, request: ModelRequest, sink: ModelSink) -> ModelReply:
        """One call. Raises a `ModelFailure`; cancelling closes LangChain's stream."""
        listener = _Listener(sink, self._check)
        request.tally.spent = listener.spending(request)
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._limits.total_s
        try:
            async with asyncio.timeout(min(self._limits.first_byte_s, self._limits.total_s)) as end:

                def heard(chunk: AIMessageChunk) -> None:
                    end.reschedule(min(loop.time() + self._limits.idle_s, ends_at))
                    listener.hear(chunk)

                await _stoppable(self._listen(request, heard))
            return listener.reply(request)
        except TimeoutError as error:
            silence = failures.IdleTimeout if listener.heard else failures.FirstByteTimeout
            failure = failures.TotalTimeout() if loop.time() >= ends_at else silence()
            raise listener.blamed(failure) from error
        except ModelFailure as failure:
            raise listener.blamed(failure) from None
        except Exception as error:  # each provider's package has its own tree of exceptions
            raise listener.blamed(_failure(error, heard=listener.heard)) from error

    async def _listen(self, request: ModelRequest, heard: Callable[[AIMessageChunk], None]) -> None:
        chat: Any = self._configured(request)
        if request.tools:
            chat = chat.bind_tools([_tool(tool) for tool in request.tools])
        messages = [_message(message) for message in request.messages]
        async with aclosing(chat.astream(messages)) as chunks:
            async for chunk in chunks:
                heard(chunk)

    async def close(self) -> None:
        """LangChain owns its connections."""

    def _configured(self, request: ModelRequest) -> BaseChatModel:
        fields = type(self._chat).model_fields
        changes: dict[str, Any] = {}
        for bound in _BOUNDS:
            if bound in fields and getattr(self._chat, bound) is None:
                changes[bound] = request.max_tokens
                break
        if request.temperature is not None and "temperature" in fields:
            changes["temperature"] = request.temperature
        return self._chat.model_copy(update=changes) if changes else self._chat


async def _stoppable(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` so that cancelling ends it, however it takes it.

    Provider packages are known to spend the first cancellation on closing an inner generator and
    then to go on waiting for the provider, so the wish is repeated until it is granted.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    finally:
        for _ in range(CANCELS_MAX):
            if task.done():
                break
            task.cancel()
            await asyncio.wait({task}, timeout=CANCEL_EVERY_S)


class _Listener:
    """Turns LangChain's chunks into words for the sink and, at the end, a reply."""

    def __init__(self, sink: ModelSink, check: Served | None) -> None:
        self._sink = sink
        self._check = check
        self.heard = False
        self._text: list[str] = []
        self._thought: list[str] = []
        self._calls = ToolCallPieces()
        self._finish = ""
        self._served_by = ""
        self._usage: UsageMetadata | None = None

    def hear(self, chunk: AIMessageChunk) -> None:
        """One chunk. Its usage, by LangChain's custom, adds to that of the others."""
        self.heard = True
        said = cast("Mapping[str, Any]", chunk.response_metadata)
        if not self._served_by:
            self._hear_who(str(said.get("model_name") or said.get("model") or ""))
        for block in chunk.content_blocks:
            if block["type"] == "text" and block["text"]:
                self._text.append(block["text"])
                self._sink.text(block["text"])
            elif block["type"] == "reasoning" and (thought := block.get("reasoning")):
                self._thought.append(thought)
                self._sink.reasoning(thought)
        for piece in chunk.tool_call_chunks:
            index = piece["index"]
            self._calls.add(
                index=index if isinstance(index, int) else None,
                call_id=piece["id"],
                name=piece["name"],
                arguments=piece["args"] or "",
            )
        if chunk.usage_metadata:
            self._usage = add_usage(self._usage, chunk.usage_metadata)
        finish = said.get("finish_reason") or said.get("stop_reason") or said.get("done_reason")
        self._finish = str(finish) if finish else self._finish
        self._sink.flush()

    def _hear_who(self, name: str) -> None:
        self._served_by = name = plain(name)
        if name and self._check is not None:
            self._check(name, "")

    def blamed(self, failure: ModelFailure) -> ModelFailure:
        """The failure, knowing whether anything was said before it."""
        failure.spoke = bool(self._text or self._thought)
        return failure

    def spending(self, request: ModelRequest) -> Callable[[], Usage | None]:
        """For the request's tally: what this reply has used so far.

        LangChain adds usage up as it comes, and most providers' packages give the output last.
        """

        def spent() -> Usage | None:
            if not self.heard:
                return None
            told = _usage(self._usage) if self._usage else Usage()
            if told.output or told.reasoning:
                return told
            said = "".join(self._text) + self._calls.said()
            counted = broken_usage(request, said=said, thought="".join(self._thought))
            return counted

        return spent

    def reply(self, request: ModelRequest) -> ModelReply:
        """The whole reply. Raises when nothing proves that it is whole."""
        if self._check is not None and not self._served_by:
            self._check("", "")
        reply = ModelReply(
            text="".join(self._text),
            finish_reason=finish_reason(self._finish, calls=len(self._calls)),
            reasoning="".join(self._thought),
            tool_calls=self._calls.requests(),
            served_by=self._served_by,
        )
        usage = _usage(self._usage) if self._usage else usage_of(reply, request)
        return dataclasses.replace(reply, usage=usage)


def _usage(said: UsageMetadata) -> Usage:
    """LangChain's input includes the cache, its output the reasoning."""
    into = said.get("input_token_details") or {}
    out = said.get("output_token_details") or {}
    return buckets(
        prompt=said["input_tokens"],
        output=said["output_tokens"],
        cache_read=into.get("cache_read"),
        cache_write=into.get("cache_creation"),
        reasoning=out.get("reasoning"),
        total=said.get("total_tokens"),
    )


def _failure(error: Exception, *, heard: bool) -> ModelFailure:
    """The failure that a provider package's exception means, by what most of them carry."""
    status: Any = getattr(error, "status_code", None) or getattr(error, "code", None)
    if isinstance(status, int) and 300 <= status < 600:
        response = getattr(error, "response", None)
        headers = cast("Mapping[str, str]", getattr(response, "headers", None) or {})
        return refused(status, headers, str(error).encode("utf-8", "replace"))
    name = type(error).__name__
    kind: type[ModelFailure] = ModelFailure
    if "Timeout" in name:
        kind = failures.IdleTimeout if heard else failures.FirstByteTimeout
    elif "Connect" in name or isinstance(error, OSError):
        kind = failures.CutOff if heard else failures.Unreachable
    elif heard:
        kind = failures.CutOff
    return kind(f"{name}: {error}")


def _message(message: ChatMessage) -> BaseMessage:
    match message["role"]:
        case "system":
            return SystemMessage(message["content"])
        case "user":
            return HumanMessage(message["content"])
        case "tool":
            return ToolMessage(
                message["content"], tool_call_id=message["call_id"], name=message["name"]
            )
        case _:
            calls: list[dict[str, Any]] = [
                {"id": call["id"], "name": call["name"], "args": call["arguments"] or {}}
                for call in message.get("tool_calls") or ()
            ]
            return AIMessage(message["content"], tool_calls=calls)


def _tool(tool: ToolSpec) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters or {"type": "object", "properties": {}},
        },
    }
