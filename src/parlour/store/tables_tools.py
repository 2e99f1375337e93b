"""The tables of the tools: which descriptions are approved, and results that are kept whole."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Named,
    PrimaryKeyConstraint,
    Table,
    Text,
    TypedColumns,
    func,
    text,
)

from parlour.store.tables import metadata


def _timestamp(*, now: bool = False, nullable: bool = False) -> Column[Any]:
    return Column(
        DateTime(timezone=True), nullable=nullable, server_default=func.now() if now else None
    )


class ToolPinColumns(TypedColumns):
    """One way in which a server described one tool. It may be used while `approved_at` is set.

    `tool` is the server's own name; empty = its instructions. `digest` is of what was described,
    which stands in `definition`. A workspace has rows here before it has a conversation.
    """

    workspace: Named[str] = Column(Text)
    server: Named[str] = Column(Text)
    tool: Named[str] = Column(Text)
    digest: Named[str] = Column(Text)
    definition: Named[Any] = Column(JSON, nullable=False)
    seen_at: Named[datetime] = _timestamp(now=True)
    approved_at: Named[datetime | None] = _timestamp(nullable=True)
    approved_by: Named[str] = Column(Text, server_default=text("''"))


tool_pins = Table(
    "tool_pins",
    metadata,
    ToolPinColumns,
    PrimaryKeyConstraint("workspace", "server", "tool", "digest"),
)


class ToolResultColumns(TypedColumns):
    """A result that was too long for the model, whole, until `expires_at`. Both blobs are zlib.

    `text` is what the model reads on in, `widget` (JSON) what people are shown.
    """

    handle: Named[str] = Column(Text, primary_key=True)
    workspace: Named[str] = Column(Text)
    user_id: Named[str] = Column(Text)
    thread: Named[str] = Column(Text, ForeignKey("threads.id", ondelete="CASCADE"))
    tool: Named[str] = Column(Text)
    title: Named[str] = Column(Text)
    chars: Named[int] = Column(Integer)
    text: Named[bytes] = Column(LargeBinary)
    widget: Named[bytes | None] = Column(LargeBinary)
    created_at: Named[datetime] = _timestamp(now=True)
    expires_at: Named[datetime] = _timestamp()


tool_results = Table(
    "tool_results",
    metadata,
    ToolResultColumns,
    Index(None, "thread", "created_at"),
    Index(None, "expires_at"),
)
