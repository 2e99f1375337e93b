"""The tables. What is here and what the migrations make is the same (tests/live/test_schema.py).

A workspace holds users, a user holds threads, a thread holds a tree of messages and its turns.
Everything below a thread goes with the thread, and everything below a user with the user. Only
`usage` stays, without its turn: what was spent stays spent.

Parts, arguments and events are `json`, not `jsonb`: it keeps the text as written (the order of a
tool's arguments, an escaped NUL in a pasted text, which jsonb refuses).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Named,
    PrimaryKeyConstraint,
    Table,
    Text,
    TypedColumns,
    func,
    text,
)

from parlour.store.tables_approvals import approval_tables

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)

_STATUSES = "'running', 'done', 'stopped', 'waiting', 'failed'"


def _timestamp(*, now: bool = False, nullable: bool = False) -> Column[Any]:
    return Column(
        DateTime(timezone=True), nullable=nullable, server_default=func.now() if now else None
    )


class WorkspaceColumns(TypedColumns):
    """A tenant. Rows appear with the first thread in it."""

    id: Named[str] = Column(Text, primary_key=True)
    created_at: Named[datetime] = _timestamp(now=True)


workspaces = Table("workspaces", metadata, WorkspaceColumns)


class UserColumns(TypedColumns):
    """A person of one workspace, known by the host's id. Deleting the row deletes all they own."""

    workspace: Named[str] = Column(Text, ForeignKey("workspaces.id", ondelete="CASCADE"))
    id: Named[str] = Column(Text)
    created_at: Named[datetime] = _timestamp(now=True)


users = Table("users", metadata, UserColumns, PrimaryKeyConstraint("workspace", "id"))


class ThreadColumns(TypedColumns):
    """One conversation. `previous_head` lets one statement move the head and read the old one.

    `hidden` threads (of the stateless API) are left out of lists.
    """

    id: Named[str] = Column(Text, primary_key=True)
    workspace: Named[str] = Column(Text)
    user_id: Named[str] = Column(Text)
    title: Named[str] = Column(Text, server_default="")
    head: Named[str | None] = Column(Text)
    previous_head: Named[str | None] = Column(Text)
    hidden: Named[bool] = Column(Boolean, server_default=text("false"))
    created_at: Named[datetime] = _timestamp(now=True)
    updated_at: Named[datetime] = _timestamp(now=True)


threads = Table(
    "threads",
    metadata,
    ThreadColumns,
    ForeignKeyConstraint(
        ["workspace", "user_id"], ["users.workspace", "users.id"], ondelete="CASCADE"
    ),
    Index("threads_list_idx", "workspace", "user_id", "hidden", "updated_at", "id"),
)


class MessageColumns(TypedColumns):
    """A node of a thread's tree. `seq` orders messages by when they came, whatever the clock says.

    A user message's id is the id its client gave it, so ids are unique within a thread only.
    """

    thread: Named[str] = Column(Text, ForeignKey("threads.id", ondelete="CASCADE"))
    id: Named[str] = Column(Text)
    seq: Named[int] = Column(BigInteger, Identity(always=True))
    parent: Named[str | None] = Column(Text)
    role: Named[str] = Column(Text)
    status: Named[str] = Column(Text)
    turn: Named[str | None] = Column(Text)
    parts: Named[Any] = Column(JSON, nullable=False)
    metadata: Named[Any] = Column(JSON, nullable=True)
    created_at: Named[datetime] = _timestamp(now=True)


messages = Table(
    "messages",
    metadata,
    MessageColumns,
    PrimaryKeyConstraint("thread", "id"),
    ForeignKeyConstraint(["thread", "parent"], ["messages.thread", "messages.id"]),
    CheckConstraint("role in ('user', 'assistant')", name="role"),
    CheckConstraint(f"status in ({_STATUSES})", name="status"),
    # Not led by the thread: else it looks as good as the primary key for finding one message.
    Index(None, "parent", "thread", "role", "seq"),
)


