"""The AI SDK's face: what `useChat` with `DefaultChatTransport` sends and reads.

The posted history is never trusted: only the last user message (or the id to answer anew) is read,
the conversation is the store's. The chat id is the thread id; the message id is the idempotency
key.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Path
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from parlour.api.access import Access
from parlour.api.ai_sdk_frames import AiSdkEncoder
from parlour.api.disclosures import ShownHeader
from parlour.api.page_context import PageBody
from parlour.api.shapes import Id, StopBody, Text
from parlour.api.streams import Streams
from parlour.chat.approval import Decisions
from parlour.chat.ask import Ask, Started
from parlour.chat.turn import TurnRunner
from parlour.domain import MessageId, Principal, Role, ThreadId, TurnId
from parlour.errors import BadRequest, MessageNotFound, ThreadNotFound
from parlour.store.approvals import Decision
from parlour.store.threads import Threads

MODERN = "ai-sdk/7"
HEADERS = {"x-vercel-ai-ui-message-stream": "v1"}
STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {}}, "description": "UI message stream v1."}
}
ChatPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
ClientHeader = Annotated[str, Header(alias="x-parlour-client")]


class UiPart(BaseModel):
    """A part of a UI message; only `text` parts are read."""

    model_config = ConfigDict(extra="allow")
    type: str
    text: Text = ""


class UiMessage(BaseModel):
    """A UI message as the client holds it."""

    model_config = ConfigDict(extra="allow")
    id: Id
    role: Literal["user", "assistant", "system"]
    parts: list[UiPart] = Field(max_length=10_000)


class ApprovalAnswer(BaseModel):
    """A person's decision on a tool call that waits."""

    model_config = ConfigDict(extra="allow")
    approvalId: Id  # noqa: N815  # the client's spelling
    approved: bool

    @property
    def decision(self) -> Decision:
        """The decision in our words."""
        return "approve" if self.approved else "decline"


class ChatBody(BaseModel):
    """The body that `DefaultChatTransport` posts, whole or reduced to the last message."""

    model_config = ConfigDict(extra="forbid")
    id: Id = Field(description="The chat: Parlour's thread.")
    trigger: Literal["submit-message", "regenerate-message"] = "submit-message"
    messageId: Id | None = Field(  # noqa: N815  # the client's spelling
        None, description="The user message that was edited, or the answer to make anew."
    )
    message: UiMessage | None = None
    messages: list[UiMessage] = Field(default_factory=list[UiMessage], max_length=10_000)
    approvals: list[ApprovalAnswer] = Field(
        default_factory=list[ApprovalAnswer],
        max_length=100,
        description="Decisions on the calls that wait; else those in the last message are taken.",
    )
    context: PageBody | None = Field(None, description="The page that the user looks at.")
    disclosure_receipt: Id | None = Field(
        None, description="The `edition` of the disclosure that you have just shown."
    )


def router(
    *,
    access: Access,
    runner: TurnRunner,
    decisions: Decisions,
    streams: Streams,
    threads: Threads,
) -> APIRouter:
    """The routes below /api/chat."""
    routes = APIRouter(prefix="/api/chat", tags=["ai-sdk"])
    who = Depends(access.principal)

    @routes.post("", responses=STREAM, response_model=None)
    async def chat(
        body: ChatBody,
        client: ClientHeader = "",
        shown: ShownHeader = "",
        principal: Principal = who,
    ) -> Response:
        """Send or edit a message, answer one anew, or decide on what waits; streams the answer."""
        answers = answers_in(body)
        if answers:
            modern = client == MODERN
            return await _decided(body, answers, decisions, streams, principal, modern=modern)
        shown = body.disclosure_receipt or shown
        ask = await _on_shown_branch(threads, principal, to_ask(body))
        turn = (await _start(runner, principal, ask, _never_arrived(body), shown)).turn
        sent = AiSdkEncoder(modern=client == MODERN)
        return await streams.open_started(principal, ask.thread, turn, sent, headers=_headers(turn))

    @routes.get("/{chat_id}/stream", responses={**STREAM, 204: {}}, response_model=None)
    async def resume(
        chat_id: ChatPath, client: ClientHeader = "", principal: Principal = who
    ) -> Response:
        """The running turn of a chat, from its start; 204 when nothing runs."""
        thread = ThreadId(chat_id)
        turn = await streams.readings.latest(principal, thread)
        if turn is None:
            await threads.get_thread(principal, thread)
            return Response(status_code=204)
        encoder = AiSdkEncoder(modern=client == MODERN)
        return await streams.open(principal, thread, turn, encoder, headers=_headers(turn))

    @routes.post("/{chat_id}/stop", status_code=202)
    async def stop(chat_id: ChatPath, principal: Principal = who) -> StopBody:
        """Stop whatever runs in a chat, or waits for a decision; fine when nothing does."""
        thread = ThreadId(chat_id)
        if (turn := await streams.readings.latest(principal, thread)) is not None:
            await runner.stops.stop(principal, thread, turn)
        else:
            await threads.get_thread(principal, thread)
        await decisions.stop(principal, thread, None)
        return StopBody(turn_id=turn)

    return routes


