"""What every request passes first: its id, the size of its body, metrics, security headers.

Plain ASGI, once per request; a stream's events do not pass through any of it but one call.
"""

from __future__ import annotations

import re
import secrets
import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parlour.api import problems
from parlour.errors import TooLong, UnsupportedMedia
from parlour.telemetry.metrics import Metrics

log = structlog.get_logger("parlour.http")

REQUEST_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
QUIET = ("/health/", "/metrics", "/assets/")  # asked for all the time; only failures are logged
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
SECURITY = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",  # where an answer says nothing else: conversations are private
}


class Edge:
    """The outermost ASGI layer."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, body_bytes_max: int) -> None:
        self._app = app
        self._metrics = metrics
        self._body_bytes_max = body_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started, status = time.monotonic(), 0

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                out = MutableHeaders(scope=message)
                out["x-request-id"] = request_id
                for name, value in SECURITY.items():
                    out.setdefault(name, value)
            await send(message)

        try:
            refusal = self._refusal(scope, headers)
            if refusal is not None:
                await problems.to_response(refusal)(scope, receive, marked)
            else:
                await self._app(scope, self._bounded(receive), marked)
        finally:
            self._count(scope, status, time.monotonic() - started)

    def _refusal(self, scope: Scope, headers: Headers) -> TooLong | UnsupportedMedia | None:
        """Why the request is refused before its body is read."""
        if scope["method"] in {"GET", "HEAD", "OPTIONS", "DELETE"}:
            return None
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > self._body_bytes_max:
            return self._too_long()
        media = headers.get("content-type", "").partition(";")[0].strip().lower()
        has_body = length != "0" or "transfer-encoding" in headers
        # A form cannot send JSON: this is what keeps other sites' forms out without a cookie.
        if has_body and media != "application/json" and not scope["path"].startswith("/mcp"):
            return UnsupportedMedia("Send the body as `content-type: application/json`.")
        return None

    def _bounded(self, receive: Receive) -> Receive:
        """`receive` that refuses to read past the limit, whatever the headers said."""
        size = 0

        async def bounded() -> Message:
            nonlocal size
            message = await receive()
            if message["type"] == "http.request":
                size += len(message.get("body", b""))
                if size > self._body_bytes_max:
                    # FastAPI lets this exception through and calls any other a bad request.
                    raise HTTPException(TooLong.status, str(self._too_long()))
            return message

        return bounded

    def _too_long(self) -> TooLong:
        return TooLong(
            f"The body is larger than the limit of {self._body_bytes_max} bytes. Send less at once."
        )

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "") or "other"
        self._metrics.requests.labels(scope["method"], route, str(status)).inc()
        if status < 400 and scope["path"].startswith(QUIET):
            return
        log.info(
            "request",
            method=scope["method"],
            path=scope["path"],
            status=status,
            ms=round(seconds * 1000),
        )
