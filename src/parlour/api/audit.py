"""The audit chain of a workspace, for its administrators to read."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from parlour.api.access import Access
from parlour.domain import Principal
from parlour.store.audit_read import AuditTrail, Link

Name = Annotated[str | None, Query(max_length=128, pattern=r"^[^\x00]*$")]
When = Annotated[datetime | None, Query()]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AuditLinkBody(_Shape):
    """A link. `user` and `body` are null when the person was erased."""

    seq: int
    at: datetime
    kind: str
    turn: str | None
    user: str | None
    body: dict[str, Any] | None
    hash: str


class AuditBody(_Shape):
    """A page of links, newest first."""

    links: list[AuditLinkBody]
    next: int | None = Field(description="Pass as `before` for earlier ones; null = no more.")


class AuditVerdictBody(_Shape):
    """Whether the chain is whole. Keep `seq` and `head` elsewhere: made anew, it has others."""

    seq: int
    head: str
    erased: int
    broken_at: int | None
    why: str


def router(*, access: Access, trail: AuditTrail) -> APIRouter:
    """The routes /api/admin/audit, for tokens with the role `admin`."""
    routes = APIRouter(prefix="/api/admin/audit", tags=["admin"])
    who = Depends(access.admin)

    @routes.get("")
    async def listing(
        user: Name = None,
        kind: Name = None,
        since: When = None,
        until: When = None,
        before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        principal: Principal = who,
    ) -> AuditBody:
        """What was done and shown in the workspace; `until` is exclusive."""
        links = await trail.links(
            principal.workspace,
            user=user,
            kind=kind,
            since=since,
            until=until,
            before=before,
            limit=limit,
        )
        more = links[-1].seq if len(links) == limit else None
        return AuditBody(links=[_body(link) for link in links], next=more)

    @routes.get("/verify")
    async def verify(principal: Principal = who) -> AuditVerdictBody:
        """Make every hash of the workspace's chain anew."""
        verdict = await trail.verify(principal.workspace)
        return AuditVerdictBody(
            seq=verdict.seq,
            head=verdict.head,
            erased=verdict.erased,
            broken_at=verdict.broken_at,
            why=verdict.why,
        )

    return routes


def _body(link: Link) -> AuditLinkBody:
    return AuditLinkBody(
        seq=link.seq,
        at=link.at,
        kind=link.kind,
        turn=link.turn,
        user=link.user,
        body=link.body,
        hash=link.hash,
    )
