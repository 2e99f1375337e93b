"""`parlour routes`: what may serve whom, how each route does, and why a turn went where it went."""

from __future__ import annotations

import msgspec

from parlour.errors import Problem
from parlour.models.choice import Decision, again
from parlour.models.routes import Route
from parlour.services import Services
from parlour.store.routes import KeptDecision


class NoDecisions(Problem):
    """No routing decision is kept of this turn."""

    code = "no_decisions"
    status = 404
    title = "No such decisions"


def overview(services: Services) -> list[str]:
    """Every route, and which workspaces use which."""
    router = services.router
    lines = ["Routes:", *(line for route in router.routes() for line in _about(route))]
    lines.append("Who uses which:")
    for name in ("", *services.settings.workspaces):
        mode, routes = router.approved(name)
        who = name or "every workspace without words of its own"
        lines.append(f"  {who}: {mode}: {', then '.join(route.name for route in routes)}")
    return lines


async def of_turn(services: Services, turn: str) -> list[str]:
    """The decisions of one turn, each made again from what was kept. Raises `NoDecisions`."""
    kept = await services.decisions.of_turn(turn)
    if not kept:
        raise NoDecisions(f"No routing decision is kept of the turn {turn}.")
    return [line for one in kept for line in _told(one)]


def _about(route: Route) -> list[str]:
    terms = {
        "at": route.base_url,
        "region": route.region,
        "key": route.key,
        "retention": route.retention,
        "gateway": " -> ".join(filter(None, (route.gateway, route.upstream))),
    }
    words = ", ".join(f"{name} {value}" for name, value in terms.items() if value)
    return [
        f"  {route.name}: {route.label}{f' ({words})' if words else ''}",
        f"    digest {route.digest}",
    ]


def _told(kept: KeptDecision) -> list[str]:
    decision = msgspec.json.decode(kept.body, type=Decision)
    same = "the same when made again" if again(decision) else "NOT the same when made again"
    lines = [
        f"{kept.at:%Y-%m-%d %H:%M:%S} {kept.choice or 'none'}: {decision.reason} ({same})",
        f"  policy {decision.policy}, {decision.mode}",
    ]
    for candidate in decision.candidates:
        wait = f", {candidate.wait_s:g} s left" if candidate.wait_s else ""
        code = f", {candidate.code}" if candidate.code else ""
        lines.append(f"  {candidate.route} {candidate.digest[:12]}: {candidate.state}{wait}{code}")
    return lines
