"""Personal data that was masked, for its owner alone."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.execute(
        """
        CREATE TABLE masked_values (
            thread TEXT NOT NULL,
            placeholder TEXT NOT NULL,
            sealed BYTEA NOT NULL,
            digest BYTEA NOT NULL,
            created_at TIMESTAMPTZ DEFAULT now() NOT NULL,
            CONSTRAINT masked_values_pkey PRIMARY KEY (thread, placeholder),
            CONSTRAINT masked_values_thread_fkey FOREIGN KEY(thread)
                REFERENCES threads (id) ON DELETE CASCADE
        )
        """
    )


def downgrade() -> None:
    """Drop it: what was masked stays masked for good."""
    op.execute("DROP TABLE masked_values")
