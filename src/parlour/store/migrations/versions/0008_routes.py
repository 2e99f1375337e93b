"""Routing decisions, and the route of each turn."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE turns ADD COLUMN route TEXT",
    """
    CREATE TABLE route_decisions (
        id BIGINT GENERATED ALWAYS AS IDENTITY,
        at TIMESTAMPTZ NOT NULL,
        workspace TEXT NOT NULL,
        turn TEXT NOT NULL,
        choice TEXT NOT NULL,
        body JSON NOT NULL,
        CONSTRAINT route_decisions_pkey PRIMARY KEY (id)
    )
    """,
    "CREATE INDEX route_decisions_turn_idx ON route_decisions (turn)",
    "CREATE INDEX route_decisions_at_idx ON route_decisions (at)",
)


def upgrade() -> None:
    """Make them."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TABLE route_decisions")
    op.execute("ALTER TABLE turns DROP COLUMN route")
