"""The first tables: threads, messages, turns and what belongs to them."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE workspaces (
        id TEXT NOT NULL,
        created_at TIMESTAMPTZ DEFAULT now() NOT NULL,
        CONSTRAINT workspaces_pkey PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE users (
        workspace TEXT NOT NULL,
        id TEXT NOT NULL,
        created_at TIMESTAMPTZ DEFAULT now() NOT NULL,
        CONSTRAINT users_pkey PRIMARY KEY (workspace, id),
        CONSTRAINT users_workspace_fkey FOREIGN KEY(workspace)
            REFERENCES workspaces (id) ON DELETE CASCADE
    )
    """,
    """
    CREATE TABLE threads (
        id TEXT NOT NULL,
        workspace TEXT NOT NULL,
        user_id TEXT NOT NULL,
        title TEXT DEFAULT '' NOT NULL,
        head TEXT,
        previous_head TEXT,
        hidden BOOLEAN DEFAULT false NOT NULL,
        created_at TIMESTAMPTZ DEFAULT now() NOT NULL,
        updated_at TIMESTAMPTZ DEFAULT now() NOT NULL,
        CONSTRAINT threads_pkey PRIMARY KEY (id),
        CONSTRAINT threads_workspace_user_id_fkey FOREIGN KEY(workspace, user_id)
            REFERENCES users (workspace, id) ON DELETE CASCADE
    )
    """,
    """
    CREATE INDEX threads_list_idx ON threads (workspace, user_id, hidden, updated_at, id)
    """,
    """
    CREATE TABLE messages (
        thread TEXT NOT NULL,
        id TEXT NOT NULL,
        seq BIGINT GENERATED ALWAYS AS IDENTITY,
        parent TEXT,
        role TEXT NOT NULL,
        status TEXT NOT NULL,
        turn TEXT,
        parts JSON NOT NULL,
        metadata JSON,
        created_at TIMESTAMPTZ DEFAULT now() NOT NULL,
        CONSTRAINT messages_pkey PRIMARY KEY (thread, id),
        CONSTRAINT messages_thread_parent_fkey FOREIGN KEY(thread, parent)
            REFERENCES messages (thread, id),
        CONSTRAINT messages_role_check CHECK (role in ('user', 'assistant')),
        CONSTRAINT messages_status_check
            CHECK (status in ('running', 'done', 'stopped', 'waiting', 'failed')),
        CONSTRAINT messages_thread_fkey FOREIGN KEY(thread)
            REFERENCES threads (id) ON DELETE CASCADE
    )
    """,
    """
    CREATE INDEX messages_thread_parent_role_seq_idx ON messages (thread, parent, role, seq)
    """,
    """
    CREATE TABLE turns (
        id TEXT NOT NULL,
        seq BIGINT GENERATED ALWAYS AS IDENTITY,
        thread TEXT NOT NULL,
        user_message TEXT NOT NULL,
        assistant_message TEXT NOT NULL,
        client_key TEXT,
        body_hash BYTEA NOT NULL,
        trigger TEXT NOT NULL,
        status TEXT DEFAULT 'running' NOT NULL,
        finish_reason TEXT,
        error JSON,
        model TEXT NOT NULL,
        served_by TEXT,
        owner TEXT NOT NULL,
        fence INTEGER DEFAULT '1' NOT NULL,
        lease_until TIMESTAMPTZ NOT NULL,
        stop_requested BOOLEAN DEFAULT false NOT NULL,
        partial JSON,
        first_token_ms INTEGER,
        elapsed_ms INTEGER,
        created_at TIMESTAMPTZ DEFAULT now() NOT NULL,
        finished_at TIMESTAMPTZ,
        CONSTRAINT turns_pkey PRIMARY KEY (id),
        CONSTRAINT turns_trigger_check CHECK (trigger in ('submit', 'edit', 'regenerate')),
        CONSTRAINT turns_status_check
            CHECK (status in ('running', 'done', 'stopped', 'waiting', 'failed')),
        CONSTRAINT turns_thread_fkey FOREIGN KEY(thread)
            REFERENCES threads (id) ON DELETE CASCADE
    )
    """,
    """
    CREATE UNIQUE INDEX turns_client_key_key ON turns (thread, client_key)
    """,
    """
    CREATE UNIQUE INDEX turns_one_running_key ON turns (thread) WHERE status = 'running'
    """,
    """
    CREATE INDEX turns_thread_seq_idx ON turns (thread, seq)
    """,
    """
    CREATE TABLE checkpoints (
        turn TEXT NOT NULL,
        data BYTEA NOT NULL,
        updated_at TIMESTAMPTZ DEFAULT now() NOT NULL,
        CONSTRAINT checkpoints_pkey PRIMARY KEY (turn),
        CONSTRAINT checkpoints_turn_fkey FOREIGN KEY(turn)
            REFERENCES turns (id) ON DELETE CASCADE
    )
    """,
    """
    CREATE TABLE tool_calls (
        turn TEXT NOT NULL,
        position INTEGER NOT NULL,
        call_id TEXT NOT NULL,
        name TEXT NOT NULL,
        round INTEGER NOT NULL,
        status TEXT NOT NULL,
        elapsed_ms INTEGER NOT NULL,
        created_at TIMESTAMPTZ DEFAULT now() NOT NULL,
        CONSTRAINT tool_calls_pkey PRIMARY KEY (turn, position),
        CONSTRAINT tool_calls_status_check CHECK (status in ('running', 'ok', 'failed')),
        CONSTRAINT tool_calls_turn_fkey FOREIGN KEY(turn)
            REFERENCES turns (id) ON DELETE CASCADE
    )
    """,
    """
    CREATE TABLE turn_events (
        turn TEXT NOT NULL,
        events BYTEA NOT NULL,
        CONSTRAINT turn_events_pkey PRIMARY KEY (turn),
        CONSTRAINT turn_events_turn_fkey FOREIGN KEY(turn)
            REFERENCES turns (id) ON DELETE CASCADE
    )
    """,
    """
    CREATE TABLE usage (
        id BIGINT GENERATED ALWAYS AS IDENTITY,
        turn TEXT,
        workspace TEXT NOT NULL,
        user_id TEXT NOT NULL,
        model TEXT NOT NULL,
        served_by TEXT,
        input BIGINT NOT NULL,
        cache_read BIGINT NOT NULL,
        cache_write BIGINT NOT NULL,
        output BIGINT NOT NULL,
        reasoning BIGINT NOT NULL,
        estimated BOOLEAN NOT NULL,
        created_at TIMESTAMPTZ DEFAULT now() NOT NULL,
        CONSTRAINT usage_pkey PRIMARY KEY (id),
        CONSTRAINT usage_turn_fkey FOREIGN KEY(turn) REFERENCES turns (id) ON DELETE SET NULL
    )
    """,
    """
    CREATE UNIQUE INDEX usage_turn_key ON usage (turn)
    """,
    """
    CREATE INDEX usage_workspace_user_id_created_at_idx ON usage (workspace, user_id, created_at)
    """,
    # The blob is compressed already.
    "ALTER TABLE turn_events ALTER COLUMN events SET STORAGE EXTERNAL",
)

# Every turn leaves `running` once. Code says so; this holds even when code is wrong.
TERMINAL_IS_FINAL = (
    """
    CREATE FUNCTION turn_is_over() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'turn % is % and stays so', OLD.id, OLD.status
            USING ERRCODE = 'check_violation';
    END $$
    """,
    """
    CREATE TRIGGER turns_terminal_is_final BEFORE UPDATE ON turns FOR EACH ROW
    WHEN (OLD.status IN ('done', 'stopped', 'failed') AND NEW.status IS DISTINCT FROM OLD.status)
    EXECUTE FUNCTION turn_is_over()
    """,
)


def upgrade() -> None:
    """Make the tables."""
    for statement in (*TABLES, *TERMINAL_IS_FINAL):
        op.execute(statement)


def downgrade() -> None:
    """Drop everything, with all that is in it."""
    op.execute(
        "DROP TABLE checkpoints, turn_events, usage, tool_calls, turns, messages, threads,"
        " users, workspaces"
    )
    op.execute("DROP FUNCTION turn_is_over()")
