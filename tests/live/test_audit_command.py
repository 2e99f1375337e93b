"""`parlour audit`, and the administrator's way to the same record."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from parlour.commands import audit
from parlour.commands.audit import Which
from parlour.errors import ConfigurationError
from parlour.settings import Settings
from tests.house import House, shown
from tests.journey.conftest import HELLO, OpenHouse, open_house
from tests.journey.test_garbage import SECRET, token
from tests.live.process import run

__all__ = ["open_house"]  # the fixture of the journeys

SWAP_LAST_TWO = """
UPDATE audit SET seq = -4 WHERE seq = 4; UPDATE audit_facts SET seq = -4 WHERE seq = 4;
UPDATE audit SET seq = 4 WHERE seq = 5; UPDATE audit_facts SET seq = 4 WHERE seq = 5;
UPDATE audit SET seq = 5 WHERE seq = -4; UPDATE audit_facts SET seq = 5 WHERE seq = -4;
"""
TODAY = datetime.now(UTC).strftime("%Y-%m-%d")


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(database_url=database_url, data_dir=tmp_path)


async def talk(house: House, *users: str, workspace: str = "w1") -> None:
    for user in users:
        headers = {"authorization": f"Bearer {token(user, workspace)}"}
        body = {"text": "hello"}
        path = f"/api/threads/{workspace}-{user}/turns"
        async with house.http.post(house.url + path, json=body, headers=headers) as response:
            assert response.status == 200
            await response.read()


@pytest.mark.promise("P31")
async def test_what_somebody_saw_on_a_day_can_be_asked(
    open_house: OpenHouse, tmp_path: Path, settings: Settings, database_url: str
):
    async with open_house(HELLO, secret=SECRET) as house:
        await talk(house, "ann", "bob")

    words = ("audit", "disclosures", "--user", "ann", "--date", TODAY)
    code, said, _ = await run(*words, folder=tmp_path, PARLOUR_DATABASE_URL=database_url)
    assert code == 0
    assert f"ann in w1, {TODAY} (UTC)" in said
    assert "Shown on that day:" in said
    assert "[en] You are talking to an AI assistant." in said
    assert "always v1" in said

    async def saw(date: str, *, as_json: bool = False) -> str:
        which = Which(user="ann", date=date)
        return "\n".join(await audit.disclosures(settings, which, as_json=as_json))

    assert "Shown before, and known:" in await saw("2099-01-01")
    assert "Nothing was shown" in await saw("2001-01-01")
    [line] = [json.loads(line) for line in (await saw(TODAY, as_json=True)).splitlines()]
    edition = shown()["x-parlour-disclosure"]
    assert (line["user"], line["kind"], line["body"]["edition"]) == ("ann", "disclosure", edition)
    rows = await audit.listing(settings, Which(), as_json=False)
    assert [row.split()[3] for row in rows] == ["disclosure", "disclosure"]
    assert (await audit.erase(settings, "", "ann"))[0].startswith("1 links of w1 name nobody")
    assert "Nothing was shown" in await saw(TODAY)
    assert await audit.erase(settings, "", "ann") == ["Nothing is recorded of ann in w1."]


@pytest.mark.promise("P31")
async def test_what_was_changed_moved_or_removed_is_found(
    open_house: OpenHouse, tmp_path: Path, settings: Settings, database_url: str
):
    async with open_house(HELLO, secret=SECRET) as house:
        await talk(house, "ann", "bob", "cem", "dora", "eve")

    [whole], good = await audit.verify(settings, "", "")
    assert good
    assert whole.startswith("w1: whole, 5 links; 5:")
    head = whole.rpartition("; ")[2]
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("SET session_replication_role = replica")  # no triggers
        # From the end to the beginning, so that each is the first that is wrong.
        await connection.execute(SWAP_LAST_TWO)
        [said], good = await audit.verify(settings, "", "")
        assert (said.startswith("w1: BROKEN at link 4:"), good) == (True, False)
        await connection.execute("DELETE FROM audit WHERE seq = 3")
        [said], good = await audit.verify(settings, "", "")
        assert (said.startswith("w1: BROKEN at link 3: it is missing"), good) == (True, False)
        await connection.execute("UPDATE audit_facts SET user_id = 'mallory' WHERE seq = 2")
        words = ("audit", "verify")
        code, out, _ = await run(*words, folder=tmp_path, PARLOUR_DATABASE_URL=database_url)
        assert (code, out.startswith("w1: BROKEN at link 2: its facts are not")) == (1, True)
        # What was cut off at the end, only a head that was kept elsewhere shows.
        await connection.execute("DELETE FROM audit WHERE seq > 1")
        assert await audit.verify(settings, "", head) == (
            [
                (await audit.verify(settings, "", ""))[0][0],
                "w1: link 5, which was kept, is not there; the chain was cut.",
            ],
            False,
        )


async def test_a_kept_head_is_found_again_after_an_erasure_and_another_is_not(
    open_house: OpenHouse, settings: Settings
):
    async with open_house(HELLO, secret=SECRET) as house:
        await talk(house, "ann", "bob")
    [whole], _ = await audit.verify(settings, "", "")
    await audit.erase(settings, "", "ann")
    [said], good = await audit.verify(settings, "", whole.rpartition("; ")[2])
    assert (said.startswith("w1: whole, 3 links, 1 erased;"), good) == (True, True)
    [_, other], good = await audit.verify(settings, "", "2:" + "0" * 64)
    assert ("made anew" in other, good) == (True, False)
    assert await audit.verify(settings, "nowhere", "") == (["Nothing is recorded."], False)


async def test_what_cannot_be_meant_is_told_in_a_sentence(
    tmp_path: Path, settings: Settings, database_url: str
):
    for which, sentence in (
        (Which(user="ann"), "Name the person and the day"),
        (Which(date=TODAY), "Name the person and the day"),
        (Which(user="ann", date="yesterday"), "is no day"),
    ):
        with pytest.raises(ConfigurationError, match=sentence):
            await audit.disclosures(settings, which, as_json=False)
    with pytest.raises(ConfigurationError, match="--expect takes"):
        await audit.verify(settings, "", "12")
    with pytest.raises(ConfigurationError, match="Name the person"):
        await audit.erase(settings, "", None)
    code, _, said = await run("audit", "burn", folder=tmp_path, PARLOUR_DATABASE_URL=database_url)
    assert (code, "is none of list, disclosures" in said, "Traceback" in said) == (1, True, False)


async def test_several_workspaces_have_to_be_told_apart(open_house: OpenHouse, settings: Settings):
    async with open_house(HELLO, secret=SECRET) as house:
        await talk(house, "ann")
        await talk(house, "ann", workspace="w2")
    with pytest.raises(ConfigurationError, match="w1, w2"):
        await audit.listing(settings, Which(), as_json=False)
    assert len(await audit.listing(settings, Which("w2"), as_json=False)) == 1
    lines, good = await audit.verify(settings, "", "")
    assert (len(lines), good) == (2, True)


async def test_administrators_read_their_own_workspace(open_house: OpenHouse):
    async with open_house(HELLO, secret=SECRET) as house:
        await talk(house, "ann", "bob")
        await talk(house, "ann", workspace="w2")
        admin = {"authorization": f"Bearer {token('root', roles=['admin'])}"}
        plain = {"authorization": f"Bearer {token('ann')}"}
        for path in ("/api/admin/audit", "/api/admin/audit/verify"):
            assert (await house.get(path, **plain))[0] == 403
        status, page = await house.get("/api/admin/audit?limit=1", **admin)
        assert status == 200
        assert [link["user"] for link in page["links"]] == ["bob"]
        _, rest = await house.get(f"/api/admin/audit?before={page['next']}", **admin)
        assert [link["user"] for link in rest["links"]] == ["ann"]
        assert rest["next"] is None
        _, one = await house.get("/api/admin/audit?user=ann&kind=disclosure", **admin)
        assert len(one["links"]) == 1
        _, none = await house.get("/api/admin/audit?until=2001-01-01T00:00:00Z", **admin)
        assert none["links"] == []
        _, verdict = await house.get("/api/admin/audit/verify", **admin)
        assert (verdict["seq"], verdict["broken_at"]) == (2, None)
        assert verdict["head"] == page["links"][0]["hash"]
        for bad in (
            "limit=0",
            "limit=501",
            "before=0",
            "since=never",
            "user=%00",
            f"before={2**70}",
        ):
            assert (await house.get(f"/api/admin/audit?{bad}", **admin))[0] == 400, bad
