"""Tools stay as they were approved: what a server says of them later waits for an administrator.

What is approved is remembered per workspace (store/tool_pins.py) and here for some seconds, so that
a turn waits for the database only when a server says something that this process has never seen.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from parlour.store.audit import Audit
from parlour.store.tool_pins import Pin, Seen, ToolName, ToolPins

FRESH_S = 5.0  # An approval in another process is heard of after so long.
WORKSPACES_MAX = 2_000  # Remembered here; more are read again.

INSTRUCTIONS = ""  # the name under which a server's own words are pinned

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Known:
    """What is known of one workspace. `version` grows whenever it changes."""

    approved: dict[ToolName, frozenset[str]] = field(default_factory=dict[ToolName, frozenset[str]])
    seen: set[tuple[str, str, str]] = field(default_factory=set[tuple[str, str, str]])
    version: int = 0
    read_at: float = 0.0

    def trusts(self, server: str, tool: str, digest: str) -> bool:
        """Whether a description is approved."""
        return digest in self.approved.get((server, tool), ())


class Pins:
    """The approved descriptions of all workspaces. One for the process."""

    def __init__(self, store: ToolPins, *, audit: Audit | None = None) -> None:
        """What changes is noted in `audit`."""
        self._store = store
        self._audit = audit
        self._known: dict[str, Known] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def known(self, workspace: str) -> Known:
        """What is approved; a few seconds old, and read anew behind the turn when it is older.

        Raises `StoreUnavailable` when it was never read and cannot be.
        """
        known = self._known.get(workspace)
        if known is None:
            return await self._read(workspace)
        if time.monotonic() - known.read_at > FRESH_S:
            known.read_at = time.monotonic()
            task = asyncio.create_task(self._read_behind(workspace), name="tool pins")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return known

    async def see(self, workspace: str, seen: Sequence[Seen], *, hold: bool) -> Known:
        """Make sure that all these are remembered. Raises `StoreUnavailable`."""
        known = await self.known(workspace)
        new = [s for s in seen if (s.server, s.tool, s.digest) not in known.seen]
        if not new:
            return known
        untrusted = [s for s in new if not known.trusts(s.server, s.tool, s.digest)]
        if untrusted:
            waiting = await self._store.see(workspace, untrusted, hold=hold)
            for server, tool in waiting:
                self._tell(workspace, server, tool, untrusted)
            known = await self._read(workspace)
        known.seen.update((s.server, s.tool, s.digest) for s in new)
        return known

    async def listing(self, workspace: str) -> list[Pin]:
        """Every description that is known of a workspace's tools."""
        return await self._store.listing(workspace)

    async def approve(
        self, workspace: str, server: str, *, by: str, tool: str | None = None, digest: str = ""
    ) -> list[Pin]:
        """Approve what waits; see `ToolPins.approve`. It holds at once in this process."""
        pins = await self._store.approve(workspace, server, by=by, tool=tool, digest=digest)
        if self._audit is not None:
            for pin in pins:
                body = {"server": pin.server, "tool": pin.tool, "digest": pin.digest}
                await self._audit.record(workspace, by, "tool_pin", {**body, "what": "approved"})
        if workspace in self._known:
            await self._read(workspace)
        return pins

    async def close(self) -> None:
        """Stop reading."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _read_behind(self, workspace: str) -> None:
        try:
            await self._read(workspace)
        except Exception as error:  # noqa: BLE001 - what was read before still holds
            _log.warning("tool pins not read", workspace=workspace, reason=str(error))

    async def _read(self, workspace: str) -> Known:
        async with self._locks.setdefault(workspace, asyncio.Lock()):
            approved = await self._store.approved(workspace)
            known = self._known.get(workspace)
            if known is None:
                if len(self._known) >= WORKSPACES_MAX:
                    self._known.clear()
                    self._locks = {workspace: self._locks[workspace]}
                known = self._known[workspace] = Known(version=1, approved=approved)
            elif known.approved != approved:
                known.approved = approved
                known.version += 1
            known.read_at = time.monotonic()
            return known

    def _tell(self, workspace: str, server: str, tool: str, seen: Sequence[Seen]) -> None:
        digest = next(s.digest for s in seen if (s.server, s.tool) == (server, tool))
        body = {"server": server, "tool": tool, "digest": digest}
        _log.warning("mcp tool waits for approval", workspace=workspace, **body)
        if self._audit is not None:
            self._audit.note(workspace, "", "tool_pin", {**body, "what": "waits for approval"})
