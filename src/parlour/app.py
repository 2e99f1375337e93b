"""The composition root: `build(settings)` makes every object, `create_app` puts HTTP before them.

Nothing is created at import time, and no other file picks an implementation. Tests build the
same way, with other settings.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from fastapi import FastAPI
from starlette.types import ASGIApp

from parlour import __version__, parts, tokens
from parlour.agent.graph import Agent
from parlour.api import ai_sdk, health, me, openai, page, problems, threads, turns
from parlour.api import limits as limits_api
from parlour.api.access import LOCAL, Access
from parlour.api.edge import Edge
from parlour.api.mcp import McpFace
from parlour.api.sse import StreamWatch
from parlour.api.streams import Streams
from parlour.chat.answering import Answering
from parlour.chat.conversations import Conversations
from parlour.chat.ending import Ending
from parlour.chat.keeper import Keeper
from parlour.chat.privacy import Privacy
from parlour.chat.reading import Readings
from parlour.chat.till import Till
from parlour.chat.turn import TurnRunner
from parlour.errors import ConfigurationError, StoreUnavailable, Upstream
from parlour.events.log import EventLog
from parlour.limits.room import Room
from parlour.models.port import Model, Warmable
from parlour.models.price_list import PriceList
from parlour.models.routed import Router
from parlour.policy import Policies
from parlour.settings import Settings
from parlour.store.audit import Audit
from parlour.store.database import Database
from parlour.store.embedded import EmbeddedPostgres, start_embedded
from parlour.store.housekeeping import Housekeeping
from parlour.store.ledger import Ledger
from parlour.store.migrate import migrate, pending
from parlour.store.routes import RouteDecisions
from parlour.store.threads import Threads
from parlour.store.tool_results import ToolResults
from parlour.store.turns import Turns
from parlour.telemetry.loop_probe import LoopProbe
from parlour.telemetry.metrics import Metrics
from parlour.tools.toolbox import Toolbox

if TYPE_CHECKING:
    from parlour.models.breaker_redis import RedisPeers

log = structlog.get_logger("parlour.app")

CLOSE_S = 5  # for each part; together with the turns it stays within 30 s


@dataclass(slots=True)
class Services:
    """Every object of the process, made but not started."""

    settings: Settings
    metrics: Metrics
    database: Database
    postgres: EmbeddedPostgres | None
    events: EventLog
    threads: Threads
    turns: Turns
    audit: Audit
    router: Router
    decisions: RouteDecisions
    peers: RedisPeers | None
    toolbox: Toolbox
    runner: TurnRunner
    privacy: Privacy
    keeper: Keeper
    till: Till
    price_list: PriceList
    readings: Readings
    watch: StreamWatch
    access: Access
    mcp: McpFace
    housekeeping: Housekeeping
    probe: LoopProbe
    draining: bool = False
    _warming: asyncio.Task[None] | None = None

    @property
    def model(self) -> Model:
        """What answers a workspace without words of its own, when all is well."""
        return self.router.client(self.router.first("").name)

    async def start(self, *, serving: bool = True) -> None:
        """Prepare the database, connect, and begin background work.

        Without `serving` only what keeps house: lost turns and the sweep.
        """
        await prepare_database(self.settings, database_url(self.settings, self.postgres))
        self.audit.start()
        await self.keeper.start()
        self.housekeeping.start()
        if not serving:
            return
        await asyncio.to_thread(tokens.load)  # half a second, once: no turn waits for it
        await self.events.start()
        self.decisions.start()
        if self.peers:
            await self.peers.start()
        await self.toolbox.start()
        await self.mcp.start()
        self.price_list.start()
        self.watch.start()
        self.probe.start()
        self._warming = asyncio.create_task(self._warm(), name="warm up")
        # What was made at start stays for good: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)

    async def _warm(self) -> None:
        """What the first question would wait for, in the background: the one local user's tool
        servers start, and the embedded model loads and reads what every question begins with."""
        specs = await self.toolbox.specs(LOCAL) if self.access.local else ()
        await self.till.ready(self.model.name)
        model = self.model
        if isinstance(model, Warmable):
            try:
                await model.warm(specs)
            except Upstream as error:
                log.warning("model_not_warm", code=error.code, error=str(error))

    async def leave(self) -> None:
        """Begin to shut down: not ready, no new turns, readers told to reconnect."""
        self.draining = True
        self.runner.refuse()
        await self.watch.close()

    async def close(self) -> None:
        """Let running turns finish, then let go of everything, in the order of use."""
        await self.leave()
        if self._warming:
            self._warming.cancel()
            await asyncio.gather(self._warming, return_exceptions=True)
        await self.runner.drain(self.settings.shutdown_s)
        await self.keeper.close()
        self.probe.stop()
        parts: list[Callable[[], Awaitable[None]]] = [
            self.housekeeping.close,
            self.price_list.close,
            self.till.quotas.close,
            self.mcp.close,
            self.toolbox.close,
            self.router.close,
            *([self.peers.close] if self.peers else []),
            self.decisions.close,
            self.events.close,
            self.audit.close,
            self.database.close,
        ]
        if self.postgres:
            parts.append(self.postgres.stop)
        for close in parts:
            try:
                await asyncio.wait_for(close(), CLOSE_S)
            except Exception:
                log.exception("close_failed")  # the others still have to be closed


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
    decisions: RouteDecisions
    router: Router
    turns: Turns
    audit: Audit
    privacy: Privacy
    ledger: Ledger
    till: Till


async def build(settings: Settings) -> Services:
    """Make everything; starts our own Postgres when no other is named, and nothing else.

    Raises `ConfigurationError` for settings that cannot work together.
    """
    ground = await _ground(settings)
    metrics, database, limits = ground.metrics, ground.database, settings.limits
    runner = _runner(ground)
    access = parts.access(settings)
    _read_gauges(metrics, database, ground.events)
    return Services(
        settings=settings,
        metrics=metrics,
        database=database,
        postgres=ground.postgres,
        events=ground.events,
        threads=Threads(database),
        turns=ground.turns,
        audit=ground.audit,
        router=ground.router,
        decisions=ground.decisions,
        peers=parts.breaker_peers(settings, ground.router),
        toolbox=ground.toolbox,
        runner=runner,
        privacy=ground.privacy,
        keeper=Keeper(
            runner=runner,
            store=ground.turns,
            till=ground.till,
            metrics=metrics,
            lease_s=limits.lease_s,
        ),
        till=ground.till,
        price_list=parts.price_list(settings, ground.till),
        readings=Readings(store=ground.turns, events=ground.events),
        watch=StreamWatch(stall_s=limits.reader_stall_s, metrics=metrics),
        access=access,
        mcp=McpFace(access, ToolResults(database)),
        housekeeping=parts.housekeeping(settings, database),
        probe=LoopProbe(metrics.loop_lag_seconds),
    )


async def _ground(settings: Settings) -> Ground:
    parts.check(settings)
    metrics, policies = Metrics(), settings.policies()
    # First what can be refused, then what has to be closed.
    events, servers = parts.event_log(settings), parts.tool_servers(settings)
    routes = parts.routes(settings, policies)
    postgres = None if settings.database_url else await start_embedded(settings.data_dir)
    database = await Database.open(database_url(settings, postgres))
    decisions, audit = RouteDecisions(database), Audit(database)
    router = parts.router(routes, settings, policies, metrics=metrics, decisions=decisions)
    ledger = Ledger(database)
    return Ground(
        settings=settings,
        metrics=metrics,
        policies=policies,
        postgres=postgres,
        database=database,
        events=events,
        toolbox=parts.toolbox(servers, database, policies, audit),
        decisions=decisions,
        router=router,
        turns=Turns(database),
        audit=audit,
        privacy=parts.privacy(settings, policies, database, metrics),
        ledger=ledger,
        till=parts.till(settings, policies, router=router, ledger=ledger, metrics=metrics),
    )


def _runner(ground: Ground) -> TurnRunner:
    limits, turn_limits = ground.settings.limits, parts.turn_limits(ground.settings)
    answering = Answering(
        store=ground.turns,
        agent=Agent(),
        router=ground.router,
        toolbox=ground.toolbox,
        policies=ground.policies,
        privacy=ground.privacy,
        limits=turn_limits,
        metrics=ground.metrics,
        own_words=ground.settings.system_prompt,
    )
    return TurnRunner(
        store=ground.turns,
        events=ground.events,
        router=ground.router,
        answering=answering,
        ending=Ending(
            store=ground.turns,
            ledger=ground.ledger,
            metrics=ground.metrics,
            router=ground.router,
        ),
        privacy=ground.privacy,
        room=Room(turns_max=limits.turns_max, wait_s=limits.turn_wait_s),
        till=ground.till,
        policies=ground.policies,
        limits=turn_limits,
        metrics=ground.metrics,
    )


def _read_gauges(metrics: Metrics, database: Database, events: EventLog) -> None:
    """What is asked only when somebody scrapes."""
    metrics.read_when_scraped(metrics.postgres, database.load())
    metrics.read_when_scraped(metrics.redis_log, events.figures())


def create_app(services: Services) -> ASGIApp:
    """The HTTP application over started services."""
    return Edge(
        create_api(services),
        metrics=services.metrics,
        body_bytes_max=services.settings.limits.body_bytes_max,
    )


def create_api(services: Services) -> FastAPI:
    """The routes alone: what the OpenAPI document describes."""
    app = FastAPI(
        title="Parlour",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=None,
    )
    problems.install(app)
    access, runner = services.access, services.runner
    privacy = services.privacy
    streams = Streams(readings=services.readings, watch=services.watch, privacy=privacy)
    conversations = Conversations(threads=services.threads, privacy=privacy)

    async def database() -> str:
        try:
            await services.database.ping()
        except StoreUnavailable as error:
            return str(error)
        return ""

    async def serving() -> str:
        return "shutting down" if services.draining else ""

    for routes in (
        turns.router(access=access, runner=runner, streams=streams),
        threads.router(access=access, threads=conversations),
        ai_sdk.router(access=access, runner=runner, streams=streams, threads=services.threads),
        openai.router(access=access, runner=runner, streams=streams),
        me.router(
            access=access,
            model=parts.model_body(services.model),
            message_chars_max=services.settings.limits.message_chars_max,
        ),
        limits_api.router(access=access, quotas=services.till.quotas),
        health.router(checks={"serving": serving, "database": database}, metrics=services.metrics),
        page.router(),
    ):
        app.include_router(routes)
    app.router.routes.append(services.mcp.route())
    return app


@contextlib.asynccontextmanager
async def running(settings: Settings, *, serving: bool = True) -> AsyncGenerator[Services]:
    """Built and started services, closed at the end."""
    services = await build(settings)
    try:
        await services.start(serving=serving)
        yield services
    finally:
        await services.close()


def database_url(settings: Settings, postgres: EmbeddedPostgres | None) -> str:
    """Where the database is: as given, else our own."""
    if settings.database_url:
        return settings.database_url.get_secret_value()
    assert postgres is not None  # noqa: S101  # one of the two is there
    return postgres.url


async def prepare_database(settings: Settings, url: str) -> None:
    """Our own database migrates itself; yours waits for `parlour migrate`, and we say so."""
    if settings.database_url is None:
        await migrate(url)
        return
    try:
        behind = await pending(url)
    except StoreUnavailable:
        raise ConfigurationError(
            "The database at PARLOUR_DATABASE_URL does not answer. Check the address, and that "
            "it takes connections from here; then start again."
        ) from None
    if behind:
        raise ConfigurationError(
            "The database at PARLOUR_DATABASE_URL has an older schema than this version needs. "
            "Run `parlour migrate` once, then start again."
        )
