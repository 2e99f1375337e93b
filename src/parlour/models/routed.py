"""Model calls on approved routes: choose, call, try again, switch, and remember why.

This is the one place that retries, and only while nothing of the reply has been shown; the clients
below never do. A call that cannot be made on an approved route is not made at all.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import structlog

from parlour.events.types import Event, Notice, Status
from parlour.models.breaker import Breakers
from parlour.models.choice import Candidate, Decision, Mode, decide
from parlour.models.failures import (
    ContextTooLong,
    KeyRejected,
    ModelFailure,
    ModelUnknown,
    NotAllowed,
    QuotaSpent,
    RequestRefused,
    RequestTooLarge,
    Resting,
    WrongServer,
)
from parlour.models.port import Model, ModelReply, ModelRequest, ModelSink
from parlour.models.routes import Route, RouteUnavailable
from parlour.policy import Policies

# What the question itself caused: another route would refuse it as well, or must not be asked.
ASKERS_OWN = (ContextTooLong, RequestRefused, RequestTooLarge, WrongServer)
# What somebody has to repair: it fails at once each time, so a breaker would only hide the reason.
OPERATORS_OWN = (KeyRejected, ModelUnknown, NotAllowed, QuotaSpent)
PAUSE_S = 0.5  # before the first retry when upstream names no time; doubled after that

_log = structlog.get_logger("parlour.routes")


@dataclass(frozen=True, slots=True)
class RetryLimits:
    """`tries_max` calls on one route, all within `budget_s` seconds of the first."""

    tries_max: int = 3
    budget_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision, as it is stored: when and for which turn it was made."""

    workspace: str
    turn: str
    decision: Decision


Remember = Callable[[Decided], None]
Hear = Callable[[Event], None]
Meter = Callable[[Route, Model], Model]  # a client of a route, whose calls are paid by somebody


class Router:
    """All routes of the process, and who may use which."""

    def __init__(
        self,
        routes: Mapping[str, tuple[Route, Model]],
        *,
        default: str,
        policies: Policies,
        breakers: Breakers | None = None,
        limits: RetryLimits | None = None,
        remember: Remember = lambda _: None,
    ) -> None:
        """`default` is the route of workspaces whose policy names none."""
        self.breakers = breakers or Breakers()
        self.limits = limits or RetryLimits()
        self.remember = remember
        self._routes = dict(routes)
        self._default = default
        self._policies = policies

    def approved(self, workspace: str) -> tuple[Mode, tuple[Route, ...]]:
        """How a workspace's calls are routed: the mode and its routes, first choice first."""
        policy = self._policies.of(workspace).routes
        names = policy.use or (self._default,)
        return policy.mode, tuple(self._routes[name][0] for name in names)

    def first(self, workspace: str) -> Route:
        """The route that answers when all is well."""
        return self.approved(workspace)[1][0]

    def model(
        self,
        workspace: str,
        *,
        turn: str = "",
        hear: Hear | None = None,
        meter: Meter | None = None,
    ) -> RoutedModel:
        """The model of a workspace; `hear` is told when a call waits or takes another route, and
        every call upstream goes through `meter`."""
        return RoutedModel(self, workspace, turn=turn, hear=hear, meter=meter)

    def route(self, name: str) -> Route:
        """The route of that name."""
        return self._routes[name][0]

    def client(self, route: str) -> Model:
        """What calls a route."""
        return self._routes[route][1]

    def routes(self) -> tuple[Route, ...]:
        """All routes, as configured."""
        return tuple(route for route, _ in self._routes.values())

    async def close(self) -> None:
        """Let go of every connection and child process."""
        models = {id(model): model for _, model in self._routes.values()}
        await asyncio.gather(*(model.close() for model in models.values()))


