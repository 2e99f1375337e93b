"""Alembic's entry: runs the steps on the connection that store/migrate.py opened."""

from __future__ import annotations

from alembic import context

from parlour.store.tables import metadata
from parlour.store.tables_ledger import model_calls

assert model_calls.metadata is metadata  # noqa: S101  # every file of tables has to be read

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=False,
)
context.run_migrations()
