"""The pool of connections: one per server and user, never shared between users.

A connection is made when it is first needed, closed when it lies idle, and made anew when its
session ended: at most once per request, with growing pauses while the server cannot be reached.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx2
import msgspec
from mcp import Client
from mcp.client.session import IncomingMessage
from mcp.types import Implementation, ToolListChangedNotification

import parlour
from parlour.domain import Principal
from parlour.tools.config import ServerConfig, ToolLimits
from parlour.tools.failures import Busy, CallFailed, Unreachable
from parlour.tools.http import http_transport
from parlour.tools.identity import Mint
from parlour.tools.sessions import Operation, Session
from parlour.tools.stdio import stdio_transport

STDERR_LINES_KEPT = 20
RETRY_S = 0.5  # First pause after a failed connection; it doubles up to `retry_s_max`.
RETRY_WAIT_S = 2.0  # A request waits out a pause up to this long, and is refused beyond it.

T = TypeVar("T")
Key = tuple[str, ...]


class Connection:
    """One user's way to one server; holds at most one live session that takes requests."""

    def __init__(
        self,
        config: ServerConfig,
        limits: ToolLimits,
        open_client: Callable[[Connection, Callable[[], None]], Any],
        *,
        on_list_changed: Callable[[], None],
        on_session_end: Callable[[Connection], None],
    ) -> None:
        self.config = config
        self.said: deque[str] = deque(maxlen=STDERR_LINES_KEPT)
        self.error = ""
        self._limits = limits
        self._open_client = open_client
        self._on_list_changed = on_list_changed
        self._on_session_end = on_session_end
        self._session: Session | None = None
        self._leaving: set[Session] = set()
        self._failures = 0
        self._retry_at = 0.0

    @property
    def load(self) -> int:
        """Requests under way or waiting."""
        return sum(session.load for session in self.sessions)

    @property
    def sessions(self) -> set[Session]:
        """Every session that is not closed yet, those on their way out included."""
        return self._leaving | ({self._session} if self._session else set[Session]())

    @property
    def client(self) -> Client | None:
        """The SDK's client of the current session, when connected."""
        return self._session.client if self._session and self._session.usable else None

    async def request(self, operation: Operation[T], *, timeout_s: float) -> T:
        """Run one operation; sends again, once, only what provably did not reach the server.

        Raises `CallFailed`, or what the operation raises.
        """
        if self.load >= self._limits.calls_max + self._limits.waiting_max:
            raise Busy("too many calls to it are waiting")
        for last in (False, True):
            session = await self._usable()
            try:
                result = await session.request(operation, timeout_s=timeout_s)
            except Unreachable as error:
                session.retire()
                self.error = str(error)
                if last or session.failure:
                    raise
            except CallFailed as error:
                self.error = str(error)
                raise
            else:
                self._failures, self.error = 0, ""
                return result
        raise AssertionError("unreachable")

    async def close(self) -> None:
        """End every session now."""
        await asyncio.gather(*(session.close() for session in self.sessions))

    def retire(self) -> None:
        """End every session when its requests are done."""
        for session in self.sessions:
            session.retire()

    async def _usable(self) -> Session:
        if self._session is not None and self._session.usable:
            return self._session
        rest = self._retry_at - asyncio.get_running_loop().time()
        if rest > RETRY_WAIT_S:
            raise Unreachable(
                f"{self.error or 'it failed before'}; the next try is in {rest:.0f} s"
            )
        if rest > 0:
            await asyncio.sleep(rest)
        if self._session is not None and self._session.usable:  # made while we waited
            return self._session
        if self._session is not None:
            self._leaving.add(self._session)
        session = Session(
            self.config.name,
            # A server that goes away ends its own session: there may be a newer one by then.
            lambda: self._open_client(self, session.retire),
            connect_s=self.config.connect_s,
            idle_s=self._limits.idle_s,
            calls_max=self._limits.calls_max,
            on_list_changed=self._on_list_changed,
            on_closed=lambda: self._closed(session),
        )
        self._session = session
        return session

    def _closed(self, session: Session) -> None:
        """A session ended; after one that never connected the next try waits, longer each time."""
        self._leaving.discard(session)
        if self._session is session:
            self._session = None
        if session.failure:
            self.error = session.failure
            pause = min(RETRY_S * 2**self._failures, self._limits.retry_s_max)
            self._failures = min(self._failures + 1, 16)
            jitter = random.uniform(0.75, 1.0)  # noqa: S311 - spreads users, guards nothing
            self._retry_at = asyncio.get_running_loop().time() + pause * jitter
        self._on_session_end(self)


