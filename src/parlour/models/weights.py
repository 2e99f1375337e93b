"""The weights of the embedded model: which there are, where they lie, how they get there.

Weights are data. weights.json names each file with its licence, size, SHA-256 and sources; a file
counts as present only after its hash was checked. How bytes are got from a source is in
weights_sources.py; what runs them is local_process.py.

A download survives everything: it grows one `.partial` file, a lock that the kernel lets go of when
its holder dies keeps two starts apart, and the whole file moves into place in one step.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import msgspec

from parlour.errors import ConfigurationError
from parlour.models import file_lock
from parlour.models.weights_sources import (
    Part,
    SourceFailed,
    append_from_parts,
    append_from_url,
)

Report = Callable[["Progress"], None]

CACHE_DIR = Path("~/.cache/parlour")  # shared: several data directories hold one copy
MEMORY_FOR_DEFAULT = 4_000_000_000  # bytes: 1.5B takes 2 GB, and the rest of the house lives too
SPACE_MARGIN = 100_000_000  # bytes left free for the database and logs beside a download
LOCK_WAIT_S = 1_800.0  # another start may be downloading 1 GB over a slow line


class WeightsUnavailable(ConfigurationError):
    """The weights are not there and could not be got. The sentence says why and what to type."""


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One place to get a file from: a URL, or parts inside packages of the package index."""

    url: str = ""
    parts: tuple[Part, ...] = ()

    def __str__(self) -> str:
        return self.url.split("/")[2] if self.url else "the package index"


