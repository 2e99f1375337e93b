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
from functools import partial
from typing import Any

import structlog
from mcp import Client, MCPError, types
from pydantic import ValidationError

from parlour.domain import Principal, ToolOutcome, ToolRequest, ToolSpec
from parlour.errors import ConfigurationError, Problem
from parlour.policy import Policies
from parlour.store.threads import Threads
from parlour.store.tool_results import ToolResults, new_handle
from parlour.tools.catalog import Catalog, CatalogTool, listing_key
from parlour.tools.config import ServerConfig, ToolLimits
from parlour.tools.connections import Connections
from parlour.tools.failures import Busy, CallFailed, TimedOut
from parlour.tools.hidden import HiddenTools
from parlour.tools.offer import Offer, instructions_of
from parlour.tools.own import NAMING
from parlour.tools.pins import Pins
from parlour.tools.progress import Progress, throttled
from parlour.tools.reading_on import THREAD_KEY
from parlour.tools.resolving import Resolved, Resolver
from parlour.tools.results import Caps, Whole, failed, outcome_of, size_of
from parlour.tools.server import NAME, build_server

ASIDE_BYTES = 16_384  # Larger results are worked on in a thread: 100,000 rows take 0.3 s.
SPECS_KEPT = 256  # merged tool lists; users with the same listings share one

# Right before a call is sent: the real tool and its arguments; words refuse it.
Guard = Callable[[Resolved], str]

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


def own_server(results: ToolResults | None = None, threads: Threads | None = None) -> ServerConfig:
    """Parlour's own server, in process; each connection has one that knows its user."""
    return ServerConfig(
        NAME,
        build=lambda principal: build_server(lambda _: principal, results, threads),
        undoable=(NAMING.name,),
        call_by_name=False,
        instructions_chars_max=0,  # the prompt says it
    )


