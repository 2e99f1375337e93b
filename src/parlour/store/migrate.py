"""Brings the schema up to date.

All steps run in one transaction under an advisory lock: two processes that start at once are fine,
and a step that fails leaves nothing behind. Steps wait at most two seconds for a table, so that a
migration never stands in the way of running turns for longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from parlour.store.outage import outages

LOCK_KEY = 0x7061726C  # "parl": any number that no other user of the database takes
LOCK_WAIT_S = 60  # another process may be migrating a large table
TABLE_WAIT_S = 2  # N-1 workers go on serving meanwhile
CONNECT_S = 5

Before = Callable[[str], object]


async def migrate(url: str, before: Before | None = None) -> None:
    """Bring the schema at `url` up to date; a schema of a newer Parlour is left as it is.

    `before` is called with the revision of a schema that is about to be changed; what it raises
    leaves all as it was. Raises `StoreUnavailable` when the database does not answer.
    """
    await asyncio.to_thread(_migrate, url, before)


async def undo(url: str) -> None:
    """Take the last step back, and the data that only it has room for with it."""
    await asyncio.to_thread(_undo, url)


async def pending(url: str) -> bool:
    """Whether `migrate` has something to do. Raises `StoreUnavailable`."""
    with outages():
        return await asyncio.to_thread(_pending, url)


def _migrate(url: str, before: Before | None) -> None:
    with _locked(url) as (connection, config):
        if not _behind(connection, config):
            return
        revision = MigrationContext.configure(connection).get_current_revision()
        if before is not None and revision is not None:
            before(revision)
        command.upgrade(config, "head")


def _undo(url: str) -> None:
    with _locked(url) as (_, config):
        command.downgrade(config, "-1")


def _pending(url: str) -> bool:
    with _connect(url) as connection:
        return _behind(connection, _config())


def _behind(connection: Connection, config: Config) -> bool:
    """Older than this code. A step that we do not know is a newer Parlour's, which promises that
    the Parlour before it can work with its tables."""
    script = ScriptDirectory.from_config(config)
    current = set(MigrationContext.configure(connection).get_current_heads())
    known = {step.revision for step in script.walk_revisions()}
    return current <= known and current != set(script.get_heads())


@contextmanager
def _locked(url: str) -> Generator[tuple[Connection, Config]]:
    with outages(), _connect(url) as connection, connection.begin():
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_WAIT_S}s'"))
        connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK_KEY})"))
        connection.execute(text(f"SET LOCAL lock_timeout = '{TABLE_WAIT_S}s'"))
        config = _config()
        config.attributes["connection"] = connection
        yield connection, config


def _connect(url: str) -> Connection:
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(url, connect_timeout=CONNECT_S, prepare_threshold=None),
        poolclass=NullPool,
    )
    return engine.connect()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config
