"""What tools there are, per server and user: fetched once, kept, the same order every time.

A turn never waits for a listing that it has seen before: an old one is used while a new one is
fetched behind it. Users whose listings are equal share one copy.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

import msgspec
import structlog
from mcp import Client, MCPError, types

from parlour.domain import Principal, ToolSpec, UserId, WorkspaceId
from parlour.tools.arguments import ArgumentCheck
from parlour.tools.config import ServerConfig, ToolLimits
from parlour.tools.connections import Connections, Key, connection_key
from parlour.tools.failures import CallFailed
from parlour.tools.shapes import as_list, as_object
from parlour.tools.text import clean_description, clean_line

NAME_CHARS_MAX = 64  # What the providers of models allow, of [a-zA-Z0-9_-].
DESCRIPTION_CHARS_MAX = 4_000  # Of a tool; longer ones crowd out the conversation.
FIELD_CHARS_MAX = 1_000  # Of one argument's description.
TITLE_CHARS_MAX = 80
SCHEMA_BYTES_MAX = 65_536  # A larger schema leaves the tool out.
PAGES_MAX = 50  # Of one listing; a server that never ends its pages is cut off.
LISTINGS_MAX = 20_000  # Remembered (server, user) pairs; each costs about 300 bytes.

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CallByName:
    """How a hidden tool is called: the server's tool that does it, and where its arguments go."""

    tool: str
    name_key: str
    arguments_key: str


@dataclass(frozen=True)
class CatalogTool:
    """One tool. `real_name` is the server's own name for it, `spec.name` the model's.

    `digest` is the SHA-256 of all that the server said of it: what an approval is given for; empty
    when it said nothing. The hints are the server's claims; unknown is None. `via` is set for a
    tool that its server hides, `disabled` says why a tool may not be called.
    """

    server: ServerConfig
    real_name: str
    spec: ToolSpec
    digest: str = ""
    read_only: bool | None = None
    destructive: bool | None = None
    idempotent: bool | None = None
    open_world: bool | None = None
    via: CallByName | None = None
    disabled: str = ""
    definition: dict[str, Any] | None = None

    @cached_property
    def arguments(self) -> ArgumentCheck:
        """Compiled at the first call."""
        return ArgumentCheck(self.spec.parameters)


@dataclass(frozen=True, eq=False)
class Listing:
    """The tools of one server as one user sees them, sorted by name, and its own words on them."""

    digest: str
    tools: tuple[CatalogTool, ...]
    server: ServerConfig
    instructions: str = ""

    @cached_property
    def by_name(self) -> dict[str, CatalogTool]:
        """Model's name -> tool."""
        return {tool.spec.name: tool for tool in self.tools}

    @cached_property
    def by_real_name(self) -> dict[str, CatalogTool]:
        """The server's own name -> tool."""
        return {tool.real_name: tool for tool in self.tools}


@dataclass(slots=True)
class _Entry:
    """What is known for one (server, user)."""

    listing: Listing | None = None
    fresh_until: float = 0.0
    fetching: asyncio.Task[None] | None = None
    error: str = ""
    wait_until: float = 0.0  # monotonic; turns that come later do not wait for it. 0 = never asked


