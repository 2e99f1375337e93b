"""HTTP before the services: every route, and what each request passes first."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import ASGIApp

from parlour import __version__, parts
from parlour.api import (
    admin_tools,
    ai_sdk,
    approvals,
    audit,
    disclosures,
    followups,
    health,
    me,
    openai,
    page,
    problems,
    results,
    threads,
    turns,
)
from parlour.api import limits as limits_api
from parlour.api.edge import Edge
from parlour.api.streams import Streams
from parlour.chat.conversations import Conversations
from parlour.errors import StoreUnavailable
from parlour.services import Services
from parlour.store.tool_results import ToolResults


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
        turns.router(access=access, runner=runner, decisions=services.approvals, streams=streams),
        followups.router(access=access, enriching=runner.enriching),
        threads.router(access=access, threads=conversations),
        results.router(access=access, results=ToolResults(services.database)),
        admin_tools.router(access=access, pins=services.pins),
        approvals.router(access=access, decisions=services.approvals, privacy=privacy),
        ai_sdk.router(
            access=access,
            runner=runner,
            decisions=services.approvals,
            streams=streams,
            threads=services.threads,
        ),
        openai.router(access=access, runner=runner, streams=streams),
        me.router(
            access=access,
            disclosures=services.gate.disclosures,
            model=parts.model_body(services.model),
            message_chars_max=services.settings.limits.message_chars_max,
            policies=services.settings.policies(),
        ),
        limits_api.router(access=access, quotas=services.till.quotas),
        disclosures.router(access=access, gate=services.gate, trail=services.trail),
        audit.router(access=access, trail=services.trail),
        health.router(checks={"serving": serving, "database": database}, metrics=services.metrics),
        page.router(),
    ):
        app.include_router(routes)
    app.router.routes.append(services.mcp.route())
    return app
