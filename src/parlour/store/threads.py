"""Conversations as people see them: lists, the branch that is shown, versions.

Typed queries on the `rest` pool. Each one names the workspace and the user, so somebody else's
thread is simply not there.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Row,
    Text,
    and_,
    case,
    cast,
    delete,
    func,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.sql.base import Executable

from parlour.domain import (
    Message,
    MessageId,
    Principal,
    Role,
    Thread,
    ThreadId,
    TurnStatus,
)
from parlour.errors import BadRequest, MessageNotFound, ThreadNotFound
from parlour.store.database import Database
from parlour.store.parts import parts_in
from parlour.store.tables import messages, threads, turns, users, workspaces


class Threads:
    """All queries about threads and their messages. Every method raises `StoreUnavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_threads(
        self, principal: Principal, *, limit: int, before: str | None = None
    ) -> tuple[list[Thread], str | None]:
        """A page of the user's threads, last used first, and the cursor of the next page.

        Raises `BadRequest` when `before` is not a cursor that a page came with.
        """
        query = (
            _THREAD.where(
                threads.c.workspace == principal.workspace,
                threads.c.user_id == principal.user,
                threads.c.hidden.is_(False),
            )
            .order_by(threads.c.updated_at.desc(), threads.c.id.desc())
            .limit(limit + 1)
        )
        if before is not None:
            used_at, identity = _read_cursor(before)
            place = tuple_(threads.c.updated_at, threads.c.id)
            query = query.where(place < tuple_(literal(used_at), literal(identity)))
        rows = await self._fetch(query)
        page = [_thread(row) for row in rows[:limit]]
        return page, _cursor(page[-1]) if len(rows) > limit else None

    async def create(self, principal: Principal, thread: ThreadId, title: str = "") -> Thread:
        """A new, empty thread; the thread itself when the user has it already.

        Raises `ThreadNotFound` when the id is taken by somebody else.
        """
        async with self._database.rest_connection() as connection:
            user = {"workspace": principal.workspace, "id": principal.user}
            values = {"workspace": principal.workspace, "user_id": principal.user, "title": title}
            for statement in (
                insert(workspaces).values(id=principal.workspace),
                insert(users).values(**user),
                insert(threads).values(id=thread, **values),
            ):
                await connection.execute(statement.on_conflict_do_nothing())
        return await self.get_thread(principal, thread)

    async def get_thread(self, principal: Principal, thread: ThreadId) -> Thread:
        """One thread. Raises `ThreadNotFound`."""
        rows = await self._fetch(_THREAD.where(_owned(principal, thread)))
        if not rows:
            raise ThreadNotFound("There is no such conversation.")
        return _thread(rows[0])

    async def rename(self, principal: Principal, thread: ThreadId, title: str) -> Thread:
        """Give a thread another title; its place in the list stays. Raises `ThreadNotFound`."""
        await self._fetch(
            update(threads)
            .values(title=title)
            .where(_owned(principal, thread))
            .returning(threads.c.id)
        )
        return await self.get_thread(principal, thread)

    async def delete(self, principal: Principal, thread: ThreadId) -> None:
        """Delete a thread with everything in it. Raises `ThreadNotFound`.

        An answer that is being made is dropped; its owner learns at its next heartbeat.
        """
        rows = await self._fetch(
            delete(threads).where(_owned(principal, thread)).returning(threads.c.id)
        )
        if not rows:
            raise ThreadNotFound("There is no such conversation.")

    async def messages(
        self,
        principal: Principal,
        thread: ThreadId,
        *,
        limit: int,
        before: MessageId | None = None,
    ) -> tuple[list[Message], MessageId | None]:
        """The newest `limit` messages of the branch that is shown, oldest first.

        With `before`, those that lead to that message. The second value is the `before` of the
        next page, None when this one begins the thread. Raises `ThreadNotFound`,
        `MessageNotFound`.
        """
        start = (await self.get_thread(principal, thread)).head
        if before is not None:
            start = await self._parent(principal, thread, before)
        if start is None:
            return [], None
        rows = await self._fetch(_branch(principal, thread, start, limit + 1))
        page = [_message(thread, row) for row in reversed(rows[:limit])]
        return page, page[0].id if len(rows) > limit else None

    async def select_version(
        self, principal: Principal, thread: ThreadId, message: MessageId
    ) -> None:
        """Show the branch of `message`, down to its newest message.

        Raises `ThreadNotFound`, `MessageNotFound`.
        """
        below = (
            select(messages.c.id, messages.c.seq)
            .where(messages.c.thread == thread, messages.c.id == message)
            .cte("below", recursive=True)
        )
        below = below.union_all(
            select(messages.c.id, messages.c.seq).join(
                below, and_(messages.c.thread == thread, messages.c.parent == below.c.id)
            )
        )
        # A message comes after its parent, so the newest of all is one without an answer.
        newest = select(below.c.id).order_by(below.c.seq.desc()).limit(1).scalar_subquery()
        rows = await self._fetch(
            update(threads)
            .values(head=newest)
            .where(_owned(principal, thread), newest.is_not(None))
            .returning(threads.c.id)
        )
        if not rows:
            await self.get_thread(principal, thread)
            raise MessageNotFound("There is no such message in this conversation.")

    async def _parent(
        self, principal: Principal, thread: ThreadId, message: MessageId
    ) -> MessageId | None:
        rows = await self._fetch(
            select(messages.c.parent)
            .join(threads, threads.c.id == messages.c.thread)
            .where(_owned(principal, thread), messages.c.id == message)
        )
        if not rows:
            raise MessageNotFound("There is no such message in this conversation.")
        return rows[0][0]

    async def _fetch(self, statement: Executable) -> Sequence[Row[Any]]:
        async with self._database.rest_connection() as connection:
            return (await connection.execute(statement)).all()


_THREAD = select(
    threads.c.id,
    threads.c.title,
    threads.c.head,
    threads.c.created_at,
    threads.c.updated_at,
    turns.c.id,
).outerjoin(turns, and_(turns.c.thread == threads.c.id, turns.c.status == "running"))


def _owned(principal: Principal, thread: ThreadId) -> ColumnElement[bool]:
    return and_(
        threads.c.id == thread,
        threads.c.workspace == principal.workspace,
        threads.c.user_id == principal.user,
    )


def _branch(principal: Principal, thread: ThreadId, start: MessageId, limit: int) -> Executable:
    """`limit` messages from `start` up to the first, with the ids of their versions."""
    columns = (
        messages.c.thread,
        messages.c.id,
        messages.c.parent,
        messages.c.role,
        messages.c.status,
        messages.c.turn,
        messages.c.created_at,
        cast(messages.c.parts, Text).label("parts"),
        cast(messages.c.metadata, Text).label("metadata"),
    )
    branch = (
        select(*columns, literal(1).label("depth"))
        .join(threads, threads.c.id == messages.c.thread)
        .where(_owned(principal, thread), messages.c.id == start)
        .cte("branch", recursive=True)
    )
    above = and_(messages.c.thread == branch.c.thread, messages.c.id == branch.c.parent)
    branch = branch.union_all(
        select(*columns, branch.c.depth + 1).join(branch, above).where(branch.c.depth < limit)
    )
    version = messages.alias("version")
    versions = select(func.array_agg(aggregate_order_by(version.c.id, version.c.seq))).where(
        version.c.thread == branch.c.thread, version.c.role == branch.c.role
    )
    # Two queries, for an index knows both of them; IS NOT DISTINCT FROM it does not.
    first = versions.where(version.c.parent.is_(None)).scalar_subquery()
    later = versions.where(version.c.parent == branch.c.parent).scalar_subquery()
    both = case((branch.c.parent.is_(None), first), else_=later)
    return select(branch, both.label("versions")).order_by(branch.c.depth)


def _thread(row: Row[Any]) -> Thread:
    return Thread(*row)


def _message(thread: ThreadId, row: Row[Any]) -> Message:
    return Message(
        id=row.id,
        thread=thread,
        parent=row.parent,
        role=Role(row.role),
        parts=parts_in(row.parts),
        created_at=row.created_at,
        status=TurnStatus(row.status),
        turn=row.turn,
        versions=tuple(row.versions),
        metadata=msgspec.json.decode(row.metadata or "{}"),
    )


def _cursor(thread: Thread) -> str:
    place = f"{thread.updated_at.isoformat()} {thread.id}"
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, ThreadId]:
    try:
        place = base64.urlsafe_b64decode(cursor.encode() + b"==").decode()
        used_at, identity = place.split(" ", 1)
        at = datetime.fromisoformat(used_at)
    except (ValueError, binascii.Error):
        raise BadRequest("`before` is not a cursor that a page came with.") from None
    if at.tzinfo is None or "\0" in identity:
        raise BadRequest("`before` is not a cursor that a page came with.")
    return at, ThreadId(identity)
