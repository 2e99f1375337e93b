"""Approvals, turns that go on after them, and the journal of calls that change something."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

UP = (
    """
    CREATE TABLE approvals (
        id TEXT NOT NULL,
        thread TEXT NOT NULL,
        turn TEXT NOT NULL,
        position INTEGER NOT NULL,
        call_id TEXT NOT NULL,
        name TEXT NOT NULL,
        server TEXT NOT NULL,
        tool TEXT NOT NULL,
        title TEXT NOT NULL,
        arguments JSON NOT NULL,
        digest TEXT NOT NULL,
        acts_as TEXT NOT NULL,
        undoable BOOLEAN NOT NULL,
        reason TEXT NOT NULL,
        principal JSON NOT NULL,
        signature BYTEA NOT NULL,
        created_at TIMESTAMPTZ DEFAULT now() NOT NULL,
        expires_at TIMESTAMPTZ NOT NULL,
        decision TEXT,
        cause TEXT,
        decided_by TEXT,
        decided_at TIMESTAMPTZ,
        seal BYTEA,
        attempts INTEGER DEFAULT '0' NOT NULL,
        closed_at TIMESTAMPTZ,
        CONSTRAINT approvals_pkey PRIMARY KEY (id),
        CONSTRAINT approvals_decision_check CHECK (decision in ('approve', 'decline')),
        CONSTRAINT approvals_cause_check
            CHECK (cause in ('person', 'expired', 'superseded', 'stopped')),
        CONSTRAINT approvals_whole_check CHECK ((decision IS NULL) = (cause IS NULL)),
        CONSTRAINT approvals_thread_fkey FOREIGN KEY(thread)
            REFERENCES threads (id) ON DELETE CASCADE,
        CONSTRAINT approvals_turn_fkey FOREIGN KEY(turn) REFERENCES turns (id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX approvals_turn_idx ON approvals (turn)",
    "CREATE INDEX approvals_open_idx ON approvals (thread) WHERE closed_at IS NULL",
    """
    CREATE TABLE call_journal (
        turn TEXT NOT NULL,
        key TEXT NOT NULL,
        sent_by TEXT NOT NULL,
        name TEXT NOT NULL,
        sent_at TIMESTAMPTZ DEFAULT now() NOT NULL,
        outcome JSON,
        ended_at TIMESTAMPTZ,
        CONSTRAINT call_journal_pkey PRIMARY KEY (turn, key),
        CONSTRAINT call_journal_turn_fkey FOREIGN KEY(turn)
            REFERENCES turns (id) ON DELETE CASCADE
    )
    """,
    "ALTER TABLE turns ADD COLUMN continues TEXT",
    "ALTER TABLE turns DROP CONSTRAINT turns_trigger_check",
    """
    ALTER TABLE turns ADD CONSTRAINT turns_trigger_check
        CHECK (trigger in ('submit', 'edit', 'regenerate', 'approval'))
    """,
    "ALTER TABLE tool_calls DROP CONSTRAINT tool_calls_status_check",
    """
    ALTER TABLE tool_calls ADD CONSTRAINT tool_calls_status_check
        CHECK (status in ('running', 'ok', 'failed', 'declined'))
    """,
)
DOWN = (
    "DROP TABLE call_journal, approvals",
    "UPDATE tool_calls SET status = 'failed' WHERE status = 'declined'",
    "ALTER TABLE tool_calls DROP CONSTRAINT tool_calls_status_check",
    """
    ALTER TABLE tool_calls ADD CONSTRAINT tool_calls_status_check
        CHECK (status in ('running', 'ok', 'failed'))
    """,
    "DELETE FROM turns WHERE trigger = 'approval'",
    "ALTER TABLE turns DROP CONSTRAINT turns_trigger_check",
    """
    ALTER TABLE turns ADD CONSTRAINT turns_trigger_check
        CHECK (trigger in ('submit', 'edit', 'regenerate'))
    """,
    "ALTER TABLE turns DROP COLUMN continues",
)


def upgrade() -> None:
    """Make them."""
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    """Drop them; a turn that waits stays a turn that waits, and nobody can decide any more."""
    for statement in DOWN:
        op.execute(statement)
