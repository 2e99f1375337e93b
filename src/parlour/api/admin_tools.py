"""What administrators of a workspace decide about tools: which descriptions are approved."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from parlour.api.access import Access
from parlour.api.shapes import ApprovedToolsBody, ApproveToolsBody, ToolPinBody, ToolPinsBody
from parlour.domain import Principal
from parlour.store.tool_pins import Pin
from parlour.tools.pins import Pins


def router(*, access: Access, pins: Pins) -> APIRouter:
    """The routes /api/admin/tools, for tokens with the role `admin`."""
    routes = APIRouter(prefix="/api/admin/tools", tags=["admin"])
    who = Depends(access.admin)

    @routes.get("")
    async def listing(principal: Principal = who) -> ToolPinsBody:
        """Every description of a tool that this workspace has seen, approved or waiting."""
        found = await pins.listing(principal.workspace)
        return ToolPinsBody(tools=[_body(pin) for pin in found])

    @routes.post("/approve")
    async def approve(body: ApproveToolsBody, principal: Principal = who) -> ApprovedToolsBody:
        """Approve what waits: one description, all of a tool, or all of a server."""
        approved = await pins.approve(
            principal.workspace,
            body.server,
            by=principal.user,
            tool=body.tool,
            digest=body.digest,
        )
        return ApprovedToolsBody(approved=[_body(pin) for pin in approved])

    return routes


def _body(pin: Pin) -> ToolPinBody:
    return ToolPinBody(
        server=pin.server,
        tool=pin.tool,
        digest=pin.digest,
        definition=pin.definition,
        seen_at=pin.seen_at,
        approved_at=pin.approved_at,
        approved_by=pin.approved_by,
    )
