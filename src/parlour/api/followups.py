"""What was made of an answer after it ended."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from parlour.api.access import Access
from parlour.api.shapes import FollowupsBody
from parlour.api.turns import IdPath
from parlour.chat.enriching import Enriching
from parlour.domain import Principal, ThreadId, TurnId


def router(*, access: Access, enriching: Enriching) -> APIRouter:
    """The route /api/threads/{thread}/turns/{turn}/followups."""
    routes = APIRouter(tags=["turns"])
    who = Depends(access.principal)

    @routes.get("/api/threads/{thread}/turns/{turn}/followups")
    async def followups(thread: IdPath, turn: IdPath, principal: Principal = who) -> FollowupsBody:
        """Questions to ask next, and the title; waits up to ten seconds while they are made."""
        found = await enriching.followups(principal, ThreadId(thread), TurnId(turn))
        return FollowupsBody(questions=list(found.questions), title=found.title)

    return routes
