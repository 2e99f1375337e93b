"""The table of memory: what became of the messages that no prompt holds any more."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    Named,
    PrimaryKeyConstraint,
    Table,
    Text,
    TypedColumns,
    func,
)

from parlour.store.tables import metadata


class SummaryColumns(TypedColumns):
    """A conversation from its first message up to and including `message`, in some sentences.

    It holds on every branch that goes through that message, and on no other: an edit before it
    leads past it. `tokens` is its length, `model` who wrote it.
    """

    thread: Named[str] = Column(Text)
    message: Named[str] = Column(Text)
    text: Named[str] = Column(Text)
    tokens: Named[int] = Column(Integer)
    model: Named[str] = Column(Text)
    created_at: Named[datetime] = Column(
        DateTime(timezone=True), nullable=False, server_default=func.now()
    )
    expires_at: Named[datetime] = Column(DateTime(timezone=True), nullable=False)


summaries = Table(
    "summaries",
    metadata,
    SummaryColumns,
    PrimaryKeyConstraint("thread", "message"),
    ForeignKeyConstraint(
        ["thread", "message"], ["messages.thread", "messages.id"], ondelete="CASCADE"
    ),
    Index(None, "expires_at"),
)
