"""What has to be shown before the first message, and the receipts of what was."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query
from pydantic import BaseModel, ConfigDict, Field

from parlour.api.access import Access
from parlour.api.shapes import Id
from parlour.chat.ask import Surface
from parlour.domain import Principal
from parlour.safety.disclosures.gate import Gate, told
from parlour.store.audit_read import AuditTrail
from parlour.store.receipts import KIND

RECEIPTS_MAX = 100  # the newest of one person

ShownHeader = Annotated[
    str,
    Header(
        alias="x-parlour-disclosure",
        max_length=64,
        description="The `edition` of the disclosure that you have just shown, for clients that "
        "cannot put `disclosure_receipt` into the body.",
    ),
]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RuleBody(_Shape):
    """A rule that asks for a text."""

    id: str
    version: int


class DisclosureLineBody(_Shape):
    """One text, in the language `lang`."""

    text: str
    lang: str
    placement: list[str] = Field(
        description="before_first_message: shown before; in_header: always visible beside the "
        "conversation; on_request: said when somebody asks."
    )
    rules: list[RuleBody]


class ReceiptBody(_Shape):
    """Proof that an edition was shown to the person."""

    id: str
    surface: str
    edition: str
    at: datetime


class DisclosureBody(_Shape):
    """What the person is told. While `reason` is not null, it has to be shown and acknowledged."""

    edition: str
    reason: Literal["first", "changed", "again"] | None
    locale: str
    text: str = Field(description="All lines in one piece.")
    lines: list[DisclosureLineBody]
    receipt: ReceiptBody | None = None


class ShownBody(_Shape):
    """The client has shown an edition."""

    edition: Id
    surface: Surface = "api"
    session: str = Field("", max_length=64, description="Your name for this visit.")


class ShownReceiptBody(_Shape):
    """A receipt from the audit chain, with everything that was shown."""

    seq: int = Field(description="Its place in the audit chain of the workspace.")
    at: datetime
    hash: str
    body: dict[str, Any]


class ReceiptsBody(_Shape):
    """The person's receipts, newest first."""

    receipts: list[ShownReceiptBody]


def router(*, access: Access, gate: Gate, trail: AuditTrail) -> APIRouter:
    """The routes below /api/disclosures."""
    routes = APIRouter(prefix="/api/disclosures", tags=["disclosures"])
    who = Depends(access.principal)

    @routes.get("")
    async def current(
        surface: Annotated[Surface, Query()] = "api", principal: Principal = who
    ) -> DisclosureBody:
        """What the signed-in person is told at a surface, and whether it has to be shown now."""
        standing = await gate.standing(principal, surface)
        body = DisclosureBody.model_validate(told(standing.disclosure, standing.reason))
        if standing.receipt is None:
            return body
        receipt = ReceiptBody.model_validate(standing.receipt, from_attributes=True)
        return body.model_copy(update={"receipt": receipt})

    @routes.post("/receipts", status_code=201)
    async def shown(body: ShownBody, principal: Principal = who) -> ReceiptBody:
        """Acknowledge that an edition was shown; messages are taken from then on."""
        receipt = await gate.acknowledge(
            principal, body.surface, body.edition, session=body.session
        )
        return ReceiptBody.model_validate(receipt, from_attributes=True)

    @routes.get("/receipts")
    async def receipts(principal: Principal = who) -> ReceiptsBody:
        """What the signed-in person was shown, and when."""
        links = await trail.links(
            principal.workspace, user=principal.user, kind=KIND, limit=RECEIPTS_MAX
        )
        found = [
            ShownReceiptBody(seq=link.seq, at=link.at, hash=link.hash, body=link.body or {})
            for link in links
        ]
        return ReceiptsBody(receipts=found)

    return routes
