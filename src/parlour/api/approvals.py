"""What waits for a person: list it, look at it, decide."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from parlour.api.access import Access
from parlour.chat.approval import Decisions, state_of
from parlour.chat.privacy import Privacy
from parlour.domain import Principal, ThreadId
from parlour.store.approvals import Approval

IdPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DecisionBody(_Shape):
    """A person's answer."""

    decision: Literal["approve", "decline"]


class ApprovalBody(_Shape):
    """A tool call that waits for a person, or did: exactly what would be sent, and as whom."""

    id: str
    state: Literal["waiting", "approved", "declined", "expired"]
    turn_id: str = Field(description="The turn that waits.")
    call_id: str
    title: str
    server: str
    tool: str = Field(description="The server's own name of the tool.")
    arguments: Any
    acts_as: str = Field(description="In whose name it would be done.")
    undoable: bool = Field(description="Whether what it does is known to be undoable.")
    reason: str = Field(description="Why it asks; a stable word.")
    expires_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    cause: str | None = Field(description="`person`, `expired`, `superseded` or `stopped`.")

    @classmethod
    def of(cls, approval: Approval, arguments: Any) -> ApprovalBody:
        """The wire form of an approval, with the arguments as the server will get them."""
        return cls(
            id=approval.id,
            state=state_of(approval),  # pyright: ignore[reportArgumentType]
            turn_id=approval.turn,
            call_id=approval.call_id,
            title=approval.title,
            server=approval.server,
            tool=approval.tool,
            arguments=arguments,
            acts_as=approval.acts_as,
            undoable=approval.undoable,
            reason=approval.reason,
            expires_at=approval.expires_at,
            decided_by=approval.decided_by,
            decided_at=approval.decided_at,
            cause=approval.cause,
        )


class ApprovalsBody(_Shape):
    """What waits in a conversation."""

    approvals: list[ApprovalBody]


class DecidedBody(_Shape):
    """The decision is stored; it is carried out by a turn of its own."""

    approval: ApprovalBody
    going_on: bool = Field(description="All calls of the turn are decided, so it goes on.")
    turn_id: str | None = Field(description="The turn that goes on; null: in a moment.")
    message_id: str | None
    events: str | None = Field(description="Where to read its events.")


def router(*, access: Access, decisions: Decisions, privacy: Privacy) -> APIRouter:
    """The routes below /api/threads/{thread}/approvals."""
    routes = APIRouter(prefix="/api/threads/{thread}/approvals", tags=["approvals"])
    who = Depends(access.principal)

    async def shown(principal: Principal, approval: Approval) -> ApprovalBody:
        arguments = await privacy.sent(
            principal, approval.thread, approval.server, approval.arguments
        )
        return ApprovalBody.of(approval, arguments)

    @routes.get("")
    async def waiting(thread: IdPath, principal: Principal = who) -> ApprovalsBody:
        """What waits for a decision in a conversation, in the order it was asked."""
        found = await decisions.open_in(principal, ThreadId(thread))
        return ApprovalsBody(approvals=[await shown(principal, approval) for approval in found])

    @routes.get("/{approval}")
    async def read(thread: IdPath, approval: IdPath, principal: Principal = who) -> ApprovalBody:
        """One approval, and how it was decided."""
        return await shown(principal, await decisions.get(principal, ThreadId(thread), approval))

    @routes.post("/{approval}", status_code=202)
    async def decide(
        thread: IdPath, approval: IdPath, body: DecisionBody, principal: Principal = who
    ) -> DecidedBody:
        """Approve or decline, once; a second answer is a 409 that says what was decided."""
        decided = await decisions.decide(principal, ThreadId(thread), approval, body.decision)
        turn = decided.started.turn if decided.started else None
        return DecidedBody(
            approval=await shown(principal, decided.approval),
            going_on=decided.going_on,
            turn_id=turn,
            message_id=decided.started.message if decided.started else None,
            events=f"/api/threads/{thread}/turns/{turn}/events" if turn else None,
        )

    return routes
