"""One live session with one MCP server: an owner task holds the SDK's client.

The owner enters and leaves the client; each request runs in a task of its own. So a cancel scope of
the SDK ends at the owner, and a request that is cancelled, late or wrong harms no other.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar, cast

import anyio
import structlog
from mcp import Client, MCPError
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp.types import CONNECTION_CLOSED

from parlour.tools.failures import BROKEN, NOT_SENT, SESSION_GONE, Lost, TimedOut, Unreachable

PROBE_S = 2.0  # After a call ran out of time: a server that answers nothing for so long hangs.
CLOSE_S = 8.0  # The SDK gives a process 2 s to leave, 2 s after SIGTERM, then kills it.

T = TypeVar("T")
Operation = Callable[[Client], Awaitable[T]]

_log = structlog.get_logger(__name__)


class Session:
    """A session from its first request until it ends, is retired, or lies idle for `idle_s`."""

    def __init__(
        self,
        name: str,
        open_client: Callable[[], AbstractAsyncContextManager[Client]],
        *,
        connect_s: float,
        idle_s: float,
        calls_max: int,
        on_list_changed: Callable[[], None],
        on_closed: Callable[[], None],
    ) -> None:
        self.failure = ""  # why it never connected
        self._name = name
        self._open_client = open_client
        self._connect_s = connect_s
        self._idle_s = idle_s
        self._on_list_changed = on_list_changed
        self._on_closed = on_closed
        loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[Client] = loop.create_future()
        self._ready.add_done_callback(_seen)
        self._slots = asyncio.Semaphore(calls_max)
        self._calls: set[asyncio.Task[Any]] = set()
        self._waiting = 0
        self._retired = False
        self._over = asyncio.Event()
        self._probe: asyncio.Task[None] | None = None
        self._used_at = loop.time()
        self._owner = asyncio.create_task(self._own(), name=f"mcp {name}")

    @property
    def usable(self) -> bool:
        """New requests may be sent here."""
        return not self._retired and not self._owner.done()

    @property
    def load(self) -> int:
        """Requests under way or waiting."""
        return len(self._calls) + self._waiting

    @property
    def client(self) -> Client | None:
        """The SDK's client while it is connected."""
        if self._ready.done() and not self._ready.cancelled() and not self._ready.exception():
            return self._ready.result()
        return None

    async def connected(self) -> None:
        """Wait until the server has answered. Raises `Unreachable`."""
        await asyncio.wait({self._ready})
        if self._ready.cancelled():
            raise Unreachable("it was being closed")
        self._ready.result()

    async def request(self, operation: Operation[T], *, timeout_s: float) -> T:
        """Run one operation on the client within its limit.

        Raises `CallFailed` when there is no answer, and whatever the server's answer makes the SDK
        raise (`MCPError` for a JSON-RPC error).
        """
        self._waiting += 1
        try:
            await self.connected()
            if self._probe is not None:
                await asyncio.wait({self._probe})
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        if not self.usable:
            self._slots.release()
            raise Unreachable("the connection ended")
        task = asyncio.create_task(_run(operation, self._ready.result()))
        self._calls.add(task)
        task.add_done_callback(self._finished)
        try:
            done, _ = await asyncio.wait({task}, timeout=timeout_s)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not done:
            task.cancel()
            self._suspect()
            raise TimedOut(f"it did not answer within {timeout_s:g} s")
        return self._outcome(task)

    def _outcome(self, task: asyncio.Task[T]) -> T:
        if task.cancelled():
            self.retire()
            raise Lost("the connection to it ended")
        try:
            return task.result()
        except MCPError as error:
            if error.code == NOT_SENT:
                raise Unreachable(error.message) from error
            if error.code == SESSION_GONE:
                self.retire()
                raise Unreachable(error.message) from error
            if error.code == BROKEN:
                raise Lost(error.message) from error
            if error.code == CONNECTION_CLOSED:
                self.retire()
                raise Lost("the connection to it ended") from error
            raise
        except (anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            self.retire()
            raise Lost("the connection to it ended") from error

    def retire(self) -> None:
        """Take no new requests; end when those under way are done."""
        self._retired = True
        if not self._calls:
            self._over.set()

    async def close(self) -> None:
        """End now; requests under way fail. Waits until the server is gone, at most `CLOSE_S`."""
        self._retired = True
        self._over.set()
        if self.client is None:
            self._owner.cancel()  # still connecting; nothing is under way
        done, _ = await asyncio.wait({self._owner}, timeout=CLOSE_S)
        if not done:
            self._owner.cancel()

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._calls.discard(task)
        self._slots.release()
        self._used_at = asyncio.get_running_loop().time()
        _seen(task)
        if self._retired and not self._calls:
            self._over.set()

    def _suspect(self) -> None:
        if self._probe is None and not self._retired:
            self._probe = asyncio.create_task(self._check(), name=f"mcp {self._name} check")

    async def _check(self) -> None:
        """A call ran out of time: is the tool slow, or does the whole server hang?"""
        client = self._ready.result()
        answered = False
        try:
            with contextlib.suppress(MCPError, TimeoutError):
                async with asyncio.timeout(PROBE_S):
                    # An error answer is an answer too; only silence means that it hangs.
                    try:
                        await _ping(client)
                    except MCPError as error:
                        answered = error.code not in {CONNECTION_CLOSED, NOT_SENT, BROKEN}
                    else:
                        answered = True
        finally:
            self._probe = None
            if not answered:
                _log.warning("mcp server hangs", server=self._name)
                self.retire()

    async def _own(self) -> None:
        try:
            async with asyncio.timeout(self._connect_s) as limit, self._open_client() as client:
                limit.reschedule(None)
                self._ready.set_result(client)
                listener = asyncio.create_task(
                    self._listen(client), name=f"mcp {self._name} listen"
                )
                try:
                    await self._until_over()
                finally:
                    listener.cancel()
        except Exception as error:  # noqa: BLE001 - groups of anything come out of the SDK's scopes
            self._fail(error)
        finally:
            self._retired = True
            if not self._ready.done():
                self._ready.cancel()
            for task in self._calls:
                task.cancel()
            self._on_closed()

    async def _until_over(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._over.is_set():
            rest = self._idle_s if self.load else self._used_at + self._idle_s - loop.time()
            if rest <= 0:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), rest)

    def _fail(self, error: Exception) -> None:
        sentence = _why(error, self._connect_s)
        if not self._ready.done():
            self.failure = sentence
            self._ready.set_exception(Unreachable(sentence))
        _log.info("mcp connection ended", server=self._name, reason=sentence)

    async def _listen(self, client: Client) -> None:
        """Hear of changed tools, where the protocol of 2026 is spoken and the server offers it."""
        tools = client.server_capabilities.tools
        if tools is None or not tools.list_changed:
            return
        with contextlib.suppress(ListenNotSupportedError, SubscriptionLost, MCPError, TimeoutError):
            async with client.listen(tools_list_changed=True) as changes:
                async for _ in changes:
                    self._on_list_changed()


async def _run(operation: Operation[T], client: Client) -> T:
    return await operation(client)


async def _ping(client: Client) -> None:
    """The cheapest request that each protocol generation answers."""
    if client.session.discover_result is not None:
        await client.session.send_discover(client.protocol_version)
    else:
        await client.session.send_ping()


def _seen(future: asyncio.Future[Any]) -> None:
    """Look at the exception, so that asyncio does not report one that nobody waits for."""
    if not future.cancelled():
        future.exception()


def _why(error: BaseException, connect_s: float) -> str:
    """The first real reason in a (nested) group, as words."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    if isinstance(error, TimeoutError):
        return f"it did not connect within {connect_s:g} s"
    if isinstance(error, FileNotFoundError):
        hint = "; arguments belong into `args`" if " " in str(error.filename) else ""
        return f"there is no program {error.filename!r}{hint}"
    return str(error) or type(error).__name__
