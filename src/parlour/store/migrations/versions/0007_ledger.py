"""The ledger of model calls, and what a running turn has spent so far."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE model_calls (
        id BIGINT GENERATED ALWAYS AS IDENTITY,
        workspace TEXT NOT NULL,
        user_id TEXT NOT NULL,
        thread TEXT,
        turn TEXT,
        number INTEGER NOT NULL,
        purpose TEXT NOT NULL,
        model TEXT NOT NULL,
        route TEXT DEFAULT '' NOT NULL,
        served_by TEXT DEFAULT '' NOT NULL,
        input BIGINT NOT NULL,
        cache_read BIGINT NOT NULL,
        cache_write BIGINT NOT NULL,
        output BIGINT NOT NULL,
        reasoning BIGINT NOT NULL,
        estimated BOOLEAN NOT NULL,
        cost_nanos BIGINT,
        prices TEXT DEFAULT '' NOT NULL,
        request_id TEXT DEFAULT '' NOT NULL,
        at TIMESTAMPTZ DEFAULT now() NOT NULL,
        CONSTRAINT model_calls_pkey PRIMARY KEY (id),
        CONSTRAINT model_calls_thread_fkey FOREIGN KEY(thread)
            REFERENCES threads (id) ON DELETE SET NULL,
        CONSTRAINT model_calls_turn_fkey FOREIGN KEY(turn) REFERENCES turns (id) ON DELETE SET NULL
    )
    """,
    "CREATE INDEX model_calls_workspace_user_id_at_idx ON model_calls (workspace, user_id, at)",
    "CREATE INDEX model_calls_workspace_at_idx ON model_calls (workspace, at)",
    "CREATE INDEX model_calls_thread_idx ON model_calls (thread)",
    "CREATE INDEX model_calls_turn_idx ON model_calls (turn)",
    "CREATE INDEX model_calls_at_idx ON model_calls (at)",
    "CREATE INDEX model_calls_request_id_idx ON model_calls (request_id)",
    "ALTER TABLE turns ADD COLUMN spent JSON",
)


def upgrade() -> None:
    """Make them."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop them."""
    op.execute("ALTER TABLE turns DROP COLUMN spent")
    op.execute("DROP TABLE model_calls")