class Toolbox:
    """All servers. Make one per process, `close` it at the end."""

    def __init__(
        self,
        servers: Sequence[ServerConfig] = (),
        *,
        limits: ToolLimits | None = None,
        own: bool = True,
        policies: Policies | None = None,
        pins: Pins | None = None,
        results: ToolResults | None = None,
        threads: Threads | None = None,
    ) -> None:
        """`own`: with Parlour's own server, which comes first. Without `pins` every description is
        trusted, without `results` nothing that is cut is kept, without `threads` none is named."""
        self._limits = limits or ToolLimits()
        self._servers = (*((own_server(results, threads),) if own else ()), *servers)
        names = [server.name for server in self._servers]
        for name in names:
            if names.count(name) > 1:
                raise ConfigurationError(f"Two MCP servers are named {name!r}; rename one.")
        self.pins = pins
        self._policies = policies or Policies()
        self._results = results
        self._connections = Connections(
            self._limits, on_list_changed=lambda key: self._catalog.changed(key)
        )
        self._catalog = Catalog(self._servers, self._connections, self._limits)
        self._hidden = HiddenTools()
        self._offer = Offer(self._catalog, self._policies, pins)
        self._resolver = Resolver(
            self._servers, self._offer, self._catalog, self._connections, self._hidden
        )
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
        if self.pins is not None:
            await self.pins.close()

    async def specs(self, principal: Principal) -> tuple[ToolSpec, ...]:
        """The tools this user's model may call: servers as configured, tools by name.

        Adds at most `list_wait_s`, and nothing once a server has been listed for the user.
        """
        listings = await self._offer.listings(principal)
        key = tuple(listing.digest for listing in listings)
        known = self._specs.get(key)
        if known is None:
            known = tuple(tool.spec for listing in listings for tool in listing.tools)
            if len(self._specs) >= SPECS_KEPT:
                self._specs.clear()
            self._specs[key] = known
        return known

    async def instructions(self, principal: Principal) -> str:
        """What the servers say about their tools, marked as theirs, for the prompt; may be ""."""
        return instructions_of(await self._offer.listings(principal))

    async def find(self, principal: Principal, name: str) -> CatalogTool | None:
        """The tool behind a model's name: its server, real name, digest and hints."""
        listings = await self._offer.listings(principal)
        return next((x.by_name[name] for x in listings if name in x.by_name), None)

    async def resolve(self, principal: Principal, request: ToolRequest) -> Resolved:
        """What a request really asks for: the tool that is called, shown, judged and recorded."""
        return await self._resolver.resolve(principal, request)

    async def call(
        self,
        principal: Principal,
        request: ToolRequest,
        *,
        thread: str = "",
        on_progress: Progress | None = None,
        guard: Guard | None = None,
    ) -> ToolOutcome:
        """Call one tool as this user. Whatever goes wrong with it is a failed outcome.

        Takes at most the server's `connect_s` and `timeout_s`. Cancelling it cancels the call at
        the server. `on_progress(done, total, words)` hears of progress; total 0 = not known. A
        result that is cut is kept whole for the conversation `thread`. `guard` has the last word
        on what is sent.
        """
        began = time.perf_counter()
        resolved = await self.resolve(principal, request)
        refusal = "" if resolved.wrong or guard is None else guard(resolved)
        if refusal:
            resolved = replace(resolved, wrong=refusal)
        outcome = await self._called(principal, resolved, thread, on_progress)
        elapsed_ms = round((time.perf_counter() - began) * 1000)
        _log.info("tool called", tool=resolved.request.name, ok=outcome.ok, elapsed_ms=elapsed_ms)
        return replace(outcome, elapsed_ms=elapsed_ms)

    async def look(self, principal: Principal) -> None:
        """Ask every server for its tools, and nothing else; `servers` then says how it went."""
        await self._catalog.listings(principal)

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
        self, principal: Principal, resolved: Resolved, thread: str, on_progress: Progress | None
    ) -> ToolOutcome:
        tool, arguments = resolved.tool, resolved.request.arguments
        if resolved.wrong or tool is None or arguments is None:
            return failed(resolved.wrong)
        title, server = tool.spec.title, tool.server
        meta: Any = {THREAD_KEY: thread} if thread and server.build is not None else None
        name = tool.real_name
        if tool.via is not None:
            arguments = {tool.via.name_key: name, tool.via.arguments_key: arguments}
            name = tool.via.tool

        async def operation(client: Client) -> types.CallToolResult:
            heard = throttled(on_progress) if on_progress else None
            return await client.call_tool(name, arguments, progress_callback=heard, meta=meta)

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
            _log.exception("tool call failed unexpectedly", tool=resolved.request.name)
            return failed(f"{title} failed for a reason on our side.")
        await self._learn(principal, tool, result)
        return await self._normalised(principal, tool, result, thread)

    async def _learn(
        self, principal: Principal, tool: CatalogTool, result: types.CallToolResult
    ) -> None:
        """What a finder answers describes hidden tools."""
        listings = await self._offer.listings(principal)
        listing = next((each for each in listings if each.server is tool.server), None)
        pair = self._hidden.pair_of(listing) if listing is not None else None
        if pair is not None and pair.finder is not None and pair.finder.real_name == tool.real_name:
            self._hidden.learn(listing_key(tool.server, principal), pair, result)

    async def _normalised(
        self, principal: Principal, tool: CatalogTool, result: types.CallToolResult, thread: str
    ) -> ToolOutcome:
        """What the model and people are shown; the whole is kept when that is not all."""
        server = tool.server
        caps = Caps(
            server.result_bytes_max, server.result_tokens_max, self._limits.widget_bytes_max
        )
        handle = new_handle() if self._results is not None and thread else ""
        aside = size_of(result) > ASIDE_BYTES
        normalise = partial(outcome_of, result, caps)
        outcome, whole = await _run(partial(normalise, handle=handle), aside=aside)
        if whole is None or self._results is None or not handle:
            return outcome
        try:
            kept = await self._results.keep(
                principal,
                handle,
                thread=thread,
                tool=tool.spec.name,
                title=tool.spec.title,
                text=whole.text,
                widget=whole.widget,
                days=self._policies.of(principal.workspace).tools.results_days,
            )
        except Problem as error:
            _log.warning("tool result not kept", tool=tool.spec.name, reason=str(error))
            kept = False
        if not kept:  # the result is cut, and says nothing of a rest
            outcome, _ = await _run(normalise, aside=aside)
        return outcome

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


async def _run(
    work: Callable[[], tuple[ToolOutcome, Whole | None]], *, aside: bool
) -> tuple[ToolOutcome, Whole | None]:
    return await asyncio.to_thread(work) if aside else work()


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
