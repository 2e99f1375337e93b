"""What the toolbox is told about each server and its own bounds: plain values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp.server import Server

from parlour.domain import Principal
from parlour.errors import ConfigurationError

# The name becomes the first part of every tool's name; `__` parts it from the tool, so it holds
# no `__` and ends with no `_`. 30 characters leave 32 of a model's 64 to the tool.
_NAME = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9-]|_(?=[a-zA-Z0-9-])){0,29}")


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """One MCP server: by `command` on stdio, by `url` on streamable HTTP, or by `build` in process.

    `env` is added to PATH, HOME and the like; nothing else of our environment reaches the server.
    `headers` go with every request. `timeout_s` bounds one tool call, `connect_s` a start or a
    connection (first starts of packaged servers take seconds). `result_bytes_max` is what a model
    sees of one result. `allow` and `deny` are names or patterns (`get_*`); empty `allow` = all.
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
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

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
