"""The gate of one turn: what may run, what a person is asked, and what they decided.

Calls that may change something are written into the journal before they are sent, so that no crash
makes one of them happen twice (store/journal.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import msgspec
import structlog

from parlour.agent.gate import ALLOW, Note, ProgressReport, Verdict
from parlour.chat.privacy import Privacy
from parlour.chat.running import Running
from parlour.chat.seals import Signer, same
from parlour.domain import (
    Message,
    Principal,
    ToolOutcome,
    ToolPart,
    ToolRequest,
    TurnId,
)
from parlour.errors import StoreUnavailable
from parlour.models.port import ChatMessage
from parlour.policy import ApprovalPolicy
from parlour.safety.conduct_rules import ONCE
from parlour.store.approvals import Approval
from parlour.store.journal import Journal
from parlour.store.waiting import NOT_MADE
from parlour.tools.catalog import CatalogTool
from parlour.tools.config import ServerConfig
from parlour.tools.policy import NOT_HERE, Ruling, ToolRules, judge
from parlour.tools.resolving import Resolved
from parlour.tools.toolbox import Guard, Toolbox

# Parlour's own tools that answer with figures and facts of our own; text of others taints.
OWN_WORDS = frozenset({"parlour__calculator", "parlour__current_time", "parlour__get_user_data"})
UNKNOWN = (
    "Whether this took effect is not known: the server stopped while it was being done. It was not "
    "repeated. Tell the user, and do not call it again unless they ask for it."
)
CHANGED = (
    "Not done: the tool is not what it was when this call was looked at. It may be tried again, "
    "and is then looked at anew."
)
VOID = "Not done: what was approved is not what stands there now. Tell the user."
GONE = "Not done: it was approved, but the tool cannot be reached now. Tell the user."
NOBODY_TO_ASK = (
    "Not done: this needs the user's approval, which cannot be given over this interface. Say so, "
    "and say what they can do themselves."
)

READ = frozenset({"ok", "failed"})  # what came of a call that was made, and stands in the prompt
PATIENCE_S = 25.0  # for the server of an approved call, which may have to start
LOOK_AGAIN_S = 0.25

Send = Callable[[ToolRequest, ProgressReport, Guard], Awaitable[ToolOutcome]]

log = structlog.get_logger("parlour.approval")
_canonical = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class GateParts:
    """What every turn's gate needs. One for the process."""

    toolbox: Toolbox
    journal: Journal
    signer: Signer
    privacy: Privacy
    gives_away: Callable[[bytes], bool]  # arguments, as JSON, that hold what must not leave


@dataclass(frozen=True, slots=True)
class _Seen:
    """The real tool of a call, and its arguments: as they are kept, and as they are sent (with
    personal data where its server may have it)."""

    tool: CatalogTool
    kept: dict[str, Any]
    clear: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Judged:
    """A call as it was judged. `print` tells it from any other call, `key` is its place in the
    journal (empty: it has no effects)."""

    print: bytes
    key: str = ""


_UNJUDGED = _Judged(b"never")