class RoutedModel:
    """The model of one workspace, for one turn. See `port.Model`."""

    def __init__(
        self,
        router: Router,
        workspace: str,
        *,
        turn: str,
        hear: Hear | None,
        meter: Meter | None = None,
    ) -> None:
        self._router = router
        self._workspace = workspace
        self._turn = turn
        self._hear: Hear = hear or _unheard
        self._meter: Meter = meter or _unmetered

    @property
    def name(self) -> str:
        """The first route's `provider:model`."""
        return self._router.first(self._workspace).label

    async def stream(self, request: ModelRequest, sink: ModelSink) -> ModelReply:
        """Call the approved model. Raises its failure, or `RouteUnavailable`."""
        failed: dict[str, ModelFailure] = {}
        until = time.monotonic() + self._router.limits.budget_s
        while True:
            decision = self._decide(failed)
            if not decision.choice:
                raise _unavailable(decision, failed)
            route = self._route(decision.choice)
            if failed:
                self._say_switched(failed, route)
            try:
                return await self._call(route, request, sink, until)
            except ModelFailure as failure:
                if failure.spoke or isinstance(failure, ASKERS_OWN):
                    raise
                failed[route.name] = failure

    async def close(self) -> None:
        """Nothing of its own; the router closes the clients."""

    def _decide(self, failed: Mapping[str, ModelFailure]) -> Decision:
        mode, routes = self._router.approved(self._workspace)
        candidates = tuple(self._candidate(route, failed.get(route.name)) for route in routes)
        decision = decide(version(mode, routes), mode, candidates)
        self._router.remember(Decided(self._workspace, self._turn, decision))
        return decision

    def _candidate(self, route: Route, failure: ModelFailure | None) -> Candidate:
        if failure is not None:
            return Candidate(route.name, route.digest, "failed", code=failure.code)
        word, wait_s = self._router.breakers.look(route.digest)
        return Candidate(route.name, route.digest, word, round(wait_s, 3))

    def _route(self, name: str) -> Route:
        _, routes = self._router.approved(self._workspace)
        return next(route for route in routes if route.name == name)

    async def _call(
        self, route: Route, request: ModelRequest, sink: ModelSink, until: float
    ) -> ModelReply:
        """One route, tried as often as its failures allow."""
        limits, breakers = self._router.limits, self._router.breakers
        for number in range(1, limits.tries_max + 1):
            word = breakers.enter(route.digest)
            trial = word == "trial"
            if word == "open" or (trial and not await breakers.first(route.digest)):
                _, wait_s = breakers.look(route.digest)
                raise _resting(wait_s)
            try:
                client = self._meter(route, self._router.client(route.name))
                reply = await client.stream(request, sink)
            except ModelFailure as failure:
                pause_s = _pause(failure, number)
                again = (
                    failure.retryable
                    and not failure.spoke
                    and not trial  # which is one call
                    and number < limits.tries_max
                    and time.monotonic() + pause_s < until
                )
                self._note(route, failure, again=again, trial=trial)
                if not again:
                    raise
                self._hear(Status(text="The model is busy; trying again."))
                await asyncio.sleep(pause_s)
            except BaseException:  # stopped: it says nothing about the route
                if trial:
                    breakers.leave(route.digest)
                raise
            else:
                breakers.succeeded(route.digest)
                return replace(reply, route=route.name)
        raise AssertionError("unreachable")

    def _note(self, route: Route, failure: ModelFailure, *, again: bool, trial: bool) -> None:
        """Count a call that failed for good, if that says something about the route."""
        if not (again or isinstance(failure, ASKERS_OWN + OPERATORS_OWN)):
            self._router.breakers.failed(route.digest)
        elif trial:
            self._router.breakers.leave(route.digest)
        _log.warning(
            "route_failed", route=route.name, code=failure.code, detail=failure.detail, again=again
        )

    def _say_switched(self, failed: Mapping[str, ModelFailure], route: Route) -> None:
        last, failure = list(failed.items())[-1]
        text = f"{self._route(last).label} did not answer; {route.label} answers instead."
        _log.warning("route_switched", old=last, new=route.name, code=failure.code)
        self._hear(Notice(kind="route_switched", text=text))


def _unheard(_: Event) -> None:
    """For calls beside a turn, which nobody watches."""


def _unmetered(_: Route, client: Model) -> Model:
    return client


def version(mode: Mode, routes: tuple[Route, ...]) -> str:
    """The version of a routing policy: what it says, as a digest."""
    return _version(mode, tuple(route.digest for route in routes))


@functools.lru_cache(maxsize=1024)  # a call must not wait for it; one entry per policy
def _version(mode: Mode, digests: tuple[str, ...]) -> str:
    text = "\n".join([mode, *digests])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _pause(failure: ModelFailure, number: int) -> float:
    """Seconds until the next try: what upstream asks for, else growing, with chance in it."""
    asked = failure.retry_after_s
    if asked is not None:
        return float(asked)
    return PAUSE_S * 2 ** (number - 1) * random.uniform(0.5, 1.0)  # noqa: S311  # no secret


def _resting(wait_s: float) -> ModelFailure:
    failure = Resting("the breaker is open", retry_after_s=max(1, round(wait_s)))
    failure.spoke = False
    return failure


def _unavailable(decision: Decision, failed: Mapping[str, ModelFailure]) -> Exception:
    """What people are told: the failure itself when there was one, else when to try again."""
    known = [failure for failure in failed.values() if not isinstance(failure, Resting)]
    if len(known) == 1 and decision.mode == "pinned":
        return known[0]
    waits = [c.wait_s for c in decision.candidates if c.state == "open"]
    asked = [failure.retry_after_s for failure in failed.values()]
    waits += [float(seconds) for seconds in asked if seconds is not None]
    seconds = max(1, round(min(waits))) if waits else None
    when = f"Try again in {seconds} seconds." if seconds else "Try again in a minute."
    many = len(decision.candidates) > 1
    who = "None of the approved models answers" if many else "The model provider is not answering"
    return RouteUnavailable(f"{who} at the moment. {when}", retry_after_s=seconds or 60)