def to_ask(body: ChatBody) -> Ask:
    """What the client wants. Raises `BadRequest`."""
    thread = ThreadId(body.id)
    page = body.context.to_page() if body.context else None
    if body.trigger == "regenerate-message":
        target = body.messageId or (body.messages[-1].id if body.messages else None)
        if target is None:
            raise BadRequest("`messageId` is missing: name the message to answer anew.")
        return Ask(thread=thread, trigger="regenerate", target=MessageId(target), page=page)
    message = body.message or (body.messages[-1] if body.messages else None)
    if message is None or message.role != "user":
        raise BadRequest("The last message has to be the user's.")
    text = "".join(part.text for part in message.parts if part.type == "text")
    if not text.strip():
        raise BadRequest("The message is empty; write a message.")
    if body.messageId is not None:
        # A client that gives the edited message a new id may send it again; one that keeps the old
        # id (the SDK's default) cannot: that id is the target's, the new version gets one here.
        key = MessageId(message.id) if message.id != body.messageId else None
        return Ask(
            thread=thread,
            text=text,
            key=key,
            trigger="edit",
            target=MessageId(body.messageId),
            page=page,
        )
    return Ask(thread=thread, text=text, key=MessageId(message.id), page=page)


async def _decided(
    body: ChatBody,
    answers: list[ApprovalAnswer],
    decisions: Decisions,
    streams: Streams,
    principal: Principal,
    *,
    modern: bool,
) -> Response:
    """Store the decisions and stream what comes of them, in the same message."""
    thread = ThreadId(body.id)
    given: dict[str, Decision] = {answer.approvalId: answer.decision for answer in answers}
    turn = await decisions.answer(principal, thread, given)
    encoder = AiSdkEncoder(modern=modern, going_on=True)
    return await streams.open_started(principal, thread, turn, encoder, headers=_headers(turn))


async def _start(
    runner: TurnRunner, principal: Principal, ask: Ask, again: Ask | None, shown: str
) -> Started:
    """Start what is asked, or `again` where that never arrived; `shown` as in `Ask`."""
    try:
        return await runner.start(principal, replace(ask, surface="chat", shown=shown))
    except (ThreadNotFound, MessageNotFound):
        if again is None:
            raise
        return await runner.start(principal, replace(again, surface="chat", shown=shown))


def _headers(turn: TurnId) -> dict[str, str]:
    return {**HEADERS, "x-turn-id": turn}


def answers_in(body: ChatBody) -> list[ApprovalAnswer]:
    """The decisions that a client sends: by themselves, or in the parts of the last message.

    They are claims like everything that a client sends: the store knows what was asked.
    """
    if body.approvals or body.trigger != "submit-message":
        return body.approvals
    message = body.message or (body.messages[-1] if body.messages else None)
    if message is None or message.role != "assistant":
        return []
    given = [
        part.model_extra["approval"]
        for part in message.parts
        if part.model_extra and part.model_extra.get("state") == "approval-responded"
    ]
    try:
        return [
            ApprovalAnswer(approvalId=answer["id"], approved=answer["approved"]) for answer in given
        ]
    except (KeyError, TypeError, ValidationError):
        raise BadRequest("The last message holds a decision that cannot be read.") from None


async def _on_shown_branch(threads: Threads, principal: Principal, ask: Ask) -> Ask:
    """Regenerate the version of a question that is shown: the client keeps the id of the first."""
    if ask.trigger != "regenerate":
        return ask
    try:
        newest, _ = await threads.messages(principal, ask.thread, limit=2)
    except ThreadNotFound:
        return ask
    for message in newest:
        if message.role is Role.USER and ask.target in message.versions:
            return replace(ask, target=message.id)
    return ask


def _never_arrived(body: ChatBody) -> Ask | None:
    """The client's retry of a message that was refused before it was stored: it is sent anew."""
    last = body.messages[-1] if body.messages else None
    if body.trigger != "regenerate-message" or last is None or last.role != "user":
        return None
    if body.messageId not in {None, last.id}:
        return None
    changes = {"trigger": "submit-message", "messageId": None}
    return to_ask(body.model_copy(update=changes))