class Weights(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of weights. `memory_bytes` is what should be available before it is started."""

    name: str
    model: str
    title: str
    file: str
    licence: str
    bytes: int
    sha256: str
    memory_bytes: int
    sources: tuple[Source, ...]


class Progress(msgspec.Struct, frozen=True):
    """How far a download is. `done` never exceeds `total`; `note` is a sentence, mostly empty."""

    name: str
    done: int
    total: int
    note: str = ""


@cache
def manifest() -> dict[str, Weights]:
    """Every file of weights we know, by name, best first."""
    data = Path(__file__).with_name("weights.json").read_bytes()
    return {item.name: item for item in msgspec.json.decode(data, type=list[Weights])}


def named(name: str) -> Weights:
    """The weights of that name, or the default for this machine's memory when it is empty."""
    known = manifest()
    if not name:
        name = "1.5b" if memory_available() >= MEMORY_FOR_DEFAULT else "135m"
    if name not in known:
        raise WeightsUnavailable(
            f"There is no embedded model {name!r}. Choose one of {', '.join(known)}, "
            "or give the path of a GGUF file."
        )
    return known[name]


def memory_available() -> int:
    """Bytes of memory that a new process may take: the machine's, or its container's if less."""
    available = _meminfo()
    limit, used = (_number(f"/sys/fs/cgroup/memory.{name}") for name in ("max", "current"))
    if limit is not None and used is not None:
        available = min(available, max(0, limit - used))
    return available


def path_of(weights: Weights, cache_dir: Path) -> Path:
    """Where the file lies below `cache_dir`."""
    return cache_dir.expanduser() / "models" / weights.file


def present(weights: Weights, cache_dir: Path) -> Path | None:
    """The path of weights whose hash was checked when they were put there, else None. Quick."""
    path = path_of(weights, cache_dir)
    try:
        complete = path.stat().st_size == weights.bytes
        checked = _mark(path).read_text("ascii").strip() == weights.sha256
    except OSError:
        return None
    return path if complete and checked else None


def fetch(name: str, cache_dir: Path, report: Report = lambda progress: None) -> Path:
    """Make sure that the weights are there and are what they should be; returns their path.

    Does nothing when they are. Blocks; may be called by several processes at once, one of which
    downloads. Goes on where an interrupted download stopped. Raises `WeightsUnavailable`.
    """
    weights = named(name)
    if found := present(weights, cache_dir):
        return found
    path = path_of(weights, cache_dir)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _only_one(weights, path, report):
            if found := present(weights, cache_dir):
                return found
            _get(weights, path, report)
    except OSError as error:
        raise WeightsUnavailable(
            f"{weights.title} cannot be written to {path.parent}: {error.strerror or error}. "
            "Set PARLOUR_CACHE_DIR to a directory that can."
        ) from error
    return path


def _get(weights: Weights, path: Path, report: Report) -> None:
    """Fill the partial file from the first source that can, check it, move it into place."""
    if path.is_file() and _sha256(path) == weights.sha256:  # put there by hand
        _write_mark(path, weights)
        return
    partial = path.with_name(path.name + ".partial")
    failures: list[str] = []
    for source in weights.sources:
        _check_space(weights, partial)
        report(Progress(weights.name, _size(partial), weights.bytes, f"from {source}"))
        try:
            _fill_and_check(weights, source, partial, report)
        except SourceFailed as failure:
            failures.append(f"{source}: {failure}")
            continue
        os.replace(partial, path)
        _write_mark(path, weights)
        report(Progress(weights.name, weights.bytes, weights.bytes, f"ready: {path}"))
        return
    raise WeightsUnavailable(
        f"{weights.title} could not be downloaded. {' '.join(failures)} "
        "Run the same command again to go on where it stopped, or set PARLOUR_MODEL to another "
        "model."
    )


def _fill_and_check(weights: Weights, source: Source, partial: Path, report: Report) -> None:
    """Fill from one source. What was resumed and turns out wrong is tried once more from nothing:
    an earlier stop may have left torn bytes."""
    resumed = _size(partial) > 0
    _fill(weights, source, partial, report)
    if _sha256(partial) == weights.sha256:
        return
    partial.unlink()
    if resumed:
        _fill(weights, source, partial, report)
        if _sha256(partial) == weights.sha256:
            return
        partial.unlink()
    raise SourceFailed("the file is not the one we know (its SHA-256 differs), so it was deleted.")


def _fill(weights: Weights, source: Source, partial: Path, report: Report) -> None:
    def say(done: int) -> None:
        report(Progress(weights.name, min(done, weights.bytes), weights.bytes))

    if _size(partial) > weights.bytes:
        partial.unlink()
    if source.url:
        append_from_url(source.url, partial, total=weights.bytes, say=say)
    else:
        append_from_parts(source.parts, partial, say=say)
    if _size(partial) != weights.bytes:
        raise SourceFailed(
            f"it gave {_size(partial):,} bytes of {weights.bytes:,} before it stopped."
        )


@contextmanager
def _only_one(weights: Weights, path: Path, report: Report) -> Generator[None]:
    """Hold the lock of one file. The lock file stays: deleting it would let two in."""
    with path.with_name(path.name + ".lock").open("ab") as handle:
        deadline = time.monotonic() + LOCK_WAIT_S
        waiting = False
        while not file_lock.take(handle):
            if not waiting:
                waiting = True
                done = _size(path.with_name(path.name + ".partial"))
                note = "another Parlour is downloading it; waiting"
                report(Progress(weights.name, done, weights.bytes, note))
            if time.monotonic() > deadline:
                raise WeightsUnavailable(
                    f"Another process has been downloading {weights.title} for "
                    f"{LOCK_WAIT_S / 60:.0f} minutes. Stop it, or wait for it, and try again."
                )
            time.sleep(0.2)
        yield


def _check_space(weights: Weights, partial: Path) -> None:
    """A part is on the disk twice while it is unpacked, so the largest one counts again."""
    largest = max((part.bytes for source in weights.sources for part in source.parts), default=0)
    needed = weights.bytes - _size(partial) + 2 * largest + SPACE_MARGIN
    free = shutil.disk_usage(partial.parent).free
    if free < needed:
        raise WeightsUnavailable(
            f"{weights.title} needs {needed / 1e6:,.0f} MB in {partial.parent}, where "
            f"{free / 1e6:,.0f} MB are free. Make room, or set PARLOUR_CACHE_DIR to another disk."
        )


def _mark(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _write_mark(path: Path, weights: Weights) -> None:
    fresh = _mark(path).with_name(f"{_mark(path).name}.{os.getpid()}")
    fresh.write_text(weights.sha256 + "\n", "ascii")
    os.replace(fresh, _mark(path))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _meminfo() -> int:
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line[:13] == "MemAvailable:")
    except (OSError, StopIteration):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 0


def _number(file: str) -> int | None:
    try:
        return int(Path(file).read_text("ascii"))
    except (OSError, ValueError):  # no such group, or "max": no limit
        return None
