"""Which route a call takes: a pure function, so that every stored decision can be made again."""

from __future__ import annotations

from typing import Literal

import msgspec

Mode = Literal["pinned", "ordered"]
State = Literal["closed", "trial", "open", "failed"]


class Candidate(msgspec.Struct, frozen=True, omit_defaults=True):
    """A route that the policy names, as it stood: `failed` = tried for this call already.

    `trial` = the breaker lets one call through to see; `wait_s` is until it would.
    """

    route: str
    digest: str
    state: State = "closed"
    wait_s: float = 0.0
    code: str = ""  # of the failure, when it failed


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was decided: `choice` is a route's name, empty = none may answer now."""

    policy: str  # version of the policy: a digest over its mode and routes
    mode: Mode
    candidates: tuple[Candidate, ...]
    choice: str
    reason: str


def decide(policy: str, mode: Mode, candidates: tuple[Candidate, ...]) -> Decision:
    """The first route if it may be called; in `ordered` mode the first that may."""
    reason = "no route is approved"
    for place, candidate in enumerate(candidates):
        if mode == "pinned" and place > 0:
            break
        if candidate.state in ("closed", "trial"):
            why = "first route" if place == 0 else "first that can answer"
            if candidate.state == "trial":
                why += ", as a trial"
            return Decision(policy, mode, candidates, candidate.route, why)
        reason = "the route cannot answer" if mode == "pinned" else "no route can answer"
    return Decision(policy, mode, candidates, "", reason)


def again(decision: Decision) -> bool:
    """Whether deciding anew on the same facts gives the same choice."""
    return decide(decision.policy, decision.mode, decision.candidates) == decision
