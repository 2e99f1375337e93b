"""Is it alive, is it ready, how is it doing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from parlour.telemetry.metrics import Metrics

Check = Callable[[], Awaitable[str]]  # returns what is wrong; empty = fine


def router(*, checks: dict[str, Check], metrics: Metrics) -> APIRouter:
    """The routes an orchestrator and a scraper ask; none needs a token."""
    routes = APIRouter(tags=["health"])

    @routes.get("/health/live")
    async def live() -> dict[str, str]:
        """The process answers."""
        return {"status": "live"}

    @routes.get("/health/ready", responses={503: {}}, response_model=None)
    async def ready() -> Response:
        """New turns can be taken: the database answers and the server is not shutting down."""
        found = {name: await check() for name, check in checks.items()}
        fine = not any(found.values())
        body = {
            "status": "ready" if fine else "not_ready",
            "checks": {name: wrong or "ok" for name, wrong in found.items()},
        }
        return JSONResponse(body, 200 if fine else 503)

    @routes.get("/metrics", response_model=None)
    async def scrape() -> Response:
        """Prometheus metrics of this process."""
        return Response(metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return routes
