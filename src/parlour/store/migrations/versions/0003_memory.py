"""Summaries of conversations; an index that does not tempt the planner."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE summaries (
        thread TEXT NOT NULL,
        message TEXT NOT NULL,
        text TEXT NOT NULL,
        tokens INTEGER NOT NULL,
        model TEXT NOT NULL,
        created_at TIMESTAMPTZ DEFAULT now() NOT NULL,
        expires_at TIMESTAMPTZ NOT NULL,
        CONSTRAINT summaries_pkey PRIMARY KEY (thread, message),
        CONSTRAINT summaries_thread_message_fkey FOREIGN KEY(thread, message)
            REFERENCES messages (thread, id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX summaries_expires_at_idx ON summaries (expires_at)",
    "DROP INDEX messages_thread_parent_role_seq_idx",
    "CREATE INDEX messages_parent_thread_role_seq_idx ON messages (parent, thread, role, seq)",
)


def upgrade() -> None:
    """Make them."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP INDEX messages_parent_thread_role_seq_idx")
    op.execute(
        "CREATE INDEX messages_thread_parent_role_seq_idx ON messages (thread, parent, role, seq)"
    )
    op.execute("DROP TABLE summaries")
