"""`parlour migrate`: the explicit step that changes a database's schema."""

from __future__ import annotations

from parlour.settings import Settings
from parlour.store.embedded import start_embedded
from parlour.store.migrate import migrate, pending


async def migrate_database(settings: Settings) -> str:
    """Bring the schema up to date; returns what was done, in a sentence."""
    if settings.database_url:
        return await _migrate(settings.database_url.get_secret_value())
    postgres = await start_embedded(settings.data_dir)
    try:
        return await _migrate(postgres.url)
    finally:
        await postgres.stop()


async def _migrate(url: str) -> str:
    if not await pending(url):
        return "The database is up to date."
    await migrate(url)
    return "The database has been brought up to date."
