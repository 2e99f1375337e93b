"""What administrators decide about tools in the terminal: `parlour tools list` and `approve`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from parlour.api.access import LOCAL
from parlour.errors import ConfigurationError
from parlour.services import Services
from parlour.store.tool_pins import Pin

BY = "command line"
VALUE_CHARS = 300  # of a description before and after


async def list_tools(services: Services, workspace: str) -> list[str]:
    """Every tool that was seen, and what is different about those that wait."""
    pins = await services.pins.listing(workspace or LOCAL.workspace)
    if not pins:
        return [f"No tools were used in the workspace {workspace or LOCAL.workspace!r} yet."]
    lines: list[str] = []
    for server, of_server in groupby(pins, key=lambda pin: pin.server):
        lines.append(server)
        for tool, group in groupby(of_server, key=lambda pin: pin.tool):
            lines += _lines(tool, list(group))
    return lines


async def approve(
    services: Services, workspace: str, server: str, tool: str, digest: str
) -> list[str]:
    """Approve what waits of a server, or of one tool of it."""
    if not server:
        raise ConfigurationError("Say of which server: `parlour tools approve SERVER [TOOL]`.")
    wanted = None if not tool else "" if tool == "instructions" else tool
    approved = await services.pins.approve(
        workspace or LOCAL.workspace, server, by=BY, tool=wanted, digest=digest
    )
    if not approved:
        return ["Nothing of that waits for approval."]
    return [f"approved: {server} {_name(pin.tool)} {pin.digest[:12]}" for pin in approved]


def _lines(tool: str, pins: list[Pin]) -> Iterator[str]:
    approved = [pin for pin in pins if pin.approved_at is not None]
    for pin in pins:
        if pin.approved_at is not None:
            when = f"{pin.approved_at:%Y-%m-%d %H:%M}"
            yield f"  ✓ {_name(tool)}  {pin.digest[:12]}  {pin.approved_by}, {when}"
            continue
        yield f"  ✗ {_name(tool)}  {pin.digest[:12]}  waits since {pin.seen_at:%Y-%m-%d %H:%M}"
        before = approved[-1].definition if approved else {}
        for key, value in pin.definition.items():
            if value != before.get(key):
                yield f"      {key} was: {_short(before.get(key))}"
                yield f"      {key} is:  {_short(value)}"


def _name(tool: str) -> str:
    return tool or "instructions"


def _short(value: Any) -> str:
    text = ascii(value)  # nothing hides in what an administrator reads
    return text if len(text) <= VALUE_CHARS else f"{text[:VALUE_CHARS]}…"
