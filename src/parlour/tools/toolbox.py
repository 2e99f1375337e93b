"""The agent's hands: every tool of every MCP server, for one user at a time.

    toolbox = Toolbox([ServerConfig("time", command="uvx", args=("mcp-server-time",))])
    specs = await toolbox.specs(principal)
    outcome = await toolbox.call(principal, request)

A server that is dead, slow or wrong costs its own tools and nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial

import structlog
from mcp import Client, MCPError, types
from mcp.shared.dispatcher import ProgressFnT
from pydantic import ValidationError

from parlour.domain import Principal, ToolOutcome, ToolRequest, ToolSpec
from parlour.errors import ConfigurationError
from parlour.tools.catalog import Catalog, CatalogTool, Listing
from parlour.tools.config import ServerConfig, ToolLimits
from parlour.tools.connections import Connections
from parlour.tools.failures import Busy, CallFailed, TimedOut
from parlour.tools.results import failed, outcome_of, size_of
from parlour.tools.server import NAME, build_server

RAW_CHARS_TOLD = 200
ASIDE_BYTES = 131_072  # Larger results are worked on in a thread: 100,000 rows take 0.2 s.
SPECS_KEPT = 256  # merged tool lists; users with the same listings share one

Progress = Callable[[float, float, str], None]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ServerState:
    """How one server does. `status` is `ready`, `idle` (not asked yet) or `unreachable`.

    `error` is the last reason it could not be reached, `said` the end of its stderr.
    """

    name: str
    kind: str
    status: str
    tools: int = 0
    connections: int = 0
    protocol: str = ""
    error: str = ""
    said: tuple[str, ...] = ()


def own_server() -> ServerConfig:
    """Parlour's own server, in process; each connection has one that knows its user."""
    return ServerConfig(NAME, build=lambda principal: build_server(lambda _: principal))


