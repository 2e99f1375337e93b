"""The audit chain, and receipts of disclosures."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE audit (
        workspace TEXT NOT NULL,
        seq BIGINT NOT NULL,
        at TIMESTAMPTZ NOT NULL,
        kind TEXT NOT NULL,
        turn TEXT,
        facts BYTEA NOT NULL,
        hash BYTEA NOT NULL,
        CONSTRAINT audit_pkey PRIMARY KEY (workspace, seq)
    )
    """,
    """
    CREATE TABLE audit_facts (
        workspace TEXT NOT NULL,
        seq BIGINT NOT NULL,
        user_id TEXT NOT NULL,
        body JSON NOT NULL,
        salt BYTEA NOT NULL,
        CONSTRAINT audit_facts_pkey PRIMARY KEY (workspace, seq),
        CONSTRAINT audit_facts_workspace_seq_fkey FOREIGN KEY(workspace, seq)
            REFERENCES audit (workspace, seq)
    )
    """,
    """
    CREATE INDEX audit_facts_workspace_user_id_seq_idx ON audit_facts (workspace, user_id, seq)
    """,
    """
    CREATE TABLE receipts (
        workspace TEXT NOT NULL,
        user_id TEXT NOT NULL,
        surface TEXT NOT NULL,
        id TEXT NOT NULL,
        edition TEXT NOT NULL,
        seq BIGINT NOT NULL,
        at TIMESTAMPTZ NOT NULL,
        CONSTRAINT receipts_pkey PRIMARY KEY (workspace, user_id, surface),
        CONSTRAINT receipts_workspace_seq_fkey FOREIGN KEY(workspace, seq)
            REFERENCES audit (workspace, seq)
    )
    """,
)

# What is written stays written. Facts may be deleted (a person is erased), but not changed.
APPEND_ONLY = (
    """
    CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% of % is refused: the audit chain is append-only', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'check_violation';
    END $$
    """,
    """
    CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()
    """,
    """
    CREATE TRIGGER audit_facts_do_not_change BEFORE UPDATE OR TRUNCATE ON audit_facts
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()
    """,
)


def upgrade() -> None:
    """Make them."""
    for statement in (*TABLES, *APPEND_ONLY):
        op.execute(statement)


def downgrade() -> None:
    """Drop them, with all that is in them."""
    op.execute("DROP TABLE receipts, audit_facts, audit")
    op.execute("DROP FUNCTION audit_is_append_only()")
