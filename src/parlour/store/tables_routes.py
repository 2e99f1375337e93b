"""The table of routing decisions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Named,
    Table,
    Text,
    TypedColumns,
)

from parlour.store.tables import metadata


class RouteDecisionColumns(TypedColumns):
    """One decision of which route a model call takes. `turn` is empty for calls beside turns; it is
    no foreign key, as a decision is made before its turn is committed."""

    id: Named[int] = Column(BigInteger, Identity(always=True), primary_key=True)
    at: Named[datetime] = Column(DateTime(timezone=True), nullable=False)
    workspace: Named[str] = Column(Text, nullable=False)
    turn: Named[str] = Column(Text, nullable=False)
    choice: Named[str] = Column(Text, nullable=False)
    body: Named[Any] = Column(JSON, nullable=False)


route_decisions = Table(
    "route_decisions", metadata, RouteDecisionColumns, Index(None, "turn"), Index(None, "at")
)
