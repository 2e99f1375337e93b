"""The sections of the settings that describe tool servers: `[mcp.<name>]` and what is below."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from parlour.errors import ConfigurationError
from parlour.policy import Section
from parlour.setting_rules import Address, Sendable


class McpToken(Section):
    """A token that Parlour signs for each user, good for minutes and for this one server."""

    key: str = Field(
        description="Where the signing key is: `env:NAME` or `file:/path` (HS256: a text of 32 "
        "characters or more; RS256: a private key in PEM). Never PARLOUR_SECRET."
    )
    algorithm: Literal["HS256", "RS256"] = Field("HS256", description="HS256 or RS256.")
    audience: str = Field("", description="`aud` of the token; empty = the server's url.")
    issuer: str = Field("parlour", description="`iss` of the token.")
    subject: str = Field(
        "sub", description="Claim of the host's token that names the user for this server."
    )
    claims: list[str] = Field(
        default_factory=list[str], description="More claims of the host's token to pass on."
    )
    seconds: int = Field(300, ge=10, le=300, description="How long a token is valid.")
    header: str = Field(
        "Authorization", description="Header it is sent in; Authorization gets `Bearer` before it."
    )

    def signing_key(self, server: str) -> str:
        """The key. Raises `ConfigurationError` with a sentence that names the setting."""
        kind, _, name = self.key.partition(":")
        setting = f"`mcp.{server}.token.key`"
        if kind not in {"env", "file"} or not name:
            raise ConfigurationError(f"{setting} has to be `env:NAME` or `file:/path`.")
        try:
            key = os.environ[name] if kind == "env" else Path(name).read_text(encoding="utf-8")
        except KeyError:
            raise ConfigurationError(f"{setting} names {name}, which is not set.") from None
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{setting} cannot be read: {error}.") from None
        return key.strip()


class McpServer(Section):
    """One MCP server: `command` (with `args`, `env`) for stdio, or `url` for streamable HTTP."""

    command: str = Field("", description="Program to start, for a server on stdio.")
    args: list[str] = Field(default_factory=list[str], description="Its arguments.")
    env: dict[str, str] = Field(
        default_factory=dict[str, str], description="Its environment, beside PATH and HOME."
    )
    url: Address = Field("", description="Address of a server on streamable HTTP.")
    headers: dict[str, Sendable] = Field(
        default_factory=dict[str, Sendable], description="Headers sent with every request."
    )
    timeout_s: float = Field(30, gt=0, description="Seconds for one tool call.")
    connect_s: float = Field(
        20, gt=0, description="Seconds to start or reach the server; first starts take long."
    )
    result_bytes_max: int = Field(
        65_536, ge=1_000, description="Largest tool result the model sees; more is cut and said so."
    )
    result_tokens_max: int = Field(
        8_000, ge=100, description="The same in tokens; the smaller of the two holds."
    )
    allow: list[str] = Field(
        default_factory=list[str],
        description="Tools to offer, by name or pattern (`get_*`); empty = all.",
    )
    deny: list[str] = Field(
        default_factory=list[str],
        description="Tools not to offer, by name or pattern; stronger than `allow`.",
    )
    approve: list[str] = Field(
        default_factory=list[str],
        description="Tools that a person has to approve each time, by name or pattern.",
    )
    no_approve: list[str] = Field(
        default_factory=list[str],
        description="Tools that need no approval, whatever the server says of them; `approve` is "
        "stronger.",
    )
    reads: list[str] = Field(
        default_factory=list[str],
        description="Tools that only read, whatever the server says of them, by name or pattern.",
    )
    sends: list[str] = Field(
        default_factory=list[str],
        description="Tools that send what they are given out of your house, though they only "
        "read (a web search), by name or pattern.",
    )
    undoable: list[str] = Field(
        default_factory=list[str],
        description="Tools whose doing can be undone, by name or pattern: people are told so.",
    )
    pollable: list[str] = Field(
        default_factory=list[str],
        description="Tools that are there to be asked again (the state of a job), by name or "
        "pattern: the same call may be made for as long as its results change.",
    )
    statements: dict[str, str] = Field(
        default_factory=dict[str, str],
        description="Tools that run a statement, by name or pattern, each with the argument that "
        'holds it (`execute_sql = "request.sql"`): one that only reads needs no approval.',
    )
    pinned: bool = Field(
        True,
        description="Whether a tool that is described differently than when it was first used is "
        "disabled until an administrator approves it (`parlour tools`).",
    )
    call_by_name: bool = Field(
        True,
        description="Whether this may be a server that hides its tools behind one tool that finds "
        "them and one that calls them by name; the two are found by their shape.",
    )
    search_tool: str = Field("", description="The tool that finds others; empty = by its shape.")
    call_tool: str = Field("", description="The tool that calls others; empty = by its shape.")
    wrap_argument: str = Field(
        "", description="The one argument that hidden tools take, when all of them take only one."
    )
    instructions_chars_max: int = Field(
        2_000,
        ge=0,
        le=20_000,
        description="Characters of the server's own instructions that the model sees, marked as "
        "the server's; 0 = none.",
    )
    token: McpToken | None = Field(None, description="A token for each user; see the section.")

    def plain(self) -> dict[str, Any]:
        """Everything but the token, as plain values by the names of the fields."""
        values = {name: getattr(self, name) for name in type(self).model_fields if name != "token"}
        lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        headers = {name: value.get_secret_value() for name, value in self.headers.items()}
        return {**values, **lists, "headers": headers}
