"""The composition root: `build(settings)` makes every object, web.py puts HTTP before them.

Nothing is created at import time, and no other file picks an implementation. Tests build the
same way, with other settings.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from parlour import parts
from parlour.agent.graph import Agent
from parlour.agent.prompt import system_prompt
from parlour.api.mcp import McpFace
from parlour.api.sse import StreamWatch
from parlour.chat.answering import Answering
from parlour.chat.approval import Decisions
from parlour.chat.aside import Asides
from parlour.chat.ending import Ending
from parlour.chat.enriching import Enriching
from parlour.chat.gatekeeper import GateParts
from parlour.chat.grounding import Grounding
from parlour.chat.humanity import Truth
from parlour.chat.judge import Judge
from parlour.chat.keeper import Keeper
from parlour.chat.orders import Orders
from parlour.chat.privacy import Privacy
from parlour.chat.questions import QuestionBook
from parlour.chat.reading import Readings
from parlour.chat.rule_hits import RuleHits
from parlour.chat.seals import Signer, stored_key
from parlour.chat.settling import Settling
from parlour.chat.summary import Remembering
from parlour.chat.takeover import Takeover
from parlour.chat.till import Till
from parlour.chat.turn import TurnRunner
from parlour.chat.waiting import Waiting
from parlour.checks import check
from parlour.events.log import EventLog
from parlour.limits.room import Room
from parlour.models.routed import Router
from parlour.policy import Policies
from parlour.safety.disclosures.engine import Disclosures, Now, utc_now
from parlour.safety.disclosures.gate import Gate
from parlour.safety.disclosures.humanity import read_humanity
from parlour.safety.disclosures.rules import read_rules
from parlour.safety.output.check import OutputCheck
from parlour.services import Services, database_url
from parlour.settings import Settings
from parlour.store.approvals import Approvals
from parlour.store.audit import Audit
from parlour.store.audit_read import AuditTrail
from parlour.store.database import Database
from parlour.store.embedded import EmbeddedPostgres, start_embedded
from parlour.store.enrichments import Enrichments
from parlour.store.journal import Journal
from parlour.store.ledger import Ledger
from parlour.store.receipts import Receipts
from parlour.store.routes import RouteDecisions
from parlour.store.summaries import Summaries
from parlour.store.threads import Threads
from parlour.store.tool_results import ToolResults
from parlour.store.turns import Turns
from parlour.telemetry.loop_probe import LoopProbe
from parlour.telemetry.metrics import Metrics
from parlour.tools.pins import Pins
from parlour.tools.toolbox import Toolbox


@dataclass(slots=True)
class Ground:
    """What the turns stand on."""

    settings: Settings
    metrics: Metrics
    policies: Policies
    postgres: EmbeddedPostgres | None
    database: Database
    events: EventLog
    toolbox: Toolbox
    pins: Pins
    decisions: RouteDecisions
    router: Router
    turns: Turns
    audit: Audit
    gate: Gate
    privacy: Privacy
    signer: Signer
    ledger: Ledger
    till: Till
    judge: Judge
    hits: RuleHits
    truth: Truth


async def build(settings: Settings, *, clock: Now = utc_now) -> Services:
    """Make everything; starts our own Postgres when no other is named, and nothing else.

    `clock` tells which disclosure rules are in force.

    Raises `ConfigurationError` for settings that cannot work together.
    """
    ground = await _ground(settings, clock)
    metrics, database, limits = ground.metrics, ground.database, settings.limits
    runner = _runner(ground)
    deciding = Decisions(
        store=Approvals(database),
        runner=runner,
        signer=ground.signer,
        audit=ground.audit,
        metrics=metrics,
    )
    access = parts.access(settings)
    _show_figures(ground)
    return Services(
        settings=settings,
        metrics=metrics,
        database=database,
        postgres=ground.postgres,
        events=ground.events,
        threads=Threads(database),
        turns=ground.turns,
        audit=ground.audit,
        trail=AuditTrail(database),
        gate=ground.gate,
        router=ground.router,
        decisions=ground.decisions,
        peers=parts.breaker_peers(settings, ground.router),
        toolbox=ground.toolbox,
        pins=ground.pins,
        runner=runner,
        privacy=ground.privacy,
        judge=ground.judge,
        approvals=deciding,
        keeper=Keeper(
            runner=runner,
            decisions=deciding,
            store=ground.turns,
            till=ground.till,
            takeover=_takeover(ground, runner),
            metrics=metrics,
            lease_s=limits.lease_s,
        ),
        till=ground.till,
        price_list=parts.price_list(settings, ground.till),
        readings=Readings(
            store=ground.turns, events=ground.events, disclosures=ground.gate.disclosures
        ),
        watch=StreamWatch(stall_s=limits.reader_stall_s, metrics=metrics),
        access=access,
        mcp=McpFace(access, ToolResults(database)),
        housekeeping=parts.housekeeping(settings, database),
        probe=LoopProbe(metrics.loop_lag_seconds),
        waiting=Waiting(runner.running, quiet_s=limits.status_s),
    )


def _show_figures(ground: Ground) -> None:
    """Figures that are asked for only when somebody scrapes."""
    metrics = ground.metrics
    metrics.read_when_scraped(metrics.postgres, ground.database.load())
    metrics.read_when_scraped(metrics.redis_log, ground.events.figures())


async def _ground(settings: Settings, clock: Now) -> Ground:
    check(settings)
    metrics, policies = Metrics(), settings.policies()
    # First what can be refused, then what has to be closed.
    events, servers = parts.event_log(settings), parts.tool_servers(settings)
    routes = parts.routes(settings, policies)
    disclosures = Disclosures(read_rules(), policies, clock=clock)
    disclosures.check(tuple(settings.workspaces))
    postgres = None if settings.database_url else await start_embedded(settings.data_dir)
    database = await Database.open(database_url(settings, postgres))
    decisions, audit = RouteDecisions(database), Audit(database)
    router = parts.router(routes, settings, policies, metrics=metrics, decisions=decisions)
    ledger = Ledger(database)
    humanity, hits = read_humanity(), RuleHits(metrics=metrics, audit=audit)
    traces = parts.traces(settings)
    judge = Judge(
        policies=policies,
        router=router,
        check=OutputCheck(
            prompts=(system_prompt(settings.system_prompt),),
            values=settings.secret_values(),
            humanity=humanity,
        ),
        disclosures=disclosures,
        orders=Orders(
            policies=policies, classifier=parts.classifier(settings), hits=hits, traces=traces
        ),
        hits=hits,
        traces=traces,
    )
    pins = parts.tool_pins(database, audit)
    return Ground(
        settings=settings,
        metrics=metrics,
        policies=policies,
        postgres=postgres,
        database=database,
        events=events,
        toolbox=parts.toolbox((*servers, *parts.tour(routes, servers)), database, policies, pins),
        pins=pins,
        decisions=decisions,
        router=router,
        turns=Turns(database),
        audit=audit,
        gate=Gate(disclosures=disclosures, receipts=Receipts(database, audit), clock=clock),
        privacy=parts.privacy(settings, policies, database, hits),
        signer=_signer(settings),
        ledger=ledger,
        till=parts.till(settings, policies, router=router, ledger=ledger, metrics=metrics),
        judge=judge,
        hits=hits,
        truth=Truth(disclosures=disclosures, humanity=humanity, metrics=metrics, audit=audit),
    )


def _signer(settings: Settings) -> Signer:
    """Signs what people are asked: by the secret, else by a key of the data directory."""
    secret = settings.secret.get_secret_value() if settings.secret else ""
    return Signer(secret.encode() or stored_key(settings.data_dir))


def _runner(ground: Ground) -> TurnRunner:
    limits, turn_limits = ground.settings.limits, parts.turn_limits(ground.settings)
    answering = Answering(
        store=ground.turns,
        agent=Agent(),
        router=ground.router,
        toolbox=ground.toolbox,
        policies=ground.policies,
        privacy=ground.privacy,
        judge=ground.judge,
        truth=ground.truth,
        gate=GateParts(
            toolbox=ground.toolbox,
            journal=Journal(ground.database),
            signer=ground.signer,
            privacy=ground.privacy,
            gives_away=ground.judge.gives_away,
        ),
        settling=Settling(),
        grounding=Grounding(
            policies=ground.policies,
            hits=ground.hits,
            public_url=ground.settings.public_url,
            own_words=ground.settings.system_prompt,
        ),
        limits=turn_limits,
        metrics=ground.metrics,
        own_words=ground.settings.system_prompt,
    )
    asides = _asides(ground)
    return TurnRunner(
        store=ground.turns,
        events=ground.events,
        router=ground.router,
        answering=answering,
        ending=Ending(
            store=ground.turns,
            ledger=ground.ledger,
            questions=QuestionBook(
                store=Approvals(ground.database), signer=ground.signer, policies=ground.policies
            ),
            metrics=ground.metrics,
            router=ground.router,
        ),
        privacy=ground.privacy,
        judge=ground.judge,
        remembering=_remembering(ground, asides),
        enriching=_enriching(ground, asides),
        gate=ground.gate,
        room=Room(turns_max=limits.turns_max, wait_s=limits.turn_wait_s),
        till=ground.till,
        policies=ground.policies,
        limits=turn_limits,
        metrics=ground.metrics,
    )


def _takeover(ground: Ground, runner: TurnRunner) -> Takeover:
    return Takeover(
        events=ground.events,
        room=runner.room,
        till=ground.till,
        privacy=ground.privacy,
        judge=ground.judge,
        gate=ground.gate,
        router=ground.router,
        log_bytes_max=ground.settings.limits.log_bytes_max,
        launch=runner.launch,
    )


def _asides(ground: Ground) -> Asides:
    return Asides(
        router=ground.router, till=ground.till, ledger=ground.ledger, privacy=ground.privacy
    )


def _remembering(ground: Ground, asides: Asides) -> Remembering:
    return Remembering(
        store=Summaries(ground.database),
        asides=asides,
        policies=ground.policies,
        metrics=ground.metrics,
    )


def _enriching(ground: Ground, asides: Asides) -> Enriching:
    return Enriching(
        store=Enrichments(ground.database),
        asides=asides,
        policies=ground.policies,
        privacy=ground.privacy,
        check=ground.judge.check,
        traces=ground.judge.traces,
    )


@contextlib.asynccontextmanager
async def running(
    settings: Settings, *, serving: bool = True, clock: Now = utc_now
) -> AsyncGenerator[Services]:
    """Built and started services, closed at the end."""
    services = await build(settings, clock=clock)
    try:
        await services.start(serving=serving)
        yield services
    finally:
        await services.close()
