"""`parlour limits`: where somebody stands with every limit."""

from __future__ import annotations

from parlour.api.access import LOCAL
from parlour.app import Services
from parlour.domain import Principal, UserId, WorkspaceId
from parlour.limits.levels import LimitName
from parlour.limits.words import period, quantity, standing


async def limits(services: Services, workspace: str, user: str, tier: str) -> list[str]:
    """One line for each limit of a user of a tier, and of the workspace."""
    quotas = services.till.quotas
    if services.access.local and (workspace, user) == (LOCAL.workspace, LOCAL.user):
        return [f"{user} of {workspace} is the one local user, who has no limits."]
    principal = Principal(WorkspaceId(workspace), UserId(user), tier=tier)
    limited = quotas.limited(principal)
    if limited is None:
        return [f"{user} of {workspace} has no limits in the tier {tier}."]
    at, levels = await quotas.look(limited.subjects)
    percent = quotas.rules(workspace).warn_percent
    known = tier in services.settings.policies().of(workspace).limits.tiers
    lines = [f"{user} of {workspace}, tier {tier if known else f'{tier} (not there, so free)'}:"]
    for subject, level in zip(limited.subjects, levels, strict=True):
        for one in standing(subject, level, at, percent):
            name: LimitName = one["limit"]
            whose = "user" if subject.user else "workspace"
            resets = f", more from {one['resets_at']}" if one["resets_at"] else ""
            lines.append(
                f"  {whose}: {quantity(name, one['used'])} of {quantity(name, one['allowed'])} "
                f"{period(name)}{resets}{' (near)' if one['near'] else ''}"
            )
    return lines