class TurnGate:
    """Judges and makes the calls of one turn."""

    def __init__(
        self,
        running: Running,
        parts: GateParts,
        policy: ApprovalPolicy,
        history: Sequence[Message],
        send: Send,
    ) -> None:
        """`send` really makes a call, whatever else it does around it."""
        self._send = send
        self._running = running
        self._parts = parts
        self._policy = policy
        self._round = 0
        self._judged: dict[int, _Judged] = {}  # by the id of the request
        waiting = running.ask.waiting
        self._decided = {} if waiting is None else {a.id: a for a in waiting.approvals}
        read = running.page or running.paged or running.summary or running.ask.quotes
        self._tainted = bool(read) or any(
            isinstance(part, ToolPart) and part.status in READ and self._taints(part.name)
            for message in history
            for part in message.parts
        )

    async def judge(
        self, calls: Sequence[ToolRequest], messages: Sequence[ChatMessage]
    ) -> list[Verdict]:
        """The verdict on each call of a round; `messages` are those of this turn so far."""
        self._round = sum(message["role"] == "assistant" for message in messages)
        tainted = self._policy.after_untrusted_text == "ask" and (
            self._tainted or any(m["role"] == "tool" and self._taints(m["name"]) for m in messages)
        )
        return [await self._verdict(call, tainted=tainted) for call in calls]

    async def perform(self, request: ToolRequest, report: ProgressReport) -> ToolOutcome:
        """Make a call that was let through."""
        judged = self._judged.pop(id(request), _UNJUDGED)
        if not judged.key:
            return await self._call(request, report, judged.print)
        return await self._once(self._running.turn, judged, request, report)

    async def settle(self, note: Note, report: ProgressReport) -> ToolOutcome:
        """Make a call that was asked about, if a person has allowed it and it is still the same."""
        approval = self._decided.get(note["approval_id"])
        if approval is None or approval.decision is None:
            return ToolOutcome(ok=False, declined=True, text=NOT_MADE["expired"])
        seal = self._parts.signer.seal(
            approval.signature, approval.decision, approval.decided_by or ""
        )
        if not same(approval.seal, seal):
            log.error("approval_void", approval=approval.id, why="seal")
            return ToolOutcome(ok=False, text=VOID)
        if approval.decision != "approve":
            return ToolOutcome(ok=False, declined=True, text=NOT_MADE["person"])
        if not same(approval.signature, self._parts.signer.sign(signed_fields(approval))):
            log.error("approval_void", approval=approval.id, why="signature")
            return ToolOutcome(ok=False, text=VOID)
        request = ToolRequest(note["call_id"], note["name"], note["request"])
        seen = await self._found(request)
        if seen is None:
            return ToolOutcome(ok=False, text=GONE)
        asked = _print(approval.server, approval.tool, approval.digest, approval.arguments)
        if _print_of(seen.tool, seen.kept) != asked:
            return ToolOutcome(ok=False, text=VOID)
        judged = _Judged(_print_of(seen.tool, seen.clear), approval.id)
        return await self._once(approval.turn, judged, request, report)

    async def _verdict(self, call: ToolRequest, *, tainted: bool) -> Verdict:
        seen = await self._look(call)
        if seen is None:
            return ALLOW  # it will be told what is wrong, and reach no server even if it could now
        tool, arguments = seen.tool, seen.clear
        ruling = judge(
            tool,
            arguments,
            rules_of(tool.server),
            tainted=tainted or self._parts.gives_away(_canonical(arguments)),
            writes=self._policy.writes,
        )
        if ruling.answer == "deny":
            return Verdict("deny", NOT_HERE)
        if ruling.answer == "allow":
            key = self._key(call) if ruling.effects else ""
            self._judged[id(call)] = _Judged(_print_of(tool, arguments), key)
            return ALLOW
        if not self._running.ask.can_approve:
            return Verdict("deny", NOBODY_TO_ASK)
        return Verdict("ask", note=self._note(call, tool, seen.kept, ruling))

    def _note(
        self, call: ToolRequest, tool: CatalogTool, arguments: Mapping[str, Any], ruling: Ruling
    ) -> Note:
        return {
            "approval_id": f"p_{secrets.token_hex(10)}",
            "call_id": call.id,
            "name": call.name,
            "request": call.arguments,
            "server": tool.server.name,
            "tool": tool.real_name,
            "title": tool.spec.title or tool.real_name,
            "arguments": dict(arguments),
            "digest": tool.digest,
            "acts_as": acts_as(self._running.principal, tool.server),
            "undoable": ruling.undoable,
            "reason": ruling.reason,
        }

    async def _look(self, request: ToolRequest) -> _Seen | None:
        """The real tool behind a call; None when it would reach no server."""
        clear = self._clear(request)
        found = await self._parts.toolbox.resolve(self._running.principal, clear)
        if found.wrong or found.tool is None or found.request.arguments is None:
            return None
        arguments = found.request.arguments
        if clear is request:
            return _Seen(found.tool, arguments, arguments)
        masked = await self._parts.toolbox.resolve(self._running.principal, request)
        kept = request.arguments if masked.wrong else masked.request.arguments
        return _Seen(found.tool, kept or {}, arguments)

    async def _found(self, request: ToolRequest) -> _Seen | None:
        """As `_look`, waiting for the server, which may be starting after a restart."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    seen = await self._look(request)
                    if seen is not None:
                        return seen
                    await asyncio.sleep(LOOK_AGAIN_S)
        return None

    def _clear(self, request: ToolRequest) -> ToolRequest:
        """The call as it is sent: with the data itself, where the policy trusts the server."""
        server = self._parts.toolbox.server_of(request.name)
        return self._parts.privacy.arguments(self._running, server, request)

    async def _once(
        self, turn: TurnId, judged: _Judged, request: ToolRequest, report: ProgressReport
    ) -> ToolOutcome:
        """Make a call that may change something: at most once, whatever crashes."""
        running, journal, key = self._running, self._parts.journal, judged.key
        entry = await journal.send(
            turn, key, name=request.name, by=running.turn, fence=running.fence
        )
        if not entry.first:
            running.catch(ONCE)
            return entry.outcome or ToolOutcome(ok=False, text=UNKNOWN)
        outcome = await self._call(request, report, judged.print)
        try:
            await journal.ended(turn, key, outcome)
        except StoreUnavailable:
            log.warning("journal_not_written", turn_id=turn, key=key)  # it stays "not known"
        return outcome

    async def _call(
        self, request: ToolRequest, report: ProgressReport, expected: bytes
    ) -> ToolOutcome:
        """Make a call, if it is still exactly the one that was judged."""

        def guard(resolved: Resolved) -> str:
            tool, arguments = resolved.tool, resolved.request.arguments
            if tool is None or arguments is None or _print_of(tool, arguments) != expected:
                return CHANGED
            return ""

        return await self._send(request, report, guard)

    def _taints(self, name: str) -> bool:
        trusted = self._policy.trusted_results
        return name not in OWN_WORDS and not any(fnmatchcase(name, each) for each in trusted)

    def _key(self, call: ToolRequest) -> str:
        body = hashlib.sha256(_canonical([call.name, call.arguments])).hexdigest()[:12]
        return f"{self._round}:{call.id}:{body}"


def _print_of(tool: CatalogTool, arguments: Mapping[str, Any]) -> bytes:
    return _print(tool.server.name, tool.real_name, tool.digest, arguments)


def _print(server: str, tool: str, digest: str, arguments: Any) -> bytes:
    return hashlib.sha256(_canonical([server, tool, digest, arguments])).digest()


def signed_fields(approval: Approval) -> dict[str, Any]:
    """What the signature of a stored approval is over."""
    return {
        "id": approval.id,
        "turn": approval.turn,
        "call_id": approval.call_id,
        "server": approval.server,
        "tool": approval.tool,
        "arguments": approval.arguments,
        "digest": approval.digest,
        "acts_as": approval.acts_as,
    }


def rules_of(server: ServerConfig) -> ToolRules:
    """What the settings say of a server's tools."""
    return ToolRules(
        approve=server.approve,
        no_approve=server.no_approve,
        reads=server.reads,
        sends=server.sends,
        undoable=server.undoable,
        statements=server.statements,
    )


def acts_as(principal: Principal, server: ServerConfig) -> str:
    """As whom a call is made, in words: the user, or an account that others use too."""
    name = principal.name or principal.user
    own = server.build is not None or getattr(server, "token", None) is not None
    return name if own else f"{name}, through the account set up for {server.name}"
