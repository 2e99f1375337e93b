"""The OpenAI-compatible face: any OpenAI client talks to Parlour's agent and its tools.

It is stateless as that protocol is: the caller sends the whole conversation. Each call is a turn
like any other (stored, counted, bounded) in a thread that lists do not show. There is no way to
resume here, so a caller that goes away stops the turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from parlour.api import problems
from parlour.api.access import Access
from parlour.api.disclosures import ShownHeader
from parlour.api.openai_chunks import OpenAiEncoder, completion
from parlour.api.page_context import PageBody
from parlour.api.shapes import Id, Text
from parlour.api.streams import Streams
from parlour.chat.ask import Ask, Started
from parlour.chat.turn import TurnRunner
from parlour.domain import Message, MessageId, Principal, Role, TextPart, ThreadId
from parlour.errors import (
    BadRequest,
    LimitsUnavailable,
    ModelNotFound,
    Problem,
    QuotaExceeded,
    RateLimited,
    StopPending,
    Upstream,
)
from parlour.events import types as ev
from parlour.events.types import known

MODEL = "parlour"  # whatever model is configured
# Failures within a turn that are not upstream's.
LIMITS: dict[str, type[Problem]] = {
    kind.code: kind for kind in (RateLimited, QuotaExceeded, LimitsUnavailable)
}
# Whose words may be others': nobody knows what an answer was made of, nor what a tool has read.
QUOTES = frozenset({"assistant", "tool", "function"})
CALLER_GONE = 499  # as nginx logs it
STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {}}, "description": "Completion, or its chunks."}
}


class ContentPart(BaseModel):
    """A part of a message's content; only text is read."""

    model_config = ConfigDict(extra="allow")
    type: str
    text: Text = ""


class ChatMessageBody(BaseModel):
    """A message of the conversation that the caller keeps."""

    model_config = ConfigDict(extra="allow")
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Text | list[ContentPart] | None = None

    def words(self) -> str:
        """The text of the message."""
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content if part.type == "text")
        return self.content or ""


class StreamOptions(BaseModel):
    """Options of a streamed answer."""

    model_config = ConfigDict(extra="allow")
    include_usage: bool = False


class Extras(BaseModel):
    """What Parlour takes beyond the protocol."""

    model_config = ConfigDict(extra="forbid")
    context: PageBody | None = Field(None, description="The page that the user looks at.")
    disclosure_receipt: Id | None = Field(
        None, description="The `edition` of the disclosure that you have just shown."
    )


Ignored = Annotated[Any, Field(None, description="Accepted, not used: Parlour's settings decide.")]


class CompletionBody(BaseModel):
    """A chat completion request. Parameters that Parlour's settings decide are accepted unused."""

    model_config = ConfigDict(extra="forbid")
    model: str = Field(max_length=200)
    messages: list[ChatMessageBody] = Field(min_length=1, max_length=10_000)
    stream: bool = False
    stream_options: StreamOptions | None = None
    user: str | None = Field(None, description="Ignored: the token says who is asking.")
    n: Literal[1] | None = None
    temperature: Ignored = None
    top_p: Ignored = None
    max_tokens: Ignored = None
    max_completion_tokens: Ignored = None
    presence_penalty: Ignored = None
    frequency_penalty: Ignored = None
    seed: Ignored = None
    stop: Ignored = None
    metadata: Ignored = None
    store: Ignored = None
    logit_bias: Ignored = None
    logprobs: Ignored = None
    top_logprobs: Ignored = None
    reasoning_effort: Ignored = None
    response_format: Ignored = None
    service_tier: Ignored = None
    safety_identifier: Ignored = None
    prompt_cache_key: Ignored = None
    verbosity: Ignored = None
    parallel_tool_calls: Ignored = None
    tools: list[Any] | None = None
    tool_choice: Ignored = None
    parlour: Extras | None = Field(None, description="What Parlour takes beyond the protocol.")


