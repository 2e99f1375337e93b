"""The tables of what waits for a person, and of what was sent out into the world."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
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


def _timestamp(*, now: bool = False, nullable: bool = False) -> Column[Any]:
    return Column(
        DateTime(timezone=True), nullable=nullable, server_default=func.now() if now else None
    )


class ApprovalColumns(TypedColumns):
    """One tool call that waits for a person, or did. `turn` is the turn that ended waiting.

    `tool` and `arguments` are the real tool's, as the server will get them; `digest` is that of its
    description, so that a tool which has changed meanwhile is not called. `signature` covers all of
    it, `seal` the decision too. `principal` is what a token said of the person, gone once it is
    closed. Open (`closed_at` null) until a turn that went on has ended, or it
    was declined without one. `attempts` counts the turns that tried to go on.
    """

    id: Named[str] = Column(Text, primary_key=True)
    thread: Named[str] = Column(Text, ForeignKey("threads.id", ondelete="CASCADE"))
    turn: Named[str] = Column(Text, ForeignKey("turns.id", ondelete="CASCADE"))
    position: Named[int] = Column(Integer)
    call_id: Named[str] = Column(Text)
    name: Named[str] = Column(Text)
    server: Named[str] = Column(Text)
    tool: Named[str] = Column(Text)
    title: Named[str] = Column(Text)
    arguments: Named[Any] = Column(JSON, nullable=False)
    digest: Named[str] = Column(Text)
    acts_as: Named[str] = Column(Text)
    undoable: Named[bool] = Column(Boolean)
    reason: Named[str] = Column(Text)
    principal: Named[Any] = Column(JSON, nullable=False)
    signature: Named[bytes] = Column(LargeBinary)
    created_at: Named[datetime] = _timestamp(now=True)
    expires_at: Named[datetime] = _timestamp()
    decision: Named[str | None] = Column(Text)
    cause: Named[str | None] = Column(Text)
    decided_by: Named[str | None] = Column(Text)
    decided_at: Named[datetime | None] = _timestamp(nullable=True)
    seal: Named[bytes | None] = Column(LargeBinary)
    attempts: Named[int] = Column(Integer, server_default="0")
    closed_at: Named[datetime | None] = _timestamp(nullable=True)


class CallJournalColumns(TypedColumns):
    """A call that may change something, written down before it is sent.

    Without an `outcome` nobody knows whether it took effect, and it is never sent again. `turn` and
    `key` say which call it is, whichever turn carries it out (`sent_by`).
    """

    turn: Named[str] = Column(Text, ForeignKey("turns.id", ondelete="CASCADE"))
    key: Named[str] = Column(Text)
    sent_by: Named[str] = Column(Text)
    name: Named[str] = Column(Text)
    sent_at: Named[datetime] = _timestamp(now=True)
    outcome: Named[Any] = Column(JSON, nullable=True)
    ended_at: Named[datetime | None] = _timestamp(nullable=True)


def approval_tables(metadata: MetaData) -> tuple[Table, Table]:
    """The two tables, in the metadata of all."""
    approvals = Table(
        "approvals",
        metadata,
        ApprovalColumns,
        CheckConstraint("decision in ('approve', 'decline')", name="decision"),
        CheckConstraint(
            "cause in ('person', 'expired', 'superseded', 'stopped')",
            name="cause",
        ),
        CheckConstraint("(decision IS NULL) = (cause IS NULL)", name="whole"),
        Index(None, "turn"),
        Index("approvals_open_idx", "thread", postgresql_where=text("closed_at IS NULL")),
    )
    journal = Table(
        "call_journal", metadata, CallJournalColumns, PrimaryKeyConstraint("turn", "key")
    )
    return approvals, journal
