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

from parlour.errors import ConfigurationError

KEPT = 3
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


def restore(url: str, programs: Path, copy: Path) -> None:
    """Put the database at `url` back to a copy. All of it or nothing.

    Raises `ConfigurationError` when the file is no copy, or the database is in use.
    """
    try:
        _run(
            [
                programs / "pg_restore",
                "--clean",
                "--if-exists",
                "--single-transaction",
                f"--dbname={url}",
                copy,
            ]
        )
    except OSError as error:
        raise ConfigurationError(
            f"{copy} cannot be put back: {error}. Nothing was changed."
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
