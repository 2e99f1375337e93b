"""The tables of the audit chain, and of receipts.

`audit` is the chain and names nobody; `audit_facts` says who and what, under a salted digest that
the chain holds. So a person can be erased and the chain still proves that nothing else is missing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Named,
    PrimaryKeyConstraint,
    Table,
    Text,
    TypedColumns,
)

from parlour.store.tables import metadata


class AuditColumns(TypedColumns):
    """A link. `hash` covers the link before it and everything in this row; store/audit.py says how.

    Triggers refuse UPDATE, DELETE and TRUNCATE.
    """

    workspace: Named[str] = Column(Text)
    seq: Named[int] = Column(BigInteger)  # dense per workspace, from 1
    at: Named[datetime] = Column(DateTime(timezone=True), nullable=False)
    kind: Named[str] = Column(Text)
    turn: Named[str | None] = Column(Text)
    facts: Named[bytes] = Column(LargeBinary)  # the digest of the row of `audit_facts`
    hash: Named[bytes] = Column(LargeBinary)


audit = Table("audit", metadata, AuditColumns, PrimaryKeyConstraint("workspace", "seq"))


class AuditFactColumns(TypedColumns):
    """Who did what, and the salt of its digest. Gone when the person is erased; never changed."""

    workspace: Named[str] = Column(Text)
    seq: Named[int] = Column(BigInteger)
    user_id: Named[str] = Column(Text)
    body: Named[Any] = Column(JSON, nullable=False)
    salt: Named[bytes] = Column(LargeBinary)


audit_facts = Table(
    "audit_facts",
    metadata,
    AuditFactColumns,
    PrimaryKeyConstraint("workspace", "seq"),
    ForeignKeyConstraint(["workspace", "seq"], ["audit.workspace", "audit.seq"]),
    Index(None, "workspace", "user_id", "seq"),
)


class ReceiptColumns(TypedColumns):
    """What a person was last shown at a surface. The proof is the link `seq` of the chain."""

    workspace: Named[str] = Column(Text)
    user_id: Named[str] = Column(Text)
    surface: Named[str] = Column(Text)
    id: Named[str] = Column(Text)
    edition: Named[str] = Column(Text)
    seq: Named[int] = Column(BigInteger)
    at: Named[datetime] = Column(DateTime(timezone=True), nullable=False)


receipts = Table(
    "receipts",
    metadata,
    ReceiptColumns,
    PrimaryKeyConstraint("workspace", "user_id", "surface"),
    ForeignKeyConstraint(["workspace", "seq"], ["audit.workspace", "audit.seq"]),
)
