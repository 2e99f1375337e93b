"""The one HTTP seam to model providers: POST a body, hand the reply's bytes on as they come.

Owns the choice of the client and what a broken connection means; knows nothing of the bytes. Our
own client (line.py) is the usual way; where a proxy is configured, aiohttp goes through it
(docs/adr/0011-own-client-and-direct-writing.md).

There are no retries here: one turn is one call, and who called decides (docs/adr/0009).
"""

from __future__ import annotations

import asyncio
import ssl
import urllib.request
from collections.abc import Mapping
from typing import TYPE_CHECKING

from yarl import URL

from parlour.models import failures
from parlour.models.bounds import WireLimits
from parlour.models.call import DONE, FINISHED, OPEN, SPEAKING, Broken, Call, Feed
from parlour.models.failures import ModelFailure
from parlour.models.line import Lines

if TYPE_CHECKING:
    from parlour.models.proxied import ProxiedLines

__all__ = ["DONE", "FINISHED", "OPEN", "SPEAKING", "Feed", "Wire", "WireLimits"]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Wire:
    """One pool of connections, without a bound: the number of turns is bounded elsewhere.

    `plain_client` sends everything the way that otherwise only proxies need.
    """

    def __init__(self, limits: WireLimits, *, plain_client: bool = False) -> None:
        self.limits = limits
        self.lines = Lines(connect_s=limits.connect_s, beat_s=limits.beat_s)
        self._proxied: ProxiedLines | None = None
        self._plain_client = plain_client
        self._proxies: dict[str, URL | None] = {}

    async def post(self, url: URL, *, headers: Mapping[str, str], body: bytes, feed: Feed) -> None:
        """Send `body`; call `feed` with each read of the reply until it ends or says `DONE`.

        Raises a `ModelFailure`, also whatever `feed` raises. A break after `FINISHED` is none.
        Cancelling closes the connection before the cancellation goes on.
        """
        call = Call(self.limits, feed)
        try:
            async with asyncio.timeout(None) as scope:
                call.begin(scope)
                proxy = self._proxy(url)
                if proxy is None and not self._plain_client:
                    exchange = await self.lines.send(url, headers, body, call)
                    del body  # for as long as the reply takes, nobody needs it
                    await exchange.read()
                else:
                    await self._open_proxied().exchange(url, headers, body, call, proxy=proxy)
        except (TimeoutError, Broken, OSError) as error:
            if call.state < FINISHED:
                raise _failure(error, call) from error
        finally:
            call.end()

    async def close(self) -> None:
        """Close all connections. A later `post` opens new ones."""
        self.lines.close()
        proxied, self._proxied = self._proxied, None
        if proxied is not None:
            await proxied.close()

    def _open_proxied(self) -> ProxiedLines:
        if self._proxied is None:  # made late: it costs an import, and belongs to the running loop
            from parlour.models.proxied import ProxiedLines

            self._proxied = ProxiedLines(connect_s=self.limits.connect_s)
        return self._proxied

    def _proxy(self, url: URL) -> URL | None:
        """The proxy that HTTPS_PROXY and NO_PROXY name for this host; looked up once."""
        host = url.host or ""
        if host not in self._proxies:
            proxy = urllib.request.getproxies().get(url.scheme)
            # A model server on this machine is not behind a proxy, whatever NO_PROXY forgets.
            bypass = host in _LOOPBACK or urllib.request.proxy_bypass(host)
            self._proxies[host] = URL(proxy) if proxy and not bypass else None
        return self._proxies[host]


def _failure(error: Exception, call: Call) -> ModelFailure:
    """The failure that a broken exchange means."""
    kind: type[ModelFailure]
    if call.verdict is not None:
        kind = call.verdict
    elif isinstance(error, Broken):
        return error.kind(str(error))
    elif isinstance(error, TimeoutError):
        kind = failures.ConnectTimeout
    elif call.answered:
        kind = failures.CutOff
    elif isinstance(error, ssl.SSLError):
        kind = failures.TlsFailed
    else:
        kind = failures.Disconnected
    return kind(f"{type(error).__name__}: {error}")
