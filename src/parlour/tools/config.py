"""What the toolbox is told about each server and its own bounds: plain values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp.server import Server

from parlour.domain import Principal
from parlour.errors import ConfigurationError
from parlour.tools.identity import TokenRule

# The name becomes the first part of every tool's name; `__` parts it from the tool, so it holds
# no `__` and ends with no `_`. 30 characters leave 32 of a model's 64 to the tool.
_NAME = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9-]|_(?=[a-zA-Z0-9-])){0,29}")


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """One MCP server: by `command` on stdio, by `url` on streamable HTTP, or by `build` in process.

    `env` is added to PATH, HOME and the like; nothing else of our environment reaches the server.
    `headers` go with every request, and so does a token by the rule `token`, made for the user of
    the connection. `timeout_s` bounds one tool call, `connect_s` a start or a connection (first
    starts of packaged servers take seconds). `result_bytes_max` and `result_tokens_max` are what a
    model sees of one result. `allow` and `deny` are names or patterns (`get_*`); empty `allow` =
    all. The lists from `approve` to `undoable` and `statements` (tool -> dotted path of the
    argument that holds a statement) are data for whoever judges calls (tools/policy.py), `pollable`
    for whoever looks for loops (agent/loops.py). A `pinned` server's tools are offered as they were
    first seen. `search_tool` and `call_tool` name the two tools of a server that hides the others
    behind them; empty = found by their shape. `wrap_argument` is the one argument that such hidden
    tools take. `instructions_chars_max` is how much of the server's own words the model sees.
    """

    name: str
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    build: Callable[[Principal], Server[Any]] | None = None
    timeout_s: float = 30.0
    connect_s: float = 20.0
    result_bytes_max: int = 65_536
    result_tokens_max: int = 8_000
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    token: TokenRule | None = None
    approve: tuple[str, ...] = ()
    no_approve: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    sends: tuple[str, ...] = ()
    undoable: tuple[str, ...] = ()
    pollable: tuple[str, ...] = ()
    statements: Mapping[str, str] = field(default_factory=dict[str, str])
    pinned: bool = True
    call_by_name: bool = True
    search_tool: str = ""
    call_tool: str = ""
    wrap_argument: str = ""
    instructions_chars_max: int = 2_000

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigurationError(
                f"The MCP server name {self.name!r} must be 1 to 30 letters, digits, - or "
                "single _, starting and ending with a letter or digit."
            )
        if bool(self.command) + bool(self.url) + bool(self.build) != 1:
            raise ConfigurationError(
                f"The MCP server {self.name!r} needs either a command or a url, and not both."
            )
        if self.token is not None and not self.url:
            raise ConfigurationError(
                f"The MCP server {self.name!r} has a token but no url: a program on this machine "
                "is sent no headers. Give it what it needs in env."
            )
        names = {header.lower() for header in self.headers}
        if self.token is not None and self.token.header.lower() in names:
            raise ConfigurationError(
                f"The MCP server {self.name!r} has both a static header {self.token.header} and a "
                "token that is sent in it; leave one of them out."
            )

    @property
    def kind(self) -> str:
        """`stdio`, `http` or `in process`."""
        return "stdio" if self.command else "http" if self.url else "in process"


@dataclass(frozen=True, slots=True)
class ToolLimits:
    """Bounds of one toolbox, with their reasons."""

    connections_max: int = 1_000  # an HTTP connection holds about 100 KB
    processes_max: int = 32  # a server on stdio is a process of 40 to 90 MB
    calls_max: int = 16  # calls side by side on one connection; more wait
    waiting_max: int = 64  # calls that wait on one connection; more are refused
    idle_s: float = 300.0  # an unused connection is closed
    list_ttl_s: float = 60.0  # a listing older than this is fetched again, behind the turn
    list_wait_s: float = 2.0  # a turn waits no longer for servers it has never listed
    retry_s_max: float = 30.0  # longest pause between tries to reach a server
    message_bytes_max: int = 16_777_216  # one message of a server; more ends the call
    widget_bytes_max: int = 524_288  # what people see of one result; a turn's events hold 8 MB
    tools_max: int = 512  # of one server; more are left out
