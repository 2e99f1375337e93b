"""The one HTTP seam to model providers: POST a body, hand the reply's bytes on as they come.

Owns the session, the time limits and what a broken connection means; knows nothing of the bytes. A
chunk costs one wake-up and one plain call of `feed`: no timer, task or object of our own. The
seam is this file's `Wire.post`, so that another HTTP client can take its place.

There are no retries here: one turn is one call, and who called decides (docs/adr/0009).
"""

from __future__ import annotations

import asyncio
import ssl
import urllib.request
from collections.abc import Callable, Mapping

import aiohttp
from yarl import URL

from parlour.models import failures
from parlour.models.bounds import WireLimits
from parlour.models.failures import ModelFailure
from parlour.models.refusals import refused

# What `feed` answers: how far the reply is.
OPEN = 0  # more must come
FINISHED = 1  # a finish reason was given; only usage and the end mark may follow
DONE = 2  # the end mark was given

# A reply that is complete is not kept waiting: so long for its usage after the finish reason, and
# for the end of the body after the end mark (which lets the connection be used again).
USAGE_WAIT_S = 5.0
CLOSE_WAIT_S = 0.1

ERROR_BYTES_MAX = 65_536  # of an error body; the rest is not read
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
KEEP_ALIVE_S = 20.0  # below the 60 s and more after which servers and balancers close idle lines

Feed = Callable[[bytes], int]


class Wire:
    """One pool of connections, without a bound: the number of turns is bounded elsewhere."""

    def __init__(self, limits: WireLimits) -> None:
        self.limits = limits
        self._session: aiohttp.ClientSession | None = None
        self._proxies: dict[str, URL | None] = {}

    async def post(self, url: URL, *, headers: Mapping[str, str], body: bytes, feed: Feed) -> None:
        """Send `body`; call `feed` with each read of the reply until it ends or says `DONE`.

        Raises a `ModelFailure`, also whatever `feed` raises. A break after `FINISHED` is none.
        Cancelling closes the connection before the cancellation goes on.
        """
        call = _Call(self.limits, feed)
        try:
            async with asyncio.timeout(None) as scope:
                call.begin(scope)
                await self._exchange(url, headers, body, call)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            if call.state == OPEN:
                raise _failure(error, call) from error
        finally:
            call.end()

    async def close(self) -> None:
        """Close all connections. A later `post` opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _exchange(
        self, url: URL, headers: Mapping[str, str], body: bytes, call: _Call
    ) -> None:
        response = await self._open_session().post(
            url, data=body, headers=headers, proxy=self._proxy(url), allow_redirects=False
        )
        call.answered = True
        try:
            if response.status != 200:
                raise refused(response.status, response.headers, await _beginning(response))
            if response.content_type in ("text/html", "application/json"):
                raise _no_stream(response.content_type, await _beginning(response))
            await call.read(response.content)
        finally:
            # Closes the line unless the body was read to its end; then it is back in the pool.
            response.close()

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:  # made late: a session belongs to the running loop
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, connect=self.limits.connect_s),
            )
        return self._session

    def _proxy(self, url: URL) -> URL | None:
        """The proxy that HTTPS_PROXY and NO_PROXY name for this host; looked up once."""
        host = url.host or ""
        if host not in self._proxies:
            proxy = urllib.request.getproxies().get(url.scheme)
            # A model server on this machine is not behind a proxy, whatever NO_PROXY forgets.
            bypass = host in _LOOPBACK or urllib.request.proxy_bypass(host)
            self._proxies[host] = URL(proxy) if proxy and not bypass else None
        return self._proxies[host]


class _Call:
    """One call's progress and its time limits.

    One timer serves all limits. A chunk only notes the time; the timer, when it fires, looks at
    that note and sleeps on, so that a long reply re-arms it once in `idle_s`.
    """

    __slots__ = (
        "_ends_at",
        "_feed",
        "_limits",
        "_loop",
        "_quiet_s",
        "_scope",
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
        self._loop = asyncio.get_running_loop()
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

    async def read(self, content: aiohttp.StreamReader) -> None:
        """Feed the body until it ends."""
        clock, feed, readany = self._loop.time, self._feed, content.readany
        left = self._limits.reply_bytes_max
        data = await readany()
        self._allow(self._limits.idle_s, failures.IdleTimeout)
        while data:
            left -= len(data)
            if left < 0:
                raise failures.ReplyTooLong()
            if self.state != DONE:
                state = feed(data)
                if state != self.state:
                    self.state = state
                    wait_s = USAGE_WAIT_S if state == FINISHED else CLOSE_WAIT_S
                    self._ends_at = min(self._ends_at, clock() + wait_s)
                    self._arm(self._ends_at)
            data = await readany()
            self.heard_at = clock()

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


def _failure(error: Exception, call: _Call) -> ModelFailure:
    """The failure that a broken exchange means."""
    kind: type[ModelFailure]
    if call.verdict is not None:
        kind = call.verdict
    elif isinstance(error, TimeoutError):
        kind = failures.ConnectTimeout
    elif call.answered:
        kind = failures.CutOff
    elif isinstance(error, (aiohttp.ClientSSLError, ssl.SSLError)):
        kind = failures.TlsFailed
    elif isinstance(error, (aiohttp.ClientConnectorError, aiohttp.InvalidURL)):
        kind = failures.Unreachable
    elif isinstance(error, aiohttp.ClientResponseError):
        kind = failures.NotHttp
    else:
        kind = failures.Disconnected
    return kind(f"{type(error).__name__}: {error}")


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    parts: list[bytes] = []
    left = ERROR_BYTES_MAX
    while left > 0 and (data := await response.content.read(left)):
        parts.append(data)
        left -= len(data)
    return b"".join(parts)


def _no_stream(content_type: str, body: bytes) -> ModelFailure:
    """A 200 with a document in it: some servers tell errors so, most are the wrong address."""
    if not body:
        return failures.EmptyReply(f"200 {content_type} without a body")
    if content_type == "application/json" and b'"error"' in body[:1_000]:
        return refused(400, {}, body)
    return failures.NotAStream(f"200 {content_type}: {body[:200].decode('utf-8', 'replace')}")
