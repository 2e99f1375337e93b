"""The tables in Postgres are the tables in code, forwards and backwards."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from parlour import store
from parlour.errors import StoreUnavailable
from parlour.store.migrate import migrate, pending, undo
from parlour.store.tables import metadata
from parlour.store.tables_ledger import model_calls
from tests.postgres import fresh_database

for module in pkgutil.iter_modules(store.__path__):
    if module.name.startswith("tables_"):  # each adds its tables to the one metadata
        importlib.import_module(f"parlour.store.{module.name}")


def differences(url: str) -> list[object]:
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url))
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"compare_type": True, "compare_server_default": True}
            )
            return list(compare_metadata(context, metadata))
    finally:
        engine.dispose()


async def test_what_the_migrations_make_is_what_the_code_says(database_url: str) -> None:
    assert model_calls.metadata is metadata  # every file of tables has been read
    assert await asyncio.to_thread(differences, database_url) == []
    assert not await pending(database_url)


async def test_migrations_go_one_step_back_and_forward_again(database_url: str) -> None:
    await undo(database_url)
    assert await pending(database_url)
    await migrate(database_url)
    assert not await pending(database_url)
    assert await asyncio.to_thread(differences, database_url) == []


async def test_several_processes_may_migrate_at_once(postgres: str) -> None:
    async with fresh_database(postgres, migrated=False) as url:
        assert await pending(url)
        await asyncio.gather(*(migrate(url) for _ in range(4)))
        assert not await pending(url)


async def test_a_newer_schema_is_left_alone(database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert not await pending(database_url)
    await migrate(database_url)


async def test_a_database_that_is_not_there_is_an_outage() -> None:
    url = "postgresql://parlour@/parlour?host=/nowhere"
    with pytest.raises(StoreUnavailable):
        await migrate(url)
    with pytest.raises(StoreUnavailable):
        await pending(url)
