"""Reads of many streams, joined: each line is read at most once a beat, and many lines together.

A fast model says thirty words a second. When each of them wakes the process, most of what a word
costs is waking, reading and writing. So once a reply has begun to speak, its line is held: its
socket wakes nobody (`SO_RCVLOWAT`) unless plenty has come or the line ends, and on each beat what
has come on the held lines is taken in one go. A line on which nothing came within a beat is let go,
and passes at once again: what a slow model says is not delayed, what a fast one says by half a beat
on average. The first words of a reply never wait.

Below `LINES_MIN` streams there is nothing to join. Where the kernel cannot do it, nothing is held.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from contextlib import suppress
from typing import Protocol

LINES_MIN = 8  # streams, below which each read passes at once
GROUP_MAX = 200  # lines on one beat, so that a beat does not keep the loop for long
# A beat grows with the load, by and by so that it does not swing: from a fifth of a core on, to so
# many times its length at a third, which is still fluent reading.
TIMES_MAX = 5 / 3
LONG_SHARE = 1 / 3
HELD_BYTES = 16_384  # so much wakes a held line at once; also what one read takes

# What other systems make of the option was never measured, so they do without.
POSSIBLE = sys.platform == "linux"


class Held(Protocol):
    """A line that can be held."""

    socket: socket.socket | None
    plain: bool  # its bytes may be taken past the transport: no TLS
    group: Group | None

    def data_received(self, data: bytes) -> None:
        """One read."""
        ...


class Gather:
    """The groups of all lines of one pool. A timer for each group, and none while none is held."""

    def __init__(self, *, beat_s: float, lines_min: int = LINES_MIN) -> None:
        self.streams = 0  # replies under way
        self._beat_s = beat_s
        self._lines_min = lines_min if POSSIBLE and beat_s else sys.maxsize
        self._group: Group | None = None  # the one with room

    def hold(self, line: Held) -> None:
        """`line` has just been read, and goes on: read it again on the beat."""
        if line.group is not None or self.streams < self._lines_min:
            return
        if line.socket is None or not _wake_at(line.socket, HELD_BYTES):
            return
        group = self._group
        if group is None or not 0 < len(group.lines) < GROUP_MAX:
            group = self._group = Group(self._beat_s)
        group.add(line)


def let_go(line: Held) -> None:
    """Whatever comes next on `line` passes at once."""
    if line.group is not None:
        line.group = None
        if line.socket is not None:
            _wake_at(line.socket, 1)


class Group:
    """Lines that are read together."""

    def __init__(self, beat_s: float) -> None:
        self.lines: list[Held] = []
        self._beat_s = beat_s
        self._cpu_at = self._at = 0.0

    def add(self, line: Held) -> None:
        """Read `line` on each beat from the next one on."""
        line.group = self
        self.lines.append(line)
        if len(self.lines) == 1:
            self._wait()

    def _wait(self) -> None:
        # The time of this thread, which is the loop's: other threads have time of their own.
        cpu, at = time.thread_time(), time.monotonic()
        share = (cpu - self._cpu_at) / (at - self._at) if at > self._at else 0
        self._cpu_at, self._at = cpu, at
        asyncio.get_running_loop().call_later(times(share) * self._beat_s, self.beat)

    def beat(self) -> None:
        """Take what has come on all lines."""
        lines = self.lines
        self.lines = kept = [line for line in lines if line.group is self and _read(line)]
        if kept:
            self._wait()


def times(share: float) -> float:
    """How many times its length a beat is at such a share of a core."""
    return min(max(1.0, TIMES_MAX * share / LONG_SHARE), TIMES_MAX)


def _read(line: Held) -> bool:
    """Take what has come; whether to go on so."""
    if line.plain and line.socket is not None:
        try:  # `suppress` costs as much as a tenth of the rest
            data = line.socket.recv(HELD_BYTES)
        except OSError:  # mostly that nothing has come; the transport tells everything else
            data = b""
        if data:
            line.data_received(data)
            return line.group is not None
    let_go(line)
    return False


def _wake_at(ready: socket.socket, size: int) -> bool:
    with suppress(OSError):  # it is closed, and its transport will tell
        ready.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
        return True
    return False