class TurnColumns(TypedColumns):
    """One answer being made, or made.

    `client_key` is the id a client sent with the request, unique in a thread: the same request
    sent again finds this turn. `fence` grows whenever the turn gets another owner; a write with an
    older fence changes nothing. `lease_until` is by the clock of the database. `partial` is what
    the owner had said at its last heartbeat, `spent` its model calls by then. `route` is the digest
    of the first choice. `continues` is the waiting turn that this one goes on from. A trigger keeps
    a terminal status as it is.
    """

    id: Named[str] = Column(Text, primary_key=True)
    seq: Named[int] = Column(BigInteger, Identity(always=True))
    thread: Named[str] = Column(Text, ForeignKey("threads.id", ondelete="CASCADE"))
    user_message: Named[str] = Column(Text)
    assistant_message: Named[str] = Column(Text)
    client_key: Named[str | None] = Column(Text)
    body_hash: Named[bytes] = Column(LargeBinary)
    trigger: Named[str] = Column(Text)
    status: Named[str] = Column(Text, server_default="running")
    finish_reason: Named[str | None] = Column(Text)
    error: Named[Any] = Column(JSON, nullable=True)
    model: Named[str] = Column(Text)
    route: Named[str | None] = Column(Text)
    served_by: Named[str | None] = Column(Text)
    owner: Named[str] = Column(Text)
    fence: Named[int] = Column(Integer, server_default="1")
    lease_until: Named[datetime] = _timestamp()
    stop_requested: Named[bool] = Column(Boolean, server_default=text("false"))
    partial: Named[Any] = Column(JSON, nullable=True)
    spent: Named[Any] = Column(JSON, nullable=True)
    principal: Named[Any] = Column(JSON, nullable=True)
    takeovers: Named[int] = Column(Integer, server_default="0")
    first_token_ms: Named[int | None] = Column(Integer)
    elapsed_ms: Named[int | None] = Column(Integer)
    created_at: Named[datetime] = _timestamp(now=True)
    finished_at: Named[datetime | None] = _timestamp(nullable=True)
    continues: Named[str | None] = Column(Text)


turns = Table(
    "turns",
    metadata,
    TurnColumns,
    CheckConstraint("trigger in ('submit', 'edit', 'regenerate', 'approval')", name="trigger"),
    CheckConstraint(f"status in ({_STATUSES})", name="status"),
    Index("turns_client_key_key", "thread", "client_key", unique=True),
    Index(
        "turns_one_running_key",
        "thread",
        unique=True,
        postgresql_where=text("status = 'running'"),
    ),
    Index(None, "thread", "seq"),
)


class ToolCallColumns(TypedColumns):
    """One action inside a turn; the texts stand in the message. Models repeat call ids."""

    turn: Named[str] = Column(Text, ForeignKey("turns.id", ondelete="CASCADE"))
    position: Named[int] = Column(Integer)
    call_id: Named[str] = Column(Text)
    name: Named[str] = Column(Text)
    round: Named[int] = Column(Integer)
    status: Named[str] = Column(Text)
    elapsed_ms: Named[int] = Column(Integer)
    created_at: Named[datetime] = _timestamp(now=True)


tool_calls = Table(
    "tool_calls",
    metadata,
    ToolCallColumns,
    PrimaryKeyConstraint("turn", "position"),
    CheckConstraint("status in ('running', 'ok', 'failed', 'declined')", name="status"),
)


class UsageColumns(TypedColumns):
    """What a turn spent, in tokens, in disjoint buckets. Outlives the turn, without naming it."""

    id: Named[int] = Column(BigInteger, Identity(always=True), primary_key=True)
    turn: Named[str | None] = Column(Text, ForeignKey("turns.id", ondelete="SET NULL"))
    workspace: Named[str] = Column(Text)
    user_id: Named[str] = Column(Text)
    model: Named[str] = Column(Text)
    served_by: Named[str | None] = Column(Text)
    input: Named[int] = Column(BigInteger)
    cache_read: Named[int] = Column(BigInteger)
    cache_write: Named[int] = Column(BigInteger)
    output: Named[int] = Column(BigInteger)
    reasoning: Named[int] = Column(BigInteger)
    estimated: Named[bool] = Column(Boolean)
    created_at: Named[datetime] = _timestamp(now=True)


usage = Table(
    "usage",
    metadata,
    UsageColumns,
    Index("usage_turn_key", "turn", unique=True),
    Index(None, "workspace", "user_id", "created_at"),
)


class TurnEventColumns(TypedColumns):
    """All events of an ended turn, compressed, for readers who come late."""

    turn: Named[str] = Column(Text, ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True)
    events: Named[bytes] = Column(LargeBinary)


turn_events = Table("turn_events", metadata, TurnEventColumns)


class CheckpointColumns(TypedColumns):
    """How far a running turn got. Gone when the turn ends."""

    turn: Named[str] = Column(Text, ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True)
    data: Named[bytes] = Column(LargeBinary)
    updated_at: Named[datetime] = _timestamp(now=True)


checkpoints = Table("checkpoints", metadata, CheckpointColumns)


class MaskedValueColumns(TypedColumns):
    """What a placeholder in a conversation stands for, sealed with a key that is not in here.

    `digest` tells two values apart without telling either: two claims at once cannot give one
    placeholder to two values.
    """

    thread: Named[str] = Column(Text, ForeignKey("threads.id", ondelete="CASCADE"))
    placeholder: Named[str] = Column(Text)
    sealed: Named[bytes] = Column(LargeBinary)
    digest: Named[bytes] = Column(LargeBinary)
    created_at: Named[datetime] = _timestamp(now=True)


masked_values = Table(
    "masked_values", metadata, MaskedValueColumns, PrimaryKeyConstraint("thread", "placeholder")
)


approvals, call_journal = approval_tables(metadata)