def router(*, access: Access, runner: TurnRunner, streams: Streams) -> APIRouter:
    """The routes below /v1."""
    routes = APIRouter(prefix="/v1", tags=["openai"])
    who = Depends(access.principal)

    @routes.get("/models")
    async def models(principal: Principal = who) -> dict[str, Any]:
        """The one model: Parlour's agent."""
        entry = {"id": MODEL, "object": "model", "created": 0, "owned_by": "parlour"}
        return {"object": "list", "data": [entry, {**entry, "id": runner.model_name(principal)}]}

    @routes.post("/chat/completions", responses=STREAM, response_model=None)
    async def complete(
        request: Request,
        body: CompletionBody,
        shown: ShownHeader = "",
        principal: Principal = who,
    ) -> Response:
        """Answer the conversation, streamed or whole."""
        if body.model not in {MODEL, runner.model_name(principal)}:
            raise ModelNotFound(f"There is no model `{body.model}` here; ask for `{MODEL}`.")
        if body.tools:
            raise BadRequest(
                "`tools` is not supported: Parlour's agent has the tools of its MCP servers."
            )
        given = body.parlour.disclosure_receipt if body.parlour else None
        started = await runner.start(principal, replace(to_ask(body), shown=given or shown))

        async def stop() -> None:
            with contextlib.suppress(StopPending):  # it is stored, and nobody waits for more
                await runner.stops.stop(principal, started.thread, started.turn)

        if not body.stream:
            payloads = await _read_all(request, streams, principal, started)
            if payloads is None:
                await stop()
                return Response(status_code=CALLER_GONE)  # for the log: nobody reads it
            return _as_completion(started, body.model, payloads)
        options = body.stream_options or StreamOptions()
        return await streams.open_started(
            principal,
            started.thread,
            started.turn,
            OpenAiEncoder(started.turn, body.model, include_usage=options.include_usage),
            headers={"x-turn-id": started.turn},
            on_gone=stop,
        )

    return routes


async def _read_all(
    request: Request, streams: Streams, principal: Principal, started: Started
) -> list[bytes] | None:
    """All events of a turn; None when the caller has gone before its end."""
    reading = await streams.readings.open(principal, started.thread, started.turn)
    payloads: list[bytes] = []
    gone = asyncio.create_task(_await_gone(request))
    with reading.cursor as cursor:
        gone.add_done_callback(lambda _: cursor.wake())
        try:
            while not (cursor.ended or gone.done()):
                payloads += cursor.take()
                await cursor.wait()
        finally:
            gone.cancel()
        if not cursor.ended:
            return None
    masks = await streams.privacy.of_reader(principal, started.thread, started.turn, payloads)
    return payloads if masks is None else [masks.restore_json(payload) for payload in payloads]


def _as_completion(started: Started, model: str, payloads: list[bytes]) -> Response:
    final = known(payloads[-1])
    if isinstance(final, ev.Finalize) and final.error is not None:
        failure = final.error
        kind = LIMITS.get(failure.code, Upstream)
        return problems.respond(
            kind.status,
            code=failure.code,
            title=kind.title,
            detail=failure.message,
            retryable=failure.retryable,
            extra={"error": problems.openai_error(failure.code, kind.status, failure.message)},
        )
    headers = {"x-turn-id": started.turn}
    return JSONResponse(completion(started.turn, model, payloads), headers=headers)


async def _await_gone(request: Request) -> None:
    """Return when the caller has closed the connection. The body has been read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def to_ask(body: CompletionBody) -> Ask:
    """The conversation as a turn. Raises `BadRequest` when it does not end with the user."""
    last = body.messages[-1]
    if last.role != "user" or not last.words().strip():
        raise BadRequest("The last message has to be the user's and must not be empty.")
    thread = ThreadId(f"v1_{secrets.token_hex(10)}")
    now = datetime.now(UTC)
    history = tuple(
        Message(
            id=MessageId(f"m{place}"),
            thread=thread,
            parent=None,
            role=Role.ASSISTANT if message.role == "assistant" else Role.USER,
            parts=(TextPart(_labelled(message)),),
            created_at=now,
        )
        for place, message in enumerate(body.messages)
    )
    page = body.parlour.context if body.parlour else None
    # There is no way to ask here: a tool that needs an approval is refused, and the model told so.
    return Ask(
        thread=thread,
        text=last.words(),
        history=history,
        hidden=True,
        surface="openai",
        can_approve=False,
        quotes=any(message.role in QUOTES for message in body.messages),
        page=page.to_page() if page else None,
    )


def _labelled(message: ChatMessageBody) -> str:
    """The caller's system messages are the caller's words, never Parlour's own rules."""
    if message.role in {"system", "developer"}:
        return f"(Instructions of the calling application)\n{message.words()}"
    return message.words()
