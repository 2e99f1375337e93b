"""Errors as RFC 9457 problem+json: the one place that turns an error into HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from parlour.errors import (
    BadRequest,
    Forbidden,
    Internal,
    NotFound,
    PageContextInvalid,
    Problem,
    TooLong,
)

log = structlog.get_logger("parlour.api")

DOCS = "https://parlour.dev/errors/"  # an identifier (RFC 9457 3.1.1), not a page that is fetched
MEDIA_TYPE = "application/problem+json"

# As that API names them; other statuses are of the server or of the request.
_OPENAI_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
}
_BY_STATUS: dict[int, type[Problem]] = {403: Forbidden, 404: NotFound, 413: TooLong}


def request_id() -> str:
    """The id of the request in hand: in every log line, answer header and problem."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


def to_response(problem: Problem, *, errors: Sequence[str] = (), openai: bool = False) -> Response:
    """The HTTP answer for a problem; `errors` lists what was wrong with single fields.

    With `openai` it has the member `error` as well, where clients of that API look for it.
    """
    extra = dict(problem.extra)
    if openai:
        extra["error"] = openai_error(problem.code, problem.status, str(problem) or problem.title)
    return respond(
        problem.status,
        code=problem.code,
        title=problem.title,
        detail=str(problem) or problem.title,
        retryable=problem.retryable,
        retry_after_s=problem.retry_after_s,
        errors=errors,
        extra=extra,
    )


def openai_error(code: str, status: int, message: str) -> dict[str, Any]:
    """An error in the shape of OpenAI's API."""
    kind = _OPENAI_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"message": message, "type": kind, "param": None, "code": code}


def respond(  # every field of the format, once
    status: int,
    *,
    code: str,
    title: str,
    detail: str,
    retryable: bool = False,
    retry_after_s: int | None = None,
    errors: Sequence[str] = (),
    extra: Mapping[str, Any] | None = None,
) -> Response:
    """One problem+json answer."""
    body: dict[str, Any] = {
        "type": DOCS + code,
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "retryable": retryable,
        "request_id": request_id(),
    }
    body |= extra or {}
    if errors:
        body["errors"] = list(errors)
    headers = {"retry-after": str(retry_after_s)} if retry_after_s is not None else {}
    return JSONResponse(body, status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Answer every error of `app` as a problem."""

    async def problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)  # noqa: S101  # registered for this class only
        if error.status >= 500:
            log.warning("problem", code=error.code, detail=str(error))
        return to_response(error, openai=request.url.path.startswith("/v1/"))

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        errors = [_sentence(item) for item in error.errors()]
        of_page = all("context" in item["loc"] for item in error.errors())
        kind = PageContextInvalid if of_page else BadRequest
        return to_response(kind(errors[0]), errors=errors)

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        kind = _BY_STATUS.get(error.status_code, BadRequest)
        return respond(
            error.status_code, code=kind.code, title=kind.title, detail=_http_detail(error)
        )

    async def unknown(_: Request, error: Exception) -> Response:
        log.error("unhandled", exc_info=error)
        return to_response(
            Internal("Something went wrong on our side. Quote the request id when you report it.")
        )

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unknown)


def _http_detail(error: HTTPException) -> str:
    return {
        404: "There is nothing at this address.",
        405: "This address does not take this method.",
        400: "The body cannot be read: it has to be JSON in UTF-8.",
    }.get(error.status_code, str(error.detail))


def _sentence(item: dict[str, Any]) -> str:
    place = ".".join(str(step) for step in item["loc"] if step not in ("body", "query", "path"))
    if item["type"] == "json_invalid":
        return "The body is not valid JSON."
    if item["type"] == "extra_forbidden":
        return f"Unknown field `{place}`."
    if item["type"] == "missing" and not place:
        return "The body is empty: it has to be a JSON object."
    return f"`{place}`: {item['msg']}." if place else f"{item['msg']}."
