"""Which failure a provider means: from its status, its headers and the words of its error body."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, cast

import msgspec

from parlour.models.failures import (
    DETAIL_CHARS_MAX,
    BadJson,
    BadUtf8,
    ContextTooLong,
    ErrorEvent,
    GatewayTimeout,
    KeyRejected,
    ModelFailure,
    ModelUnknown,
    NotAllowed,
    QuotaSpent,
    RateLimited,
    Redirected,
    RequestRefused,
    RequestTooLarge,
    ServerFailed,
    UpstreamOverloaded,
    WrongShape,
)

RETRY_AFTER_S_MAX = 3_600  # a provider that asks for more is treated as asking for an hour

_BY_STATUS: dict[int, type[ModelFailure]] = {
    401: KeyRejected,
    402: QuotaSpent,
    403: NotAllowed,
    404: ModelUnknown,
    408: GatewayTimeout,
    413: RequestTooLarge,
    429: RateLimited,
    503: UpstreamOverloaded,
    504: GatewayTimeout,
    522: GatewayTimeout,
    524: GatewayTimeout,
    529: UpstreamOverloaded,
}

# Words by which the providers name these cases, in `code`, `type` or the message. There is no
# common field: OpenAI has a code, Anthropic only a sentence, llama.cpp a type.
_BY_WORDS: tuple[tuple[re.Pattern[str], type[ModelFailure]], ...] = (
    (
        re.compile(
            r"context_length|exceed_context|maximum context|context (window|length|size)"
            r"|prompt is too long|input is too long|too many (input )?tokens",
            re.IGNORECASE,
        ),
        ContextTooLong,
    ),
    (re.compile(r"insufficient_quota|credit balance|billing", re.IGNORECASE), QuotaSpent),
    (re.compile(r"overloaded", re.IGNORECASE), UpstreamOverloaded),
    (re.compile(r"rate_limit|rate limit|too many requests", re.IGNORECASE), RateLimited),
)


def refused(status: int, headers: Mapping[str, str], body: bytes) -> ModelFailure:
    """The failure that an HTTP answer other than 200 means. `body` may be cut or not JSON."""
    said = _words(body)
    failure = _BY_STATUS.get(status)
    if 300 <= status < 400:
        failure = Redirected
    elif status in (400, 413, 422, 429):
        for pattern, named in _BY_WORDS[:2]:
            if pattern.search(said):
                failure = named
    if failure is None:
        failure = ServerFailed if status >= 500 else RequestRefused
    return failure(f"HTTP {status}: {said}", retry_after_s=_retry_after(headers))


def told(error: Any) -> ModelFailure:
    """The failure that an error object inside a stream means."""
    said = _words(msgspec.json.encode(error))
    for pattern, named in _BY_WORDS:
        if pattern.search(said):
            return named(said)
    return ErrorEvent(said)


_TELLING = ("code", "type", "status", "message")


def _words(body: bytes) -> str:
    """Code, type and message of an error body, whatever its nesting; else its first bytes."""
    try:
        value: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body[:DETAIL_CHARS_MAX].decode("utf-8", "replace")
    if isinstance(value, list) and value:  # one provider wraps its error object in a list
        value = cast("list[Any]", value)[0]
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        inner: Any = fields.get("error", fields)
        if isinstance(inner, dict):
            fields = cast("dict[str, Any]", inner)
            return " ".join(
                str(fields[name])
                for name in ("code", "type", "status", "message")
                if name in fields
            )
        value = inner
    return str(cast("object", value))


def unreadable(error: Exception) -> ModelFailure:
    """The failure that an event means which msgspec cannot decode."""
    if isinstance(error, msgspec.ValidationError):
        return WrongShape(str(error))
    return BadUtf8(str(error)) if isinstance(error, UnicodeError) else BadJson(str(error))


def _retry_after(headers: Mapping[str, str]) -> int | None:
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return None
    if seconds != seconds:  # NaN is a float, too
        return None
    return min(max(0, int(-(-min(seconds, RETRY_AFTER_S_MAX) // 1))), RETRY_AFTER_S_MAX)
