"""Conversations: list, open, rename, delete, and which version of a message is shown."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from parlour.api.access import Access
from parlour.api.shapes import (
    ConversationBody,
    MessageBody,
    MessagesBody,
    NewThreadBody,
    RenameBody,
    ThreadBody,
    ThreadsBody,
    VersionBody,
)
from parlour.chat.conversations import Conversations
from parlour.domain import Message, MessageId, Principal, ThreadId

PAGE = 30
IdPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Limit = Annotated[int, Query(ge=1, le=100)]
Before = Annotated[str | None, Query(max_length=200)]


def router(*, access: Access, threads: Conversations) -> APIRouter:
    """The routes below /api/threads."""
    routes = APIRouter(prefix="/api/threads", tags=["threads"])
    who = Depends(access.principal)

    @routes.get("")
    async def listing(
        limit: Limit = PAGE, before: Before = None, principal: Principal = who
    ) -> ThreadsBody:
        """The user's conversations, newest first."""
        page, cursor = await threads.page(principal, limit=limit, before=before)
        return ThreadsBody(threads=[ThreadBody.of(thread) for thread in page], next=cursor)

    @routes.post("", status_code=201)
    async def create(body: NewThreadBody, principal: Principal = who) -> ThreadBody:
        """A new, empty conversation. Sending a message to a new id makes one as well."""
        thread = ThreadId(body.id or f"c_{secrets.token_hex(10)}")
        return ThreadBody.of(await threads.create(principal, thread, body.title))

    @routes.get("/{thread}")
    async def read(
        thread: IdPath, limit: Limit = PAGE, principal: Principal = who
    ) -> ConversationBody:
        """A conversation with its newest messages."""
        return await _conversation(threads, principal, ThreadId(thread), limit)

    @routes.get("/{thread}/messages")
    async def messages(
        thread: IdPath, limit: Limit = PAGE, before: Before = None, principal: Principal = who
    ) -> MessagesBody:
        """Earlier messages of the branch that is shown."""
        page, cursor, masked = await threads.messages(
            principal, ThreadId(thread), limit=limit, before=MessageId(before) if before else None
        )
        return MessagesBody(messages=_bodies(page), next=cursor, masked=masked)

    @routes.patch("/{thread}")
    async def rename(thread: IdPath, body: RenameBody, principal: Principal = who) -> ThreadBody:
        """Give a conversation another title."""
        return ThreadBody.of(await threads.rename(principal, ThreadId(thread), body.title))

    @routes.delete("/{thread}", status_code=204)
    async def delete(thread: IdPath, principal: Principal = who) -> None:
        """Delete a conversation and everything in it."""
        await threads.delete(principal, ThreadId(thread))

    @routes.post("/{thread}/versions")
    async def version(
        thread: IdPath, body: VersionBody, principal: Principal = who
    ) -> ConversationBody:
        """Show another version of an edited message or of an answer."""
        await threads.select_version(principal, ThreadId(thread), MessageId(body.message_id))
        return await _conversation(threads, principal, ThreadId(thread), PAGE)

    return routes


async def _conversation(
    threads: Conversations, principal: Principal, thread: ThreadId, limit: int
) -> ConversationBody:
    found = await threads.get(principal, thread)
    page, cursor, masked = await threads.messages(principal, thread, limit=limit)
    return ConversationBody(
        thread=ThreadBody.of(found), messages=_bodies(page), next=cursor, masked=masked
    )


def _bodies(page: list[Message]) -> list[MessageBody]:
    return [MessageBody.of(message) for message in page]
