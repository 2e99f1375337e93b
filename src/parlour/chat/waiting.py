"""Tells people in words what an answer waits for: one timer for all turns of the process.

A few times a second it looks how much each turn's log has grown. A turn that has shown nothing new
for `quiet_s` says what it waits for. The path of a token knows nothing of this.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

import structlog

from parlour.chat.running import Pulse, Running
from parlour.domain import TurnId
from parlour.errors import Problem
from parlour.events.types import Status

LOOK_S = 0.25  # a look at 2,000 turns takes 0.3 ms
TIMES = (1, 5, 15, 30)  # of `quiet_s`: with 2 s it is told after 2, 10, 30 and 60
NAMED_MAX = 2  # tools; the others are counted

log = structlog.get_logger("parlour.waiting")


class Waiting:
    """One for the process; start it once, stop it at the end."""

    def __init__(self, running: Mapping[TurnId, Running], *, quiet_s: float) -> None:
        self._running = running
        self._quiet_s = quiet_s
        self._look_s = min(LOOK_S, quiet_s / 4)
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to look."""
        self._timer = asyncio.get_running_loop().call_later(self._look_s, self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._timer:
            self._timer.cancel()

    def _look(self) -> None:
        self.start()
        self.look(time.monotonic())

    def look(self, now: float) -> None:
        """Look once at each turn."""
        for running in self._running.values():
            size, pulse = running.sink.log.size, running.pulse
            if size != pulse.size:
                pulse.size, pulse.at, pulse.told = size, now, 0
            elif now - pulse.at >= self._quiet_s and self._due(pulse, now):
                self._speak(running, now)

    def _due(self, pulse: Pulse, now: float) -> bool:
        return pulse.told < len(TIMES) and now - pulse.at >= TIMES[pulse.told] * self._quiet_s

    def _speak(self, running: Running, now: float) -> None:
        """Say what is waited for; nothing before a turn is stored, nor when it ends."""
        committed, sink, pulse = running.committed, running.sink, running.pulse
        if running.stopping or not committed.done() or not committed.result():
            return
        try:
            running.hear(Status(text=words(sink.tools_at_work(), now - pulse.at, pulse.told)))
            pulse.size, pulse.told = sink.log.size, pulse.told + 1
        except Problem as problem:  # it became too long; the turn finds out by itself
            log.info("status_not_said", turn_id=running.turn, code=problem.code)


def words(tools: Sequence[str], quiet_s: float, told: int) -> str:
    """What is waited for; from the second time on also for how long."""
    since = f" ({quiet_s:.0f} s)" if told else ""
    if not tools:
        return f"Still working on the answer{since}…"
    titles = list(dict.fromkeys(tools))
    named = [f"«{title}»" for title in titles[:NAMED_MAX]]
    if len(titles) > NAMED_MAX:
        named.append(f"{len(titles) - NAMED_MAX} more")
    listed = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    return f"Still waiting for {listed}{since}…"
