"""`parlour migrate`, the explicit step that changes a database's schema, and `parlour restore`."""

from __future__ import annotations

import asyncio
from pathlib import Path

from parlour.errors import ConfigurationError
from parlour.settings import Settings
from parlour.store.embedded import start_embedded
from parlour.store.migrate import Before, migrate, pending


async def migrate_database(settings: Settings) -> str:
    """Bring the schema up to date; returns what was done, in a sentence."""
    if settings.database_url:
        return await _migrate(settings.database_url.get_secret_value())
    postgres = await start_embedded(settings.data_dir)
    try:
        return await _migrate(postgres.url, postgres.back_up)
    finally:
        await postgres.stop()


async def restore_database(settings: Settings, copy: Path) -> str:
    """Put our own database back to a copy; returns what was done, in a sentence."""
    if settings.database_url:
        raise ConfigurationError(
            "PARLOUR_DATABASE_URL names a database of yours; put it back with your own tools."
        )
    postgres = await start_embedded(settings.data_dir)
    try:
        await asyncio.to_thread(postgres.restore, copy)
    finally:
        await postgres.stop()
    return f"The database is as it was in {copy.name}."


async def _migrate(url: str, before: Before | None = None) -> str:
    if not await pending(url):
        return "The database is up to date."
    await migrate(url, before)
    return "The database has been brought up to date."
