"""A turn that the store will not take still ends, and says so."""

from __future__ import annotations

import psycopg

from tests.house import final, said
from tests.journey.conftest import HELLO, OpenHouse

REFUSE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'no'; END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION refuse();
"""


async def test_a_turn_that_cannot_be_stored_has_one_terminal_event(
    open_house: OpenHouse, database_url: str
):
    connection = await psycopg.AsyncConnection.connect(database_url, autocommit=True)
    async with connection, open_house(HELLO) as house:
        await connection.execute(REFUSE)
        frames = await house.ask("c1", "hello")
        assert said(frames) == "Hello there, friend."
        end = final(frames)
        assert end.status == "failed"
        assert end.error is not None
        assert end.error.code == "internal"
        assert not house.services.runner.running