class Connections:
    """All connections, the least recently used first; bounded in number."""

    def __init__(
        self, limits: ToolLimits, *, on_list_changed: Callable[[Key], None] = lambda key: None
    ) -> None:
        self._limits = limits
        self._on_list_changed = on_list_changed
        self._open: OrderedDict[Key, Connection] = OrderedDict()
        self._leaving: set[Connection] = set()
        self._handshake: dict[str, bool] = {}  # server -> speaks a protocol before 2026
        self._tls: ssl.SSLContext | None = None
        self._closing = False

    async def request(
        self,
        config: ServerConfig,
        principal: Principal,
        operation: Operation[T],
        *,
        timeout_s: float,
    ) -> T:
        """Run one operation on this user's connection to this server. Raises `CallFailed`."""
        return await self._of(config, principal).request(operation, timeout_s=timeout_s)

    @property
    def load(self) -> int:
        """Requests under way or waiting, over all connections."""
        return sum(connection.load for connection in self._open.values())

    def of_server(self, name: str) -> list[Connection]:
        """The connections to one server, for people who look after it."""
        return [c for c in self._open.values() if c.config.name == name]

    async def close(self) -> None:
        """Close all; takes at most a few seconds however many there are."""
        self._closing = True
        every = [*self._open.values(), *self._leaving]
        await asyncio.gather(*(connection.close() for connection in every))
        self._open.clear()

    def _of(self, config: ServerConfig, principal: Principal) -> Connection:
        if self._closing:
            raise Busy("Parlour is shutting down")
        key = connection_key(config, principal)
        if (known := self._open.get(key)) is not None:
            self._open.move_to_end(key)
            return known
        self._make_room(config)
        connection = Connection(
            config,
            self._limits,
            lambda of, on_end: self._client(of, principal, on_end),
            on_list_changed=lambda: self._on_list_changed(key),
            on_session_end=lambda of: self._forget(key, of),
        )
        self._open[key] = connection
        return connection

    def _forget(self, key: Key, connection: Connection) -> None:
        """Drop a connection without sessions; one that failed stays, to remember its pause."""
        if not connection.sessions:
            self._leaving.discard(connection)
        if not connection.sessions and not connection.error and self._open.get(key) is connection:
            del self._open[key]

    def _make_room(self, config: ServerConfig) -> None:
        """Retire the longest unused idle connections until one more fits."""
        stdio = config.kind == "stdio"
        bound = self._limits.processes_max if stdio else self._limits.connections_max
        rivals = [
            (key, connection)
            for key, connection in self._open.items()
            if not stdio or connection.config.kind == "stdio"
        ]
        excess = len(rivals) - bound + 1
        for key, connection in rivals:
            if excess <= 0:
                return
            if not connection.load:
                del self._open[key]
                if connection.sessions:
                    self._leaving.add(connection)
                    connection.retire()
                excess -= 1
        if excess > 0:
            raise Busy(f"all {bound} connections are in use")

    @asynccontextmanager
    async def _client(
        self, connection: Connection, principal: Principal, on_end: Callable[[], None]
    ) -> AsyncGenerator[Client]:
        config = connection.config
        server: Any  # the SDK's union of transports and in-process servers
        if config.build is not None:
            server = config.build(principal)
        elif config.command:
            server = stdio_transport(
                config.command,
                config.args,
                config.env,
                line_bytes_max=self._limits.message_bytes_max,
                said=connection.said,
                on_end=on_end,
            )
        else:
            self._tls = self._tls or httpx2.create_ssl_context()  # 20 ms, so once
            server = http_transport(
                config.url,
                config.headers,
                identity=Mint(config.token, principal).headers if config.token else None,
                verify=self._tls,
                message_bytes_max=self._limits.message_bytes_max,
            )

        async def heard(message: IncomingMessage) -> None:
            if isinstance(message, ToolListChangedNotification):
                self._on_list_changed(connection_key(config, principal))

        client = Client(
            server,
            mode="legacy" if self._handshake.get(config.name) else "auto",
            cache=None,  # the catalog keeps listings, for all connections
            client_info=Implementation(name="parlour", version=parlour.__version__),
            message_handler=heard,
        )
        connected = False
        try:
            async with client:
                connected = True
                # Remembered, because asking an older server for the new protocol costs a round
                # trip, or 10 s where it leaves unknown methods unanswered.
                self._handshake[config.name] = client.session.initialize_result is not None
                yield client
        finally:
            if not connected:
                self._handshake.pop(config.name, None)


def connection_key(config: ServerConfig, principal: Principal) -> Key:
    """What tells connections apart: the user, and what the server is told or shown of them.

    A newer token of the host that says something else of the user makes another connection.
    """
    key = (config.name, principal.workspace, principal.user)
    if config.token is not None:
        said = config.token.passed_on(principal)
        return (*key, msgspec.json.encode(said, order="sorted").decode())
    if config.build is None:
        return key
    shown = (principal.name, principal.locale, principal.tier, principal.jurisdiction)
    zone = str(principal.claims.get("zoneinfo", ""))
    return (*key, *shown, zone, *sorted(principal.roles))
