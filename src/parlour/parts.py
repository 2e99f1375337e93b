"""From settings to single parts: the first half of the composition root.

`app.py` puts the parts together. Each function here picks one implementation and hands it plain
values; nothing is started.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from parlour.api.access import Access
from parlour.api.shapes import ModelBody
from parlour.chat.privacy import Privacy
from parlour.chat.rule_hits import RuleHits
from parlour.chat.running import TurnLimits
from parlour.chat.till import Till
from parlour.errors import ConfigurationError
from parlour.events.log import EventLog
from parlour.events.memory import MemoryEventLog
from parlour.limits.clock import Clock
from parlour.limits.levels import Counters
from parlour.limits.memory import MemoryCounters
from parlour.limits.quotas import Quotas
from parlour.models.bounds import WireLimits
from parlour.models.breaker import BreakerLimits, Breakers
from parlour.models.port import Model
from parlour.models.price_list import PriceList
from parlour.models.prices import Prices
from parlour.models.registry import build_model, kind_of
from parlour.models.routed import Decided, RetryLimits, Router
from parlour.models.routes import Route
from parlour.models.routing import BASE_URLS, DEFAULT, build_routes, default_route
from parlour.policy import Policies
from parlour.safety.injection.find import Classifier
from parlour.safety.personal.find import Finder
from parlour.safety.personal.vault import Sealer, read_key
from parlour.settings import RouteSettings, Settings
from parlour.store.audit import Audit
from parlour.store.database import Database
from parlour.store.housekeeping import Housekeeping
from parlour.store.ledger import Ledger
from parlour.store.masked import MaskedValues
from parlour.store.routes import RouteDecisions
from parlour.store.threads import Threads
from parlour.store.tool_pins import ToolPins
from parlour.store.tool_results import ToolResults
from parlour.telemetry.metrics import Metrics
from parlour.telemetry.traces import Traces
from parlour.tools.config import ServerConfig
from parlour.tools.identity import TokenRule
from parlour.tools.pins import Pins
from parlour.tools.server import NAME
from parlour.tools.toolbox import Toolbox
from parlour.tools.tour import NAME as TOUR
from parlour.tools.tour import tour_server

if TYPE_CHECKING:
    from parlour.models.breaker_redis import RedisPeers

MODEL_NOTES = {
    "hosted": "",
    "local": "A small demo model that runs on this machine. It is often wrong; set OPENAI_API_KEY "
    "or ANTHROPIC_API_KEY to connect a real one.",
    "scripted": "No model is connected: these answers come from a script. Set OPENAI_API_KEY or "
    "ANTHROPIC_API_KEY to connect a real one.",
}
GUIDE_NAME = "scripted:"  # of the model that plays the guide
HOLD_SLACK_S = 60  # a turn that is ended at its limit still has to be stored


def turn_limits(settings: Settings) -> TurnLimits:
    """Bounds of every turn."""
    limits = settings.limits
    return TurnLimits(
        reply_tokens_max=limits.reply_tokens_max,
        temperature=settings.models.temperature,
        turn_s_max=limits.turn_s_max,
        message_chars_max=limits.message_chars_max,
        log_bytes_max=limits.log_bytes_max,
        lease_s=limits.lease_s,
    )


def _counters(settings: Settings) -> Counters:
    if not settings.redis_url:
        return MemoryCounters()
    # `event_log` has told already what to type when the client is not installed.
    from parlour.limits.redis import RedisCounters

    return RedisCounters(settings.redis_url.get_secret_value())


def till(
    settings: Settings,
    policies: Policies,
    *,
    router: Router,
    ledger: Ledger,
    metrics: Metrics,
) -> Till:
    """Who pays for model calls, what they cost, and how much may be spent."""
    quotas = Quotas(
        counters=_counters(settings),
        clock=Clock(ledger.now),
        ledger=ledger,
        policies=policies,
        metrics=metrics,
    )
    return Till(
        prices=Prices(),
        policies=policies,
        router=router,
        quotas=quotas,
        metrics=metrics,
        addresses={
            "openai": settings.openai_base_url,
            "anthropic": settings.anthropic_base_url,
        },
        reply_tokens_max=settings.limits.reply_tokens_max,
        hold_s=settings.limits.turn_s_max + HOLD_SLACK_S,
    )


def price_list(settings: Settings, till: Till) -> PriceList:
    """Where newer prices come from."""
    return PriceList(till.prices, url=settings.prices.url, every_s=settings.prices.every_s)


def access(settings: Settings) -> Access:
    """Who may come in, and how they prove who they are."""
    secret = settings.secret.get_secret_value() if settings.secret else ""
    return Access(secret=secret, audience=settings.audience)


def housekeeping(settings: Settings, database: Database) -> Housekeeping:
    """The sweep of what is kept no longer."""
    kept = settings.retention
    return Housekeeping(database, events_days=kept.events_days, hidden_days=kept.hidden_days)


def event_log(settings: Settings) -> EventLog:
    """The event log: in memory, or on Redis."""
    if not settings.redis_url:
        return MemoryEventLog()
    try:
        from parlour.events.redis import RedisEventLog
    except ModuleNotFoundError:
        raise ConfigurationError(
            "PARLOUR_REDIS_URL is set, but the Redis client is not installed. "
            "Type: pip install 'parlour[redis]'"
        ) from None
    return RedisEventLog(settings.redis_url.get_secret_value())


def chat_model(settings: Settings) -> Model:
    """The model that PARLOUR_MODEL names."""
    openai_key, anthropic_key = settings.openai_api_key, settings.anthropic_api_key
    return build_model(
        settings.model,
        openai_api_key=openai_key.get_secret_value() if openai_key else "",
        openai_base_url=settings.openai_base_url,
        anthropic_api_key=anthropic_key.get_secret_value() if anthropic_key else "",
        anthropic_base_url=settings.anthropic_base_url,
        data_dir=settings.data_dir,
        cache_dir=settings.cache_dir,
        local_model=settings.local_model,
        limits=_wire_limits(settings),
    )


def routes(settings: Settings, policies: Policies) -> dict[str, tuple[Route, Model]]:
    """Every route that some policy uses, with what calls it; the default one among them."""
    named = {name: _route(name, route) for name, route in settings.routes.items()}
    built = build_routes(
        named,
        key=lambda variable: os.environ.get(variable, ""),
        policies=policies,
        data_dir=settings.data_dir,
        cache_dir=settings.cache_dir,
        limits=_wire_limits(settings),
    )
    if any(not policy.routes.use for policy in policies.all()):
        model = chat_model(settings)
        built[DEFAULT] = (default_route(model), model)
    return built


def _route(name: str, route: RouteSettings) -> Route:
    return Route(
        name=name,
        provider=route.provider,
        model=route.model,
        base_url=route.base_url or BASE_URLS.get(route.provider, ""),
        region=route.region,
        key=route.key,
        retention=route.retention,
        gateway=route.gateway,
        upstream=route.upstream,
        parameters=route.parameters,
        served=route.served,
    )


def router(
    built: dict[str, tuple[Route, Model]],
    settings: Settings,
    policies: Policies,
    *,
    metrics: Metrics,
    decisions: RouteDecisions,
) -> Router:
    """Who may use which route, and what happens when one fails."""
    encode = msgspec.json.Encoder().encode

    def remember(decided: Decided) -> None:
        decision = decided.decision
        decisions.remember(
            workspace=decided.workspace,
            turn=decided.turn,
            choice=decision.choice,
            body=encode(decision),
        )

    calls = settings.models
    breakers = Breakers(
        BreakerLimits(calls.breaker_failures, calls.breaker_s), on_change=metrics.breaker_changed
    )
    return Router(
        built,
        default=DEFAULT,
        policies=policies,
        breakers=breakers,
        limits=RetryLimits(tries_max=calls.tries_max, budget_s=calls.retry_s_max),
        remember=remember,
    )


def breaker_peers(settings: Settings, router: Router) -> RedisPeers | None:
    """What shares the breakers between processes; None without Redis."""
    if not settings.redis_url:
        return None
    from parlour.events.redis_wire import connect
    from parlour.models.breaker_redis import RedisPeers

    redis = connect(settings.redis_url.get_secret_value(), connections=4)
    return RedisPeers(redis, router.breakers, lambda: [r.digest for r in router.routes()])


def _wire_limits(settings: Settings) -> WireLimits:
    calls = settings.models
    return WireLimits(
        connect_s=calls.connect_s,
        first_byte_s=calls.first_byte_s,
        idle_s=calls.idle_s,
        total_s=calls.total_s,
        beat_s=calls.beat_s,
        line_bytes_max=calls.line_bytes_max,
    )


def tool_servers(settings: Settings) -> tuple[ServerConfig, ...]:
    """All MCP servers of the settings."""
    if NAME in settings.mcp:
        raise ConfigurationError(
            f"`mcp.{NAME}` has the name of Parlour's own tools; give that server another one."
        )
    return tuple(_server(settings, name) for name in settings.mcp)


def tour(
    routes: Mapping[str, tuple[Route, Model]], servers: Sequence[ServerConfig]
) -> tuple[ServerConfig, ...]:
    """The slow tool of the guided tour, where the guide answers and no server has its name."""
    plays = any(client.name == GUIDE_NAME for _, client in routes.values())
    taken = any(server.name == TOUR for server in servers)
    return (tour_server(),) if plays and not taken else ()


def tool_pins(database: Database, audit: Audit) -> Pins:
    """Which descriptions of tools are approved."""
    return Pins(ToolPins(database), audit=audit)


def toolbox(
    servers: tuple[ServerConfig, ...], database: Database, policies: Policies, pins: Pins
) -> Toolbox:
    """The servers with what they need of the database."""
    results, threads = ToolResults(database), Threads(database)
    return Toolbox(servers, policies=policies, pins=pins, results=results, threads=threads)


def _server(settings: Settings, name: str) -> ServerConfig:
    server = settings.mcp[name]
    if server.token is None:
        return ServerConfig(name, **server.plain())
    key = server.token.signing_key(name)
    if settings.secret and key == settings.secret.get_secret_value():
        raise ConfigurationError(
            f"`mcp.{name}.token.key` is PARLOUR_SECRET: that server could sign in as anybody. "
            "Give it a key of its own."
        )
    token = server.token.model_dump(exclude={"key", "audience", "claims"})
    rule = TokenRule(
        key=key,
        audience=server.token.audience or server.url,
        claims=tuple(server.token.claims),
        **token,
    )
    return ServerConfig(name, token=rule, **server.plain())


def traces(settings: Settings) -> Traces:
    """Where spans go; nowhere without an endpoint."""
    headers = {k: v.get_secret_value() for k, v in settings.traces.headers.items()}
    return Traces(settings.traces.endpoint, headers=headers)


def classifier(settings: Settings) -> Classifier | None:
    """Loaded when a workspace asks for it."""
    if not any(policy.injection.classifier for policy in settings.policies().all()):
        return None
    from parlour.safety.injection.classifier import load_classifier

    return load_classifier()


def privacy(settings: Settings, policies: Policies, database: Database, hits: RuleHits) -> Privacy:
    """What masks personal data, and seals it with the secret or a key of its own."""
    secret = settings.secret.get_secret_value() if settings.secret else ""
    return Privacy(
        store=MaskedValues(database),
        sealer=Sealer(read_key(secret, settings.data_dir)),
        policies=policies,
        hits=hits,
        finder=_finder(settings),
    )


def _finder(settings: Settings) -> Finder | None:
    """Presidio, when any workspace asks for it."""
    if not any(policy.privacy.presidio for policy in settings.policies().all()):
        return None
    from parlour.safety.personal.presidio import Presidio

    return Presidio()


def model_body(model: Model) -> ModelBody:
    """What people are told about the model."""
    kind = kind_of(model.name)
    return ModelBody(
        name=model.name,
        label=model.name.partition(":")[2] or kind,
        kind=kind,
        note=MODEL_NOTES[kind],
    )