class Catalog:
    """The listings of all servers for all users."""

    def __init__(
        self, servers: Sequence[ServerConfig], connections: Connections, limits: ToolLimits
    ) -> None:
        self._servers = tuple(servers)
        self._connections = connections
        self._limits = limits
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._shared: weakref.WeakValueDictionary[str, Listing] = weakref.WeakValueDictionary()
        self._tasks: set[asyncio.Task[None]] = set()

    async def listings(self, principal: Principal) -> tuple[Listing, ...]:
        """One listing per server that has answered, in the order of the settings.

        Waits at most until `list_wait_s` after a server was first asked for this user; one that is
        late or dead is left out now and there again when it answers.
        """
        entries = [self._entry(server, principal) for server in self._servers]
        now = time.monotonic()
        missing: set[asyncio.Task[None]] = set()
        wait_s = 0.0
        for entry in entries:
            entry.wait_until = entry.wait_until or now + self._limits.list_wait_s
            if entry.listing is None and entry.fetching is not None and now < entry.wait_until:
                missing.add(entry.fetching)
                wait_s = max(wait_s, entry.wait_until - now)
        if missing:
            await asyncio.wait(missing, timeout=wait_s)
        return tuple(e.listing for e in entries if e.listing is not None)

    async def warm(self) -> None:
        """List the servers in process, whose tools are the same for all users."""
        nobody = Principal(WorkspaceId(""), UserId(""))
        entries = [self._entry(s, nobody) for s in self._servers if s.build is not None]
        fetching = {e.fetching for e in entries if e.fetching is not None}
        if fetching:
            await asyncio.wait(fetching)

    def errors(self, name: str) -> list[str]:
        """Why listings of one server failed last, for people who look after it."""
        return [e.error for key, e in self._entries.items() if key[0] == name and e.error]

    def tools_of(self, name: str) -> int:
        """How many tools one server offers, as last seen by anybody."""
        seen = [e.listing for key, e in self._entries.items() if key[0] == name and e.listing]
        return len(seen[-1].tools) if seen else 0

    def changed(self, key: Key) -> None:
        """The server said that its tools changed: the next turn fetches them again."""
        entry = self._entries.get(key)
        if entry is not None:
            entry.fresh_until = 0.0

    async def close(self) -> None:
        """Stop fetching."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)

    def _entry(self, server: ServerConfig, principal: Principal) -> _Entry:
        """The entry of this user, with a fetch under way when it is old."""
        key = listing_key(server, principal)
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry()
            if len(self._entries) > LISTINGS_MAX:
                self._entries.popitem(last=False)
        else:
            self._entries.move_to_end(key)
        if entry.fetching is None and asyncio.get_running_loop().time() >= entry.fresh_until:
            task = asyncio.create_task(self._fetch(entry, server, principal))
            entry.fetching = task
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return entry

    async def _fetch(self, entry: _Entry, server: ServerConfig, principal: Principal) -> None:
        loop = asyncio.get_running_loop()
        entry.fresh_until = loop.time() + self._limits.list_ttl_s
        try:
            tools = await self._connections.request(
                server, principal, self._list, timeout_s=server.timeout_s
            )
        except (CallFailed, MCPError, ValueError, RuntimeError) as error:
            if entry.error != str(error):
                _log.warning("mcp tools not listed", server=server.name, reason=str(error))
            entry.error = str(error)
            # The connection paces its own tries; asking again at the next turn is cheap.
            entry.fresh_until = loop.time()
        else:
            entry.error = ""
            entry.listing = self._interned(server, *tools)
            if server.build is not None:  # in process: the tools change only with a release
                entry.fresh_until = float("inf")
        finally:
            entry.fetching = None

    async def _list(self, client: Client) -> tuple[list[types.Tool], str]:
        tools: list[types.Tool] = []
        cursor: str | None = None
        for _ in range(PAGES_MAX):
            page = await client.list_tools(cursor=cursor)
            tools += page.tools
            cursor = page.next_cursor
            if cursor is None or len(tools) > self._limits.tools_max:
                break
        return tools[: self._limits.tools_max], client.instructions or ""

    def _interned(
        self, server: ServerConfig, tools: list[types.Tool], instructions: str
    ) -> Listing:
        raw = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
        said = msgspec.json.encode([server.name, instructions, raw])
        digest = hashlib.sha256(said).hexdigest()
        known = self._shared.get(digest)
        if known is None:
            most = server.instructions_chars_max
            words = clean_description(instructions, most) if most else ""
            known = Listing(digest, tuple(catalog_tools(server, tools)), server, words)
            self._shared[digest] = known
        return known


def listing_key(server: ServerConfig, principal: Principal) -> Key:
    """Whose listing: each user's own, but all users' in process, where tools are the same."""
    return (server.name,) if server.build is not None else connection_key(server, principal)


def catalog_tools(server: ServerConfig, tools: Iterable[types.Tool]) -> list[CatalogTool]:
    """The tools that a model may see, sorted by name; a name is there once."""
    found: dict[str, CatalogTool] = {}
    for tool in tools:
        if _hidden(tool) or not allowed(server, tool.name):
            continue
        parameters = _parameters(tool.input_schema)
        if parameters is None:
            _log.warning("mcp tool left out: schema too large", server=server.name, tool=tool.name)
            continue
        made = _catalog_tool(server, tool, parameters)
        found.setdefault(made.spec.name, made)
    return [found[name] for name in sorted(found)]


def _catalog_tool(
    server: ServerConfig, tool: types.Tool, parameters: dict[str, Any]
) -> CatalogTool:
    hints = tool.annotations or types.ToolAnnotations()
    title = clean_line(tool.title or hints.title or "", TITLE_CHARS_MAX) or prettified(tool.name)
    name = model_name(server.name, tool.name)
    description = clean_description(tool.description or title, DESCRIPTION_CHARS_MAX)
    definition: dict[str, Any] = {
        "name": tool.name,
        "title": tool.title or hints.title,
        "description": tool.description,
        "input_schema": tool.input_schema,
        "hints": {
            "read_only": hints.read_only_hint,
            "destructive": hints.destructive_hint,
            "idempotent": hints.idempotent_hint,
            "open_world": hints.open_world_hint,
        },
    }
    return CatalogTool(
        server=server,
        real_name=tool.name,
        spec=ToolSpec(name=name, description=description, parameters=parameters, title=title),
        digest=digest_of(definition),
        read_only=hints.read_only_hint,
        destructive=hints.destructive_hint,
        idempotent=hints.idempotent_hint,
        open_world=hints.open_world_hint,
        definition=definition,
    )


def digest_of(definition: dict[str, Any]) -> str:
    """The SHA-256 of what is pinned, whatever the order of its keys."""
    return hashlib.sha256(msgspec.json.encode(definition, order="sorted")).hexdigest()


def model_name(server: str, tool: str) -> str:
    """`server__tool` in the characters and length that models take.

    A name that had to be changed ends in six hex digits of the original, so no two collide.
    """
    plain = re.sub(r"[^a-zA-Z0-9_-]", "_", tool)
    name = f"{server}__{plain}"
    if plain == tool and tool and len(name) <= NAME_CHARS_MAX:
        return name
    mark = hashlib.sha256(tool.encode(errors="replace")).hexdigest()[:6]
    return f"{name[: NAME_CHARS_MAX - 7]}-{mark}"


def prettified(name: str) -> str:
    """A title made of a name: `get_chartData` -> `Get chart data`."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", clean_line(name, TITLE_CHARS_MAX))
    words = re.sub(r"[^\w]+|_+", " ", words).strip()
    return f"{words[:1].upper()}{words[1:].lower()}" or "Tool"


