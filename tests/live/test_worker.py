"""`parlour worker`: keeps house without serving."""

from __future__ import annotations

from pathlib import Path

from parlour.domain import TurnStatus
from parlour.store.database import Database
from parlour.store.turns import Turns
from tests.live.steps import ANN, THREAD, claimed, count, exchange, new_turn
from tests.parlour_process import parlour


async def test_a_worker_ends_lost_turns_and_deletes_what_is_old(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    turns = Turns(database)
    await exchange(turns, "Old")
    await database.fetch("UPDATE turns SET finished_at = now() - interval '8 days' RETURNING id")
    lost = await claimed(turns, new_turn("Lost", lease_s=0, alone=True))
    settings = {
        "PARLOUR_DATABASE_URL": database_url,
        "PARLOUR_DATA_DIR": str(tmp_path),
        "PARLOUR_MODEL": "scripted:",
    }
    async with parlour("worker", **settings) as worker:
        await worker.until("worker_ready")
        await worker.until("swept")
        assert await worker.stop() == 0
    assert (await turns.get(ANN, THREAD, lost.turn)).status is TurnStatus.FAILED
    assert await count(database, "turn_events") == 0
