"""What is left: the limits of whoever asks, how much is used, and when there is more."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from parlour.api.access import Access
from parlour.api.shapes import LimitBody, LimitsBody
from parlour.domain import Principal
from parlour.limits.quotas import Quotas
from parlour.limits.words import standing


def router(*, access: Access, quotas: Quotas) -> APIRouter:
    """The route /api/limits."""
    routes = APIRouter(tags=["limits"])
    who = Depends(access.principal)

    @routes.get("/api/limits")
    async def limits(principal: Principal = who) -> LimitsBody:
        """Every limit of the signed-in user and of the workspace; none for who has none."""
        limited = quotas.limited(principal)
        if limited is None:
            return LimitsBody(tier=principal.tier, limits=[])
        at, levels = await quotas.look(limited.subjects)
        percent = quotas.rules(principal.workspace).warn_percent
        return LimitsBody(
            tier=principal.tier,
            limits=[
                LimitBody.model_validate(found)
                for subject, level in zip(limited.subjects, levels, strict=True)
                for found in standing(subject, level, at, percent)
            ],
        )

    return routes