class Toolbox:
    """All servers. Make one per process, `close` it at the end."""

    def __init__(
        self,
        servers: Sequence[ServerConfig] = (),
        *,
        limits: ToolLimits | None = None,
        own: bool = True,
    ) -> None:
        """`own`: with Parlour's own server, which comes first."""
        self._limits = limits or ToolLimits()
        self._servers = (*((own_server(),) if own else ()), *servers)
        names = [server.name for server in self._servers]
        for name in names:
            if names.count(name) > 1:
                raise ConfigurationError(f"Two MCP servers are named {name!r}; rename one.")
        self._connections = Connections(
            self._limits, on_list_changed=lambda key: self._catalog.changed(key)
        )
        self._catalog = Catalog(self._servers, self._connections, self._limits)
        self._specs: dict[tuple[str, ...], tuple[ToolSpec, ...]] = {}

    async def start(self) -> None:
        """List the tools that are in process, so that the first turn finds them (about 0.1 s).

        Other servers are opened when a user first needs them.
        """
        await self._catalog.warm()

    async def close(self) -> None:
        """End every connection and every server process; takes at most a few seconds."""
        await self._catalog.close()
        await self._connections.close()

    async def specs(self, principal: Principal) -> tuple[ToolSpec, ...]:
        """The tools this user's model may call: servers as configured, tools by name.

        Adds at most `list_wait_s`, and nothing once a server has been listed for the user.
        """
        listings = await self._catalog.listings(principal)
        key = tuple(listing.digest for listing in listings)
        known = self._specs.get(key)
        if known is None:
            known = tuple(tool.spec for listing in listings for tool in listing.tools)
            if len(self._specs) >= SPECS_KEPT:
                self._specs.clear()
            self._specs[key] = known
        return known

    async def find(self, principal: Principal, name: str) -> CatalogTool | None:
        """The tool behind a model's name: its server, real name, digest and hints."""
        return _find(await self._catalog.listings(principal), name)

    async def call(
        self, principal: Principal, request: ToolRequest, *, on_progress: Progress | None = None
    ) -> ToolOutcome:
        """Call one tool as this user. Whatever goes wrong with it is a failed outcome.

        Takes at most the server's `connect_s` and `timeout_s`. Cancelling it cancels the call at
        the server. `on_progress(done, total, words)` hears of progress; total 0 = not known.
        """
        began = time.perf_counter()
        outcome = await self._called(principal, request, on_progress)
        elapsed_ms = round((time.perf_counter() - began) * 1000)
        _log.info("tool called", tool=request.name, ok=outcome.ok, elapsed_ms=elapsed_ms)
        return replace(outcome, elapsed_ms=elapsed_ms)

    def servers(self) -> list[ServerState]:
        """How every server does, for `doctor` and the admin page."""
        return [self._state(server) for server in self._servers]

    def server_of(self, tool: str) -> str:
        """The server that a tool's name speaks of; `unknown` when there is none of that name."""
        return next((s.name for s in self._servers if tool.startswith(f"{s.name}__")), "unknown")

    def calls_under_way(self) -> int:
        """Requests to servers that run or wait now."""
        return self._connections.load

    async def _called(
        self, principal: Principal, request: ToolRequest, on_progress: Progress | None
    ) -> ToolOutcome:
        if request.arguments is None:
            raw = request.raw[:RAW_CHARS_TOLD]
            return failed(f"The arguments are not a JSON object: {raw!r}. Send an object.")
        listings = await self._catalog.listings(principal)
        tool = _find(listings, request.name)
        if tool is None:
            return self._unknown(request.name, listings)
        arguments, wrong = tool.arguments.check(request.arguments)
        if wrong:
            return failed(wrong)
        title = tool.spec.title

        async def operation(client: Client) -> types.CallToolResult:
            return await client.call_tool(
                tool.real_name,
                arguments,
                progress_callback=_progress(on_progress) if on_progress else None,
            )

        server = tool.server
        try:
            result = await self._connections.request(
                server, principal, operation, timeout_s=server.timeout_s
            )
        except CallFailed as error:
            return failed(_told(title, server.name, error))
        except MCPError as error:
            return failed(f"{title} failed: {error.message}")
        except (RuntimeError, ValueError, ValidationError) as error:
            # The SDK's words when an answer is not what the protocol or the tool promised.
            return failed(f"{title} gave an answer that cannot be used: {str(error)[:500]}")
        except Exception:  # noqa: BLE001 - a turn outlives any bug on the way to a tool
            _log.exception("tool call failed unexpectedly", tool=request.name)
            return failed(f"{title} failed for a reason on our side.")
        normalise = partial(
            outcome_of,
            result,
            text_bytes_max=server.result_bytes_max,
            widget_bytes_max=self._limits.widget_bytes_max,
        )
        large = size_of(result) > ASIDE_BYTES
        return await asyncio.to_thread(normalise) if large else normalise()

    def _unknown(self, name: str, listings: tuple[Listing, ...]) -> ToolOutcome:
        server = next((s for s in self._servers if name.startswith(f"{s.name}__")), None)
        if server is not None and not any(t.server is server for x in listings for t in x.tools):
            reasons = self._catalog.errors(server.name)
            why = f" ({reasons[-1]})" if reasons else ""
            return failed(f"The server {server.name!r} cannot be reached now{why}.")
        names = [name for listing in listings for name in listing.by_name]
        near = get_close_matches(name, names, n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        return failed(f"There is no tool named {name!r}.{hint}")

    def _state(self, server: ServerConfig) -> ServerState:
        connections = self._connections.of_server(server.name)
        clients = [c.client for c in connections if c.client is not None]
        reasons = [c.error for c in connections if c.error] + self._catalog.errors(server.name)
        tools = self._catalog.tools_of(server.name)
        status = "ready" if clients else "unreachable" if reasons else "ready" if tools else "idle"
        said = next((tuple(c.said) for c in reversed(connections) if c.said), ())
        return ServerState(
            name=server.name,
            kind=server.kind,
            status=status,
            tools=tools,
            connections=len(clients),
            protocol=clients[-1].protocol_version if clients else "",
            error=reasons[-1] if reasons else "",
            said=said if reasons else (),
        )


def _find(listings: tuple[Listing, ...], name: str) -> CatalogTool | None:
    return next((x.by_name[name] for x in listings if name in x.by_name), None)


def _progress(on_progress: Progress) -> ProgressFnT:
    async def heard(progress: float, total: float | None, message: str | None) -> None:
        on_progress(progress, total or 0.0, message or "")

    return heard


def _told(title: str, server: str, error: CallFailed) -> str:
    """What the model is told, so that it neither claims success nor blindly repeats."""
    if isinstance(error, Busy):
        return f"{title} was not called: {error}. Try again in a moment."
    if not error.delivered:
        return f"{title} was not called: the server {server!r} cannot be reached ({error})."
    what = "did not answer in time" if isinstance(error, TimedOut) else "was lost"
    return (
        f"{title} {what}: {error}. Whether it took effect is not known; do not repeat it if it "
        "changes something, and tell the user."
    )
