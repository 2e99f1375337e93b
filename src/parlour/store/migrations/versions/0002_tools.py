"""Approved tools, and results that are kept whole."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE tool_pins (
        workspace TEXT NOT NULL,
        server TEXT NOT NULL,
        tool TEXT NOT NULL,
        digest TEXT NOT NULL,
        definition JSON NOT NULL,
        seen_at TIMESTAMPTZ DEFAULT now() NOT NULL,
        approved_at TIMESTAMPTZ,
        approved_by TEXT DEFAULT '' NOT NULL,
        CONSTRAINT tool_pins_pkey PRIMARY KEY (workspace, server, tool, digest)
    )
    """,
    """
    CREATE TABLE tool_results (
        handle TEXT NOT NULL,
        workspace TEXT NOT NULL,
        user_id TEXT NOT NULL,
        thread TEXT NOT NULL,
        tool TEXT NOT NULL,
        title TEXT NOT NULL,
        chars INTEGER NOT NULL,
        text BYTEA NOT NULL,
        widget BYTEA,
        created_at TIMESTAMPTZ DEFAULT now() NOT NULL,
        expires_at TIMESTAMPTZ NOT NULL,
        CONSTRAINT tool_results_pkey PRIMARY KEY (handle),
        CONSTRAINT tool_results_thread_fkey FOREIGN KEY(thread)
            REFERENCES threads (id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX tool_results_thread_created_at_idx ON tool_results (thread, created_at)",
    "CREATE INDEX tool_results_expires_at_idx ON tool_results (expires_at)",
    # The blobs are compressed already.
    "ALTER TABLE tool_results ALTER COLUMN text SET STORAGE EXTERNAL",
    "ALTER TABLE tool_results ALTER COLUMN widget SET STORAGE EXTERNAL",
)


def upgrade() -> None:
    """Make them."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TABLE tool_results, tool_pins")
