"""What a page asks first: who am I, what answers, and what must I tell people."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from parlour import __version__
from parlour.api.access import Access
from parlour.api.shapes import MeBody, ModelBody, PersonBody
from parlour.domain import Principal
from parlour.policy import Policies
from parlour.safety.disclosures.engine import Disclosures

DEVELOPERS = frozenset({"admin", "developer"})  # roles whose pages show routes and costs


def router(
    *,
    access: Access,
    disclosures: Disclosures,
    model: ModelBody,
    message_chars_max: int,
    policies: Policies,
) -> APIRouter:
    """The route /api/me."""
    routes = APIRouter(tags=["me"])
    who = Depends(access.principal)

    @routes.get("/api/me")
    async def me(principal: Principal = who) -> MeBody:
        """The signed-in user, the model, the disclosure and the limits."""
        return MeBody(
            user=PersonBody(id=principal.user, name=principal.name, workspace=principal.workspace),
            local=principal.local,
            model=model,
            disclosure=disclosures.of(principal, "chat").text,
            version=__version__,
            tour=model.kind == "scripted",
            dev=principal.local or not DEVELOPERS.isdisjoint(principal.roles),
            followups=policies.of(principal.workspace).followups.questions > 0,
            limits={"message_chars_max": message_chars_max},
        )

    return routes
