"""Copies of the embedded database: one before its schema changes, and back from one.

A copy is what `pg_dump` makes, a file in `backups` below the data directory. Others may use the
database meanwhile. The newest three are kept.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from parlour.errors import ConfigurationError

KEPT = 3
CONNECT_S = 5
COPY_S = 3_600  # a database of some hundred gigabytes, which is not what this shape is for


def back_up(url: str, programs: Path, directory: Path, revision: str) -> Path:
    """Copy the database at `url`, whose schema is `revision`, into a new file in `directory`.

    Raises `ConfigurationError` when that cannot be done; there is no half file then.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    copy = directory / f"parlour-{revision}-{stamp}.dump"
    half = copy.with_suffix(".half")
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        half.touch(mode=0o600)
        _run([programs / "pg_dump", "--format=custom", f"--file={half}", f"--dbname={url}"])
        half.rename(copy)
        for old in sorted(directory.glob("parlour-*.dump"), key=_age)[:-KEPT]:
            old.unlink()
    except OSError as error:
        with contextlib.suppress(OSError):
            half.unlink()
        raise ConfigurationError(
            f"The database has to be changed for this version, and is copied before that, but "
            f"{copy} cannot be written: {error}. Nothing was changed. Make room, and start again."
        ) from None
    return copy


def restore(url: str, server: str, programs: Path, copy: Path) -> None:
    """Put the database at `url` back to a copy. All of it or nothing.

    The copy becomes a database of its own, which then takes the other's name: what later schemas
    have added stands in nobody's way. `server` is the address of another database there, and nobody
    may use the one that is replaced. Raises `ConfigurationError` when the file is no copy.
    """
    name = conninfo_to_dict(url)["dbname"]
    old, new = (sql.Identifier(f"{name}_{which}") for which in ("replaced", "restored"))
    now = sql.Identifier(str(name))
    rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    drop = sql.SQL("DROP DATABASE IF EXISTS {}")
    try:
        with psycopg.connect(server, connect_timeout=CONNECT_S, autocommit=True) as connection:
            for each in (old, new):
                connection.execute(drop.format(each))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(new))
            target = make_conninfo(url, dbname=f"{name}_restored")
            _run([programs / "pg_restore", "--exit-on-error", f"--dbname={target}", copy])
            with connection.transaction():
                connection.execute(rename.format(now, old))
                connection.execute(rename.format(new, now))
            with contextlib.suppress(psycopg.Error):  # it is done; the next restore drops it
                connection.execute(drop.format(old))
    except (OSError, psycopg.Error) as error:
        raise ConfigurationError(
            f"{copy} cannot be put back: {str(error).strip()}. Nothing was changed."
        ) from None


def _run(command: Sequence[Path | str]) -> None:
    """Run one of Postgres's programs. Raises `OSError` with its last words."""
    try:
        done = subprocess.run(  # noqa: S603 (our own words)
            command, capture_output=True, text=True, errors="replace", timeout=COPY_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise OSError(f"it took longer than {COPY_S} s") from None
    if done.returncode:
        raise OSError((done.stderr.strip() or f"exit {done.returncode}").splitlines()[-1])


def _age(path: Path) -> tuple[float, str]:
    return path.stat().st_mtime, path.name