def _hidden(tool: types.Tool) -> bool:
    """Meant for apps only: `_meta.ui.visibility` without "model"."""
    about = as_object((tool.meta or {}).get("ui")) or {}
    visibility = as_list(about.get("visibility"))
    return visibility is not None and "model" not in visibility


def allowed(server: ServerConfig, name: str) -> bool:
    """Whether the settings of the server offer a tool of this name, its own."""
    if any(fnmatchcase(name, pattern) for pattern in server.deny):
        return False
    return not server.allow or any(fnmatchcase(name, pattern) for pattern in server.allow)


def _parameters(schema: dict[str, Any]) -> dict[str, Any] | None:
    """The schema with its descriptions cleaned, or None when it is too large."""
    try:
        if len(msgspec.json.encode(schema)) > SCHEMA_BYTES_MAX:
            return None
        return {"type": "object", **_cleaned(schema)}
    except (RecursionError, UnicodeEncodeError):
        return None


def _cleaned(value: Any, *, named: bool = False) -> Any:
    """Descriptions and titles cleaned; `named`: the keys are names of arguments, not keywords."""
    if (fields := as_object(value)) is not None:
        return {
            key: clean_description(inner, FIELD_CHARS_MAX)
            if not named and key in {"description", "title", "$comment"} and isinstance(inner, str)
            else _cleaned(inner, named=not named and key in {"properties", "$defs", "definitions"})
            for key, inner in fields.items()
        }
    if (items := as_list(value)) is not None:
        return [_cleaned(item) for item in items]
    return value
