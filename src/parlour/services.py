"""Every object of the process, and what is done with all of them: start, leave, close.

`app.py` makes them; whoever holds them needs nothing else.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from parlour import tokens
from parlour.api.access import LOCAL, Access
from parlour.api.mcp import McpFace
from parlour.api.sse import StreamWatch
from parlour.chat.approval import Decisions
from parlour.chat.judge import Judge
from parlour.chat.keeper import Keeper
from parlour.chat.privacy import Privacy
from parlour.chat.reading import Readings
from parlour.chat.till import Till
from parlour.chat.turn import TurnRunner
from parlour.chat.waiting import Waiting
from parlour.errors import ConfigurationError, StoreUnavailable, Upstream
from parlour.events.log import EventLog
from parlour.models.port import Model, Warmable
from parlour.models.price_list import PriceList
from parlour.models.routed import Router
from parlour.safety.disclosures.gate import Gate
from parlour.settings import Settings
from parlour.store.audit import Audit
from parlour.store.audit_read import AuditTrail
from parlour.store.database import Database
from parlour.store.embedded import EmbeddedPostgres
from parlour.store.housekeeping import Housekeeping
from parlour.store.migrate import migrate, pending
from parlour.store.routes import RouteDecisions
from parlour.store.threads import Threads
from parlour.store.turns import Turns
from parlour.telemetry.loop_probe import LoopProbe
from parlour.telemetry.metrics import Metrics
from parlour.tools.pins import Pins
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
    trail: AuditTrail
    gate: Gate
    router: Router
    decisions: RouteDecisions
    peers: RedisPeers | None
    toolbox: Toolbox
    pins: Pins
    runner: TurnRunner
    privacy: Privacy
    judge: Judge
    approvals: Decisions
    keeper: Keeper
    till: Till
    price_list: PriceList
    readings: Readings
    watch: StreamWatch
    access: Access
    mcp: McpFace
    housekeeping: Housekeeping
    probe: LoopProbe
    waiting: Waiting
    draining: bool = False
    _leaving_since: float = 0.0  # monotonic
    _warming: asyncio.Task[None] | None = None

    @property
    def model(self) -> Model:
        """What answers a workspace without words of its own, when all is well."""
        return self.router.client(self.router.first("").name)

    async def start(self, *, serving: bool = True) -> None:
        """Prepare the database, connect, and begin background work.

        Without `serving` only what keeps house: lost turns and the sweep.
        """
        await prepare_database(self.settings, self.postgres)
        self.audit.start()
        await self.keeper.start(serving=serving)
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
        self.waiting.start()
        self._warming = asyncio.create_task(self._warm(), name="warm up")
        # What was made at start stays for good: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)

    async def _warm(self) -> None:
        """What the first question would wait for, in the background: the one local user's tool
        servers start, and the embedded model loads and reads what every question begins with, the
        verifier's too."""
        specs = await self.toolbox.specs(LOCAL) if self.access.local else ()
        await self.till.ready(self.model.name)
        model = self.model
        try:
            await self.judge.warm()  # first: a verdict has seconds, an answer has minutes
            if isinstance(model, Warmable):
                await model.warm(specs)
        except Upstream as error:
            log.warning("model_not_warm", code=error.code, error=str(error))

    def step_back(self) -> None:
        """Say from now on that this process is not ready; it serves all the same."""
        if not self.draining:
            self._leaving_since = time.monotonic()
        self.draining = True

    async def leave(self) -> None:
        """Begin to shut down: not ready, no new turns, readers told to reconnect."""
        self.step_back()
        self.runner.refuse()
        await self.watch.close()

    async def close(self) -> None:
        """Let running turns finish, then let go of everything, in the order of use."""
        await self.leave()
        if self._warming:
            self._warming.cancel()
            await asyncio.gather(self._warming, return_exceptions=True)
        await self.keeper.leave()
        gone_s = time.monotonic() - self._leaving_since
        await self.runner.drain(max(0.0, self.settings.shutdown_s - gone_s))
        await self.keeper.close()
        self.probe.stop()
        self.waiting.stop()
        parts: list[Callable[[], Awaitable[None]]] = [
            self.housekeeping.close,
            self.runner.remembering.close,
            self.price_list.close,
            self.till.quotas.close,
            self.mcp.close,
            self.toolbox.close,
            self.router.close,
            *([self.peers.close] if self.peers else []),
            self.decisions.close,
            self.runner.close,
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


def database_url(settings: Settings, postgres: EmbeddedPostgres | None) -> str:
    """Where the database is: as given, else our own."""
    if settings.database_url:
        return settings.database_url.get_secret_value()
    assert postgres is not None  # noqa: S101  # one of the two is there
    return postgres.url


async def prepare_database(settings: Settings, postgres: EmbeddedPostgres | None) -> None:
    """Our own database migrates itself, after a copy; yours waits for `parlour migrate`, and we
    say so."""
    url = database_url(settings, postgres)
    if postgres is not None:
        await migrate(url, postgres.back_up)
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
