"""The table of the ledger: one row for each call of a model, whatever became of it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Named,
    Table,
    Text,
    TypedColumns,
    func,
)

from parlour.store.tables import metadata


class ModelCallColumns(TypedColumns):
    """What one call used, in disjoint buckets, and what it costs. Outlives its conversation.

    `number` is its place in its turn, from 1; 0 for a call of no turn. `model` is what was asked
    for, `served_by` what upstream says has answered. `cost_nanos` is in
    billionths of a US dollar, null when the model is unpriced; `prices` names the list that was
    used. `request_id` is upstream's name of the call, where it gave one.
    """

    id: Named[int] = Column(BigInteger, Identity(always=True), primary_key=True)
    workspace: Named[str] = Column(Text)
    user_id: Named[str] = Column(Text)
    thread: Named[str | None] = Column(Text, ForeignKey("threads.id", ondelete="SET NULL"))
    turn: Named[str | None] = Column(Text, ForeignKey("turns.id", ondelete="SET NULL"))
    number: Named[int] = Column(Integer)
    purpose: Named[str] = Column(Text)
    model: Named[str] = Column(Text)
    route: Named[str] = Column(Text, server_default="")
    served_by: Named[str] = Column(Text, server_default="")
    input: Named[int] = Column(BigInteger)
    cache_read: Named[int] = Column(BigInteger)
    cache_write: Named[int] = Column(BigInteger)
    output: Named[int] = Column(BigInteger)
    reasoning: Named[int] = Column(BigInteger)
    estimated: Named[bool] = Column(Boolean)
    cost_nanos: Named[int | None] = Column(BigInteger)
    prices: Named[str] = Column(Text, server_default="")
    request_id: Named[str] = Column(Text, server_default="")
    at: Named[datetime] = Column(DateTime(timezone=True), nullable=False, server_default=func.now())


model_calls = Table(
    "model_calls",
    metadata,
    ModelCallColumns,
    Index(None, "workspace", "user_id", "at"),
    Index("model_calls_workspace_at_idx", "workspace", "at"),
    Index(None, "thread"),
    Index(None, "turn"),
    Index(None, "at"),
    Index(None, "request_id"),
)
