"""A disk without room: writes are refused, reads go on, and room is all that it needs.

The database's files are put on a small file system of their own, which is then filled. Postgres'
log is elsewhere: without room for that, Postgres itself ends, and that is an outage as any other
(test_database_returns.py).
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.house import House, final
from tests.journey.conftest import HELLO, OpenHouse

SIZE = 48 * 1024 * 1024
HEALTHY_S = 5
MESSAGES_MAX = 300  # there is some room within the tables; a message takes a good part of a page
TEXT = "hello " + os.urandom(20_000).hex()  # nothing that can be compressed


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """An empty file system of a few megabytes, where Postgres gets to: it may be another user."""
    place = Path(tempfile.mkdtemp(prefix="parlour-disk-"))
    place.chmod(0o711)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0711", "tmpfs", str(place)],
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        place.rmdir()
        pytest.skip(f"A small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)
    place.rmdir()


async def move(url: str, server: str, disk: Path) -> None:
    """Put the files of the database at `url` onto `disk`."""
    async with await psycopg.AsyncConnection.connect(server, autocommit=True) as connection:
        cursor = await connection.execute("SHOW data_directory")
        tables = make_tables(disk, str((await cursor.fetchone() or [""])[0]))
        name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
        await connection.execute(f"CREATE TABLESPACE small LOCATION '{tables}'")  # type: ignore[arg-type]
        await connection.execute(f'ALTER DATABASE "{name}" SET TABLESPACE small')  # type: ignore[arg-type]


def make_tables(disk: Path, data_directory: str) -> Path:
    """A folder on `disk` that belongs to whom Postgres belongs."""
    owner = Path(data_directory).stat()
    tables = disk / "tables"
    tables.mkdir(mode=0o700)
    os.chown(tables, owner.st_uid, owner.st_gid)
    return tables


def fill(disk: Path) -> Path:
    """Leave no room."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 65_536)
        except OSError:
            return filler


async def send(house: House, number: int, text: str = TEXT) -> tuple[int, Any]:
    async with house.start(f"c{number}", text, {"accept": "application/json"}) as response:
        return response.status, await response.json()


@pytest.mark.promise("P1", "P10")
async def test_a_full_disk_refuses_writes_and_reads_go_on_until_there_is_room(
    open_house: OpenHouse, postgres: str, database_url: str, small_disk: Path
) -> None:
    await move(database_url, postgres, small_disk)
    try:
        async with open_house(HELLO) as house:
            await filled(house, small_disk)
    finally:
        async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as connection:
            name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
            await connection.execute(f'ALTER DATABASE "{name}" SET TABLESPACE pg_default')  # type: ignore[arg-type]
            await connection.execute("DROP TABLESPACE small")


async def filled(house: House, disk: Path) -> None:
    """Fill the disk and look; make room and look again."""
    assert final(await house.ask("before", "hello")).status == "done"
    filler = fill(disk)
    acknowledged: list[int] = []
    for number in range(MESSAGES_MAX):
        status, body = await send(house, number)
        if status != 202:
            break
        acknowledged.append(number)
    assert (status, body["code"]) == (503, "store_unavailable")

    assert (await house.get("/api/threads/before"))[1]["messages"][1]["status"] == "done"
    assert (await house.get("/api/threads"))[0] == 200
    for number in acknowledged:
        thread = (await house.get(f"/api/threads/c{number}"))[1]
        assert thread["messages"][0]["parts"][0]["text"] == TEXT

    filler.unlink()
    room = time.monotonic()
    while (await send(house, MESSAGES_MAX))[0] != 202:
        assert time.monotonic() - room < HEALTHY_S
        await asyncio.sleep(0.05)
    assert final(await house.ask("after", "hello")).status == "done"
