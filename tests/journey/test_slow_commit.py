"""A message whose commit takes longer than its answer."""

from __future__ import annotations

import psycopg
import pytest

from tests.house import final, said
from tests.journey.conftest import HELLO, OpenHouse

SLOW_COMMIT = """
CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON turns
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slowly();
"""


@pytest.mark.promise("P1")
async def test_a_tool_does_not_overtake_the_commit_of_its_message(
    open_house: OpenHouse, database_url: str
):
    connection = await psycopg.AsyncConnection.connect(database_url, autocommit=True)
    async with connection, open_house(HELLO) as house:
        await connection.execute(SLOW_COMMIT)
        frames = await house.ask("c1", "please calculate")
        assert final(frames).error is None
        assert said(frames).endswith("It is 409.5.")
