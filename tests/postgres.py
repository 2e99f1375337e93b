"""A real Postgres for tests: `$PARLOUR_TEST_DATABASE_URL`, else one of our own for the session.

Every test gets a fresh database, copied from one that was migrated once. A pytest plugin (see
conftest.py) with the fixtures `postgres`, `database_url`, `database`; the helpers work alone too.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import pytest_asyncio

from parlour.store.database import Database
from parlour.store.embedded import start_embedded
from parlour.store.migrate import migrate

TEMPLATE = f"parlour_template_{os.getpid()}"
_numbers = itertools.count(1)


@asynccontextmanager
async def running_postgres() -> AsyncIterator[str]:
    """A server with the migrated template in it; gives its URL. Once per session."""
    given = os.environ.get("PARLOUR_TEST_DATABASE_URL")
    directory = Path(tempfile.mkdtemp(prefix="parlour-test-"))
    embedded = None if given else await start_embedded(directory)
    url = given or (embedded.url if embedded else "")
    try:
        await _run(url, f'CREATE DATABASE "{TEMPLATE}"')
        await migrate(_named(url, TEMPLATE))
        yield url
        await _run(url, f'DROP DATABASE "{TEMPLATE}"')
    finally:
        if embedded:
            await embedded.stop()
        shutil.rmtree(directory, ignore_errors=True)


@asynccontextmanager
async def fresh_database(server: str, *, migrated: bool = True) -> AsyncIterator[str]:
    """A database of its own in `server`; gives its URL, and drops it afterwards."""
    name = f"parlour_test_{os.getpid()}_{next(_numbers)}"
    template = f' TEMPLATE "{TEMPLATE}"' if migrated else ""
    await _run(server, f'CREATE DATABASE "{name}"{template}')
    try:
        yield _named(server, name)
    finally:
        await _run(server, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres() -> AsyncIterator[str]:
    """URL of a server that lives as long as the session."""
    async with running_postgres() as url:
        yield url


@pytest.fixture
async def database_url(postgres: str) -> AsyncIterator[str]:
    """URL of a fresh, migrated database."""
    async with fresh_database(postgres) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Pools on a fresh, migrated database."""
    database = await Database.open(database_url)
    yield database
    await database.close()


def _named(url: str, database: str) -> str:
    parts = urlsplit(url)
    # urlunsplit drops an empty host, which a socket address has.
    return urlunsplit(parts._replace(netloc=parts.netloc, path=f"/{database}"))


async def _run(url: str, statement: str) -> None:
    connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
    async with connection:
        await connection.execute(statement)  # pyright: ignore[reportArgumentType]
