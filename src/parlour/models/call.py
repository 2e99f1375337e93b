"""One model call on the wire: its progress, its time limits, and what a break of it means.

Shared by the two HTTP clients (line.py and proxied.py), which hand in what they read with
`Call.take`. Per read that is one plain call of `feed` and no timer, task or object of our own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from parlour.models import failures
from parlour.models.bounds import WireLimits
from parlour.models.failures import ModelFailure
from parlour.models.refusals import refused

# What `feed` answers: how far the reply is.
OPEN = 0  # more must come
SPEAKING = 1  # more must come, and what comes goes on with what was said
FINISHED = 2  # a finish reason was given; only usage and the end mark may follow
DONE = 3  # the end mark was given

# A reply that is complete is not kept waiting: so long for its usage after the finish reason, and
# for the end of the body after the end mark (which lets the connection be used again).
USAGE_WAIT_S = 5.0
CLOSE_WAIT_S = 0.1

ERROR_BYTES_MAX = 65_536  # of an error body; the rest is not read
KEEP_ALIVE_S = 20.0  # below the 60 s and more after which servers and balancers close idle lines

Feed = Callable[[bytes], int]


class Broken(Exception):
    """The exchange broke. `kind` is what that means, unless the reply was complete by then."""

    def __init__(self, kind: type[ModelFailure], why: object) -> None:
        super().__init__(f"{type(why).__name__}: {why}" if isinstance(why, Exception) else why)
        self.kind = kind


class Call:
    """One call's progress and its time limits.

    One timer serves all limits. A chunk only notes the time; the timer, when it fires, looks at
    that note and sleeps on, so that a long reply re-arms it once in `idle_s`.
    """

    __slots__ = (
        "_ends_at",
        "_feed",
        "_left",
        "_limits",
        "_loop",
        "_quiet_s",
        "_scope",
        "_speaks",
        "_timer",
        "_verdict",
        "answered",
        "heard_at",
        "state",
        "verdict",
    )

    def __init__(self, limits: WireLimits, feed: Feed) -> None:
        self._limits = limits
        self._feed = feed
        self._left = limits.reply_bytes_max
        self._loop = asyncio.get_running_loop()
        self._speaks = False  # a first byte of the body came
        self._timer: asyncio.TimerHandle | None = None
        self.state = OPEN
        self.answered = False  # a status line came
        self.verdict: type[ModelFailure] | None = None  # which limit ended the call

    def begin(self, scope: asyncio.Timeout) -> None:
        """Start the clock. `scope` is what ends the waiting task when a limit is reached."""
        self._scope = scope
        self._ends_at = self._loop.time() + self._limits.total_s
        self._allow(self._limits.first_byte_s, failures.FirstByteTimeout)

    def end(self) -> None:
        """Forget the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def take(self, data: bytes) -> None:
        """Feed one read of the body. Raises `ReplyTooLong` and what `feed` raises."""
        if self._speaks:
            self.heard_at = self._loop.time()
        else:
            self._speaks = True
            self._allow(self._limits.idle_s, failures.IdleTimeout)
        self._left -= len(data)
        if self._left < 0:
            raise failures.ReplyTooLong()
        if self.state != DONE:
            state = self._feed(data)
            if state == self.state:
                return
            self.state = state
            if state >= FINISHED:
                wait_s = USAGE_WAIT_S if state == FINISHED else CLOSE_WAIT_S
                self._ends_at = min(self._ends_at, self._loop.time() + wait_s)
                self._arm(self._ends_at)

    def _allow(self, seconds: float, verdict: type[ModelFailure]) -> None:
        self.heard_at = self._loop.time()
        self._quiet_s = seconds
        self._verdict = verdict
        self._arm(min(self.heard_at + seconds, self._ends_at))

    def _arm(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        due = min(self.heard_at + self._quiet_s, self._ends_at)
        if now < due:
            self._arm(due)
            return
        self.verdict = failures.TotalTimeout if now >= self._ends_at else self._verdict
        self._scope.reschedule(now)


def streams(status: int, content_type: str) -> bool:
    """Whether an answer with this head is a stream to be read; else `not_streamed` says what."""
    return status == 200 and content_type not in ("text/html", "application/json")


def not_streamed(
    status: int, content_type: str, headers: Mapping[str, str], body: bytes
) -> ModelFailure:
    """What an answer means that is no stream: a refusal, or a 200 with a document in it.

    `body` is its beginning. Some servers tell errors in a 200, most such are the wrong address.
    """
    if status != 200:
        return refused(status, headers, body)
    if not body:
        return failures.EmptyReply(f"200 {content_type} without a body")
    if content_type == "application/json" and b'"error"' in body[:1_000]:
        return refused(400, {}, body)
    return failures.NotAStream(f"200 {content_type}: {body[:200].decode('utf-8', 'replace')}")
