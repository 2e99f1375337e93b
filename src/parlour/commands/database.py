"""The configured database, for commands that need nothing else of Parlour."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from parlour.app import database_url
from parlour.settings import Settings
from parlour.store.database import Database
from parlour.store.embedded import start_embedded


@asynccontextmanager
async def opened(settings: Settings) -> AsyncGenerator[Database]:
    """One connection to it; our own is started for the while."""
    own = settings.database_url is None
    postgres = await start_embedded(settings.data_dir) if own else None
    database = await Database.open(database_url(settings, postgres), rest_pool=1, agent_pool=1)
    try:
        yield database
    finally:
        await database.close()
        if postgres:
            await postgres.stop()
