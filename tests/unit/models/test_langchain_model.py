"""The adapter on a LangChain chat model of its own, for what langchain-openai cannot show."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field

from parlour.domain import ToolSpec, Usage
from parlour.models.bounds import WireLimits
from parlour.models.failures import (
    CutOff,
    IdleTimeout,
    ModelFailure,
    NoFinish,
    RateLimited,
    Unreachable,
    WrongServer,
)
from parlour.models.langchain import LangChainModel
from parlour.models.port import ModelRequest
from parlour.models.routes import Route

CHUNKS = [
    AIMessageChunk(content="", additional_kwargs={"reasoning_content": "Let me "}),
    AIMessageChunk(content=[{"type": "reasoning", "reasoning": "think."}]),
    AIMessageChunk(content="Fo"),
    AIMessageChunk(content=[{"type": "text", "text": "ur.", "index": 0}]),
    AIMessageChunk(
        content="",
        tool_call_chunks=[
            {"index": 0, "id": "c1", "name": "t", "args": '{"x"', "type": "tool_call_chunk"},
            {"index": 1, "id": "c2", "name": "u", "args": "", "type": "tool_call_chunk"},
        ],
        usage_metadata={
            "input_tokens": 100,
            "output_tokens": 0,
            "total_tokens": 100,
            "input_token_details": {"cache_read": 60, "cache_creation": 10},
        },
    ),
    AIMessageChunk(
        content="",
        tool_call_chunks=[
            {"index": 0, "id": None, "name": None, "args": ": 1}", "type": "tool_call_chunk"}
        ],
        usage_metadata={
            "input_tokens": 0,
            "output_tokens": 9,
            "total_tokens": 9,
            "output_token_details": {"reasoning": 4},
        },
    ),
    AIMessageChunk(
        content="", response_metadata={"finish_reason": "TOOL_CALLS", "model_name": "served"}
    ),
]


class Chat(BaseChatModel):
    """Streams `chunks`, then raises `ending` if there is one; hangs when told to."""

    chunks: list[Any] = CHUNKS
    ending: Any = None
    hang: bool = False
    deaf: int = 0  # cancellations that are ignored first
    max_tokens: int | None = None
    temperature: float | None = None
    seen: list[Any] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "test"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self.bind(tools=tools)

    def _generate(self, messages: list[BaseMessage], *_: Any, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content="x"))])

    async def _astream(
        self, messages: list[BaseMessage], *_: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        self.seen.append((messages, kwargs, self.max_tokens, self.temperature))
        try:
            for chunk in self.chunks:
                yield ChatGenerationChunk(message=chunk)
            for _ in range(self.deaf):
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()
            if self.hang:
                await asyncio.Event().wait()
            if self.ending is not None:
                raise self.ending
        finally:
            self.seen.append("closed")


class Sink:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.thought: list[str] = []
        self.spoke = asyncio.Event()

    def text(self, text: str) -> None:
        self.said.append(text)
        self.spoke.set()

    def reasoning(self, text: str) -> None:
        self.thought.append(text)

    def flush(self) -> None:
        pass


def ask(**fields: Any) -> ModelRequest:
    return ModelRequest([{"role": "user", "content": "2 + 2?"}], **fields)


async def test_reasoning_text_tools_and_usage_come_through() -> None:
    sink = Sink()
    reply = await LangChainModel(Chat(), name="langchain:test").stream(ask(), sink)
    assert reply.reasoning == "".join(sink.thought) == "Let me think."
    assert reply.text == "".join(sink.said) == "Four."
    assert [(call.id, call.name, call.arguments) for call in reply.tool_calls] == [
        ("c1", "t", {"x": 1}),
        ("c2", "u", {}),
    ]
    assert reply.finish_reason == "tool_calls"
    assert reply.usage == Usage(input=30, cache_read=60, cache_write=10, output=5, reasoning=4)
    assert reply.served_by == "served"


async def test_the_request_reaches_the_chat_model() -> None:
    chat = Chat(seen=[])
    request = ModelRequest(
        [
            {"role": "user", "content": "q"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": "c", "name": "t", "arguments": {"x": 1}}],
            },
            {"role": "tool", "call_id": "c", "name": "t", "content": "r"},
        ],
        tools=(ToolSpec("t", "d", {}),),
        max_tokens=7,
        temperature=0.5,
    )
    await LangChainModel(chat, name="langchain:test").stream(request, Sink())
    messages, kwargs, max_tokens, temperature = chat.seen[0]
    assert [type(message).__name__ for message in messages] == [
        "HumanMessage",
        "AIMessage",
        "ToolMessage",
    ]
    assert isinstance(messages[2], ToolMessage)
    assert messages[2].tool_call_id == "c"
    assert kwargs["tools"][0]["function"]["name"] == "t"
    assert (max_tokens, temperature) == (7, 0.5)
    assert chat.max_tokens is None


async def test_a_reply_without_a_finish_reason_is_a_failure() -> None:
    with pytest.raises(NoFinish):
        await LangChainModel(Chat(chunks=CHUNKS[:4]), name="x").stream(ask(), Sink())


class _WithStatus(Exception):
    status_code = 429


@pytest.mark.parametrize(
    ("chunks", "ending", "failure"),
    [
        (CHUNKS[:4], RuntimeError("reset"), CutOff),
        ([], _WithStatus("slow down"), RateLimited),
        ([], ConnectionRefusedError(), Unreachable),
        ([], KeyError("x"), ModelFailure),
    ],
)
async def test_foreign_exceptions_become_failures(
    chunks: list[Any], ending: Exception, failure: type[ModelFailure]
) -> None:
    with pytest.raises(failure):
        await LangChainModel(Chat(chunks=chunks, ending=ending), name="x").stream(ask(), Sink())


@pytest.mark.parametrize(
    ("chunks", "approved", "said"),
    [
        (CHUNKS, "served", ["Fo", "ur."]),
        (CHUNKS, "other", ["Fo", "ur."]),  # it is known at the end only
        ([CHUNKS[-1], *CHUNKS], "other", []),
    ],
)
async def test_an_answer_of_another_model_fails_as_soon_as_it_is_known(
    chunks: list[Any], approved: str, said: list[str]
) -> None:
    route = Route("eu", "langchain", f"test:{approved}")
    model = LangChainModel(Chat(chunks=chunks), name="x", check=route.check)
    sink = Sink()
    if approved == "served":
        await model.stream(ask(), sink)
    else:
        with pytest.raises(WrongServer):
            await model.stream(ask(), sink)
    assert sink.said == said


async def test_silence_is_bounded_and_closes_the_stream() -> None:
    chat = Chat(chunks=CHUNKS[:4], hang=True, seen=[])
    model = LangChainModel(chat, name="x", limits=WireLimits(idle_s=0.05))
    with pytest.raises(IdleTimeout):
        await model.stream(ask(), Sink())
    assert chat.seen[-1] == "closed"


@pytest.mark.parametrize("deaf", [0, 3])
async def test_cancelling_closes_the_stream_even_of_a_provider_that_ignores_it(deaf: int) -> None:
    chat = Chat(chunks=CHUNKS[:4], hang=True, deaf=deaf, seen=[])
    sink = Sink()
    task = asyncio.create_task(LangChainModel(chat, name="x").stream(ask(), sink))
    await sink.spoke.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert chat.seen[-1] == "closed"
