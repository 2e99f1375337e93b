"""Turns that another process can go on with: who asked, and how often that happened."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them."""
    op.execute("ALTER TABLE turns ADD COLUMN principal JSON")
    op.execute("ALTER TABLE turns ADD COLUMN takeovers INTEGER DEFAULT '0' NOT NULL")


def downgrade() -> None:
    """Drop them."""
    op.execute("ALTER TABLE turns DROP COLUMN takeovers")
    op.execute("ALTER TABLE turns DROP COLUMN principal")
