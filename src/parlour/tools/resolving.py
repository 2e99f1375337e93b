"""What a model's request really asks for: the tool itself, also when another tool would call it.

Whoever judges, shows, counts or records a call looks at what comes out here.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from difflib import get_close_matches

from mcp import Client, MCPError, types

from parlour.domain import Principal, ToolRequest
from parlour.tools.catalog import Catalog, CatalogTool, Listing, allowed, listing_key
from parlour.tools.config import ServerConfig
from parlour.tools.connections import Connections
from parlour.tools.failures import CallFailed
from parlour.tools.hidden import HiddenTools, Pair
from parlour.tools.offer import Offer
from parlour.tools.policy import matches
from parlour.tools.shapes import as_object

LOOK_UP_S = 3.0  # A finder that is slower tells nothing; the tool is called as an unknown one.
RAW_CHARS_TOLD = 200


@dataclass(frozen=True, slots=True)
class Resolved:
    """A request by the real tool's name and arguments. `wrong` says why it cannot be called.

    `tool` is None when there is no such tool. Hints that are None are not known.
    """

    request: ToolRequest
    tool: CatalogTool | None
    wrong: str = ""

    @property
    def title(self) -> str:
        """What people read."""
        return self.tool.spec.title if self.tool else self.request.name

    @property
    def pollable(self) -> bool:
        """Whether the settings say that it is there to be asked again."""
        tool = self.tool
        return tool is not None and matches(tool.real_name, tool.server.pollable)


class Resolver:
    """Finds the real tools behind requests. One for the process."""

    def __init__(
        self,
        servers: tuple[ServerConfig, ...],
        offer: Offer,
        catalog: Catalog,
        connections: Connections,
        hidden: HiddenTools,
    ) -> None:
        self._servers = servers
        self._offer = offer
        self._catalog = catalog
        self._connections = connections
        self._hidden = hidden

    async def resolve(self, principal: Principal, request: ToolRequest) -> Resolved:
        """The real tool and arguments. Asks a server's finder about a tool it never described."""
        listings = await self._offer.listings(principal)
        tool = next((x.by_name[request.name] for x in listings if request.name in x.by_name), None)
        if tool is not None:
            listing = next(x for x in listings if x.server is tool.server)
            pair = self._hidden.pair_of(listing)
            if pair is None or pair.caller is not tool:
                return _checked(request, tool)
            return await self._through(principal, request, listing, pair)
        server = self._server_of(request.name)
        for listing in listings:
            pair = self._hidden.pair_of(listing) if listing.server is server else None
            if pair is not None and not pair.caller.disabled:
                name = request.name.removeprefix(f"{listing.server.name}__")
                return await self._behind(principal, request, listing, pair, name)
        return Resolved(request, None, self._unknown(request.name, listings, server))

    async def _through(
        self, principal: Principal, request: ToolRequest, listing: Listing, pair: Pair
    ) -> Resolved:
        """A call of the caller: the tool that it would call."""
        checked = _checked(request, pair.caller)
        given = checked.request.arguments
        if checked.wrong or given is None:
            return checked
        server = listing.server
        name = str(given.get(pair.by_name.name_key, "")).removeprefix(f"{server.name}__")
        inner = given.get(pair.by_name.arguments_key)
        if isinstance(inner, str):  # JSON in a string, where the schema is loose
            inner = _decoded(inner)
        fields = as_object({} if inner is None else inner)
        real = replace(request, arguments=fields, raw="" if fields is not None else str(inner))
        if not name or name == pair.caller.real_name:
            return Resolved(request, None, f"{pair.caller.spec.title} cannot call itself.")
        return await self._behind(principal, real, listing, pair, name)

    async def _behind(
        self, principal: Principal, request: ToolRequest, listing: Listing, pair: Pair, name: str
    ) -> Resolved:
        """A tool of a server that hides tools, by the server's own name for it."""
        server = listing.server
        tool = listing.by_real_name.get(name)
        if tool is None and allowed(server, name):
            key = listing_key(server, principal)
            if not self._hidden.known(key, name):
                await self._look_up(principal, pair, name)
            tool = await self._offer.tool(principal.workspace, self._hidden.get(key, pair, name))
        if tool is None:
            return Resolved(request, None, f"There is no tool named {name!r} here.")
        request = replace(request, name=tool.spec.name)
        wrap, given = server.wrap_argument, request.arguments
        if wrap and tool.via and given and wrap not in given and not tool.spec.description:
            request = replace(request, arguments={wrap: given})
        return _checked(request, tool)

    async def _look_up(self, principal: Principal, pair: Pair, name: str) -> None:
        """Ask the finder what it knows of a name; a finder that may change things is not asked."""
        finder, server = pair.finder, pair.caller.server
        key = listing_key(server, principal)
        if finder is None or finder.disabled or finder.destructive:
            return

        async def ask(client: Client) -> types.CallToolResult:
            return await client.call_tool(finder.real_name, {pair.query_key: name})

        try:
            async with asyncio.timeout(LOOK_UP_S):
                found = await self._connections.request(
                    server, principal, ask, timeout_s=min(LOOK_UP_S, server.timeout_s)
                )
        except (CallFailed, MCPError, ValueError, RuntimeError, TimeoutError):
            return
        self._hidden.learn(key, pair, found)
        if not self._hidden.known(key, name):
            self._hidden.absent(key, name)

    def _server_of(self, name: str) -> ServerConfig | None:
        return next((s for s in self._servers if name.startswith(f"{s.name}__")), None)

    def _unknown(
        self, name: str, listings: tuple[Listing, ...], server: ServerConfig | None
    ) -> str:
        if server is not None and not any(x.server is server and x.tools for x in listings):
            reasons = self._catalog.errors(server.name)
            why = f" ({reasons[-1]})" if reasons else ""
            return f"The server {server.name!r} cannot be reached now{why}."
        names = [name for listing in listings for name in listing.by_name]
        near = get_close_matches(name, names, n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        return f"There is no tool named {name!r}.{hint}"


def _checked(request: ToolRequest, tool: CatalogTool) -> Resolved:
    """The request with arguments that fit the tool, or the words about those that do not."""
    if tool.disabled:
        return Resolved(request, tool, tool.disabled)
    if request.arguments is None:
        raw = request.raw[:RAW_CHARS_TOLD]
        words = f"The arguments are not a JSON object: {raw!r}. Send an object."
        return Resolved(request, tool, words)
    arguments, wrong = tool.arguments.check(request.arguments)
    return Resolved(replace(request, arguments=arguments), tool, wrong)


def _decoded(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
