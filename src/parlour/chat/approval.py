"""Decisions of people on tool calls: stored first, carried out by a turn that goes on.

    decide -> one statement in the store -> all decided? -> a turn that goes on (chat/turn.py)

Whatever happens between these steps, the sweep finds what was decided and not carried out, and goes
on with it; what nobody decided in time is declined. Two who begin at once are told apart by the
store: the turn that goes on has a key that is there once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from parlour.chat.ask import Ask, Started, surface_of
from parlour.chat.gatekeeper import signed_fields
from parlour.chat.seals import Signer, same
from parlour.chat.turn import TurnRunner
from parlour.domain import MessageId, Principal, ThreadId, TurnId
from parlour.errors import (
    ApprovalDecided,
    ApprovalVoid,
    Conflict,
    Overloaded,
    Problem,
    StoreUnavailable,
)
from parlour.store.approvals import Approval, Approvals, Decision
from parlour.store.audit import Audit
from parlour.store.waiting import Settled
from parlour.telemetry.metrics import Metrics

ARGUMENTS_AUDITED = 32_000  # bytes; of longer ones the chain has the digest alone
ATTEMPTS_MAX = 3  # turns that may try to carry out one decision, each lost with its process

log = structlog.get_logger("parlour.approval")


@dataclass(frozen=True, slots=True)
class Decided:
    """A stored decision, and the turn that goes on, unless other calls wait still.

    `going_on` without `started`: a process will go on in a moment.
    """

    approval: Approval
    going_on: bool
    started: Started | None = None


class Decisions:
    """Takes decisions and carries them out. One for the process."""

    def __init__(
        self,
        *,
        store: Approvals,
        runner: TurnRunner,
        signer: Signer,
        audit: Audit,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._runner = runner
        self._signer = signer
        self._audit = audit
        self._metrics = metrics
        runner.on_given_up(self._superseded)

    async def open_in(self, principal: Principal, thread: ThreadId) -> list[Approval]:
        """What waits in a conversation. Raises `ThreadNotFound`."""
        return await self._store.listed(principal, thread)

    async def get(self, principal: Principal, thread: ThreadId, approval: str) -> Approval:
        """One approval, decided or not. Raises `ApprovalNotFound`."""
        return await self._store.get(principal, thread, approval)

    async def decide(
        self, principal: Principal, thread: ThreadId, approval: str, decision: Decision
    ) -> Decided:
        """Store a decision, once, and go on when it was the last one that was missing.

        Raises `ApprovalNotFound`, `ApprovalDecided` with what was decided, `ApprovalVoid`.
        """
        asked = await self._store.get(principal, thread, approval)
        if not same(asked.signature, self._signer.sign(signed_fields(asked))):
            log.error("approval_void", approval=approval, why="signature")
            raise ApprovalVoid("This is not what was asked any more. Ask again in a new message.")
        seal = self._signer.seal(asked.signature, decision, principal.user)
        if not await self._store.decide(principal, asked, decision, seal):
            raise ApprovalDecided(how_decided(await self._store.get(principal, thread, approval)))
        self._metrics.approvals.labels(decision, "person").inc()
        log.info("approval_decided", approval=approval, decision=decision, tool=asked.tool)
        await self._witness(principal, asked, decision)
        now = await self._store.get(principal, thread, approval)
        missing = [
            other
            for other in await self._store.open_in(principal, thread)
            if other.turn == asked.turn and other.decision is None
        ]
        if missing:
            return Decided(now, going_on=False)
        started = await self.go_on(asked.turn) or await self._gone_on(asked)
        return Decided(now, going_on=True, started=started)

    async def answer(
        self, principal: Principal, thread: ThreadId, decisions: Mapping[str, Decision]
    ) -> TurnId:
        """Decide on all that a turn asked, and the turn that goes on. Sent again, it joins it.

        Raises what `decide` raises, `Conflict` while other calls wait, `Overloaded` when it will
        go on only in a moment.
        """
        started = None
        for approval, decision in decisions.items():
            try:
                decided = await self.decide(principal, thread, approval, decision)
            except ApprovalDecided:
                before = await self._store.get(principal, thread, approval)
                if before.decision != decision or before.cause != "person":
                    raise
                started = await self._gone_on(before)
            else:
                started = decided.started
                if not decided.going_on and approval == list(decisions)[-1]:
                    raise Conflict("The decision is stored. Other calls of this answer wait still.")
        if started is None:
            raise Overloaded("The decision is stored and will be carried out in a moment.")
        return started.turn

    async def go_on(self, turn: TurnId) -> Started | None:
        """Carry out what was decided for a turn that waits; None when that is not possible now.

        The decisions are stored: the sweep tries again.
        """
        waiting = await self._store.waiting(turn)
        if waiting is None:
            return None
        attempt = max(approval.attempts for approval in waiting.approvals) + 1
        ask = Ask(
            thread=waiting.thread,
            trigger="approval",
            key=MessageId(f"~{turn}~{attempt}"),  # no client's key looks so
            target=MessageId(turn),
            surface=surface_of(waiting.approvals[0].surface),
            waiting=waiting,
        )
        try:
            return await self._runner.start(waiting.principal, ask)
        except Problem as later:  # busy, over a limit, leaving: the decision is stored
            log.info("approval_waits", turn_id=turn, why=later.code)
            return None

    async def _gone_on(self, asked: Approval) -> Started | None:
        """The turn that a sweep, of this process or another, has begun meanwhile."""
        found = await self._store.gone_on(asked.turn)
        return Started(found[0], asked.thread, found[1], joined=True) if found else None

    async def stop(self, principal: Principal, thread: ThreadId, turn: TurnId | None) -> None:
        """What waits in a conversation is declined; with `turn`, only when it is that one's."""
        waits = await self._store.open_in(principal, thread)
        if any(turn in {None, approval.turn} for approval in waits):
            await self._give_up(thread, "stopped", principal)

    async def sweep(self, *, carry_out: bool) -> None:
        """Carry out what was decided and is not going on; give up what can no longer be decided."""
        for turn in await self._store.to_carry_out(ATTEMPTS_MAX) if carry_out else ():
            try:
                await self.go_on(turn)
            except StoreUnavailable:
                raise
            except Exception:
                log.exception("approval_not_carried_out", turn_id=turn)  # the others still can be
        for thread in await self._store.to_give_up(ATTEMPTS_MAX):
            await self._give_up(thread, "expired", None)

    async def _give_up(self, thread: ThreadId, cause: str, principal: Principal | None) -> int:
        settled = await self._store.give_up(thread, cause, principal=principal)
        for workspace, user, each in settled:
            self._note(workspace, user, each, cause)
        return len(settled)

    def _superseded(self, principal: Principal, settled: Sequence[Settled]) -> None:
        for each in settled:
            self._note(principal.workspace, principal.user, each, "superseded")

    def _note(self, workspace: str, user: str, settled: Settled, cause: str) -> None:
        """Put down that nobody said no, and yet it was not done."""
        log.info("approval_given_up", turn_id=settled.turn, cause=cause)
        for approval in settled.approvals:
            self._metrics.approvals.labels("decline", cause).inc()
            body = {"approval": approval, "decision": "decline", "cause": cause}
            self._audit.note(workspace, user, "approval", body, turn=settled.turn)

    async def _witness(self, principal: Principal, asked: Approval, decision: Decision) -> None:
        """Put the decision on the chain: what exactly, by whom, as whom."""
        arguments = msgspec.json.encode(asked.arguments)
        body: dict[str, Any] = {
            "approval": asked.id,
            "call": asked.call_id,
            "decision": decision,
            "cause": "person",
            "server": asked.server,
            "tool": asked.tool,
            "acts_as": asked.acts_as,
            "arguments_sha256": hashlib.sha256(arguments).hexdigest(),
        }
        if len(arguments) <= ARGUMENTS_AUDITED:
            body["arguments"] = asked.arguments
        who = (principal.workspace, principal.user, "approval", body)
        try:
            await self._audit.record(*who, turn=asked.turn)
        except StoreUnavailable:
            self._audit.note(*who, turn=asked.turn)  # the decision is stored: it must not be lost


def how_decided(approval: Approval) -> str:
    """What was decided, as a sentence."""
    if approval.decision == "approve":
        return f"This was approved by {approval.decided_by} already."
    match approval.cause:
        case "person":
            return f"This was declined by {approval.decided_by} already."
        case "superseded":
            return "This was declined: something else was written instead of deciding."
        case "stopped":
            return "This was declined: the answer was stopped."
        case _:
            return "This was declined: nobody decided in time."


def state_of(approval: Approval) -> str:
    """`waiting`, `approved`, `declined` or `expired`."""
    if approval.decision == "approve":
        return "approved"
    if approval.decision is None:
        return "expired" if approval.expired else "waiting"
    return "expired" if approval.cause == "expired" else "declined"
