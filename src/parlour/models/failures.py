"""How a model provider can fail: one class, one stable code and one sentence for each way.

Readers and the wire raise these; nobody else does. A sentence never repeats what upstream said,
because error bodies quote keys and prompts; `detail` carries a redacted excerpt for the log.
`retryable` says whether the same call can succeed later without anybody changing anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from parlour.errors import Upstream

DETAIL_CHARS_MAX = 500  # enough for any provider's message, too little to fill a log


class ModelFailure(Upstream):
    """The common shape of all failures below. `str(failure)` is the class's sentence."""

    sentence: ClassVar[str] = "The model did not answer. Try again."
    spoke = True  # something of the reply may have been shown; who knows better says so

    def __init__(self, detail: str = "", *, retry_after_s: int | None = None) -> None:
        super().__init__(self.sentence)
        self.detail = redacted(detail)
        if retry_after_s is not None:
            self.retry_after_s = retry_after_s


# --- the line to the provider ------------------------------------------------------------------


class Unreachable(ModelFailure):
    """Nothing listens there: refused, no such host, no route."""

    code = "upstream_unreachable"
    title = "The model provider cannot be reached"
    sentence = (
        "The model provider cannot be reached. Check the network and the provider's base URL."
    )


class ConnectTimeout(ModelFailure):
    """No connection within `models.connect_s`."""

    code = "upstream_connect_timeout"
    status = 504
    title = "No connection to the model provider"
    sentence = "No connection to the model provider could be made in time. Try again."


class TlsFailed(ModelFailure):
    """The encrypted connection could not be set up: certificate, name or protocol."""

    code = "upstream_tls"
    title = "No secure connection to the model provider"
    retryable = False
    sentence = (
        "A secure connection to the model provider could not be made. Check the base URL and "
        "the machine's certificates."
    )


class Disconnected(ModelFailure):
    """The provider closed the connection before it answered anything."""

    code = "upstream_disconnected"
    title = "The model provider hung up"
    sentence = "The model provider closed the connection without an answer. Try again."


class NotHttp(ModelFailure):
    """What came back is not HTTP."""

    code = "upstream_not_http"
    title = "The model provider does not speak HTTP"
    retryable = False
    sentence = "What answered is not an HTTP server. Check the provider's base URL."


class FirstByteTimeout(ModelFailure):
    """No byte of a reply within `models.first_byte_s` of the call."""

    code = "upstream_first_byte_timeout"
    status = 504
    title = "The model did not begin to answer"
    sentence = "The model did not begin to answer in time. Try again."


class IdleTimeout(ModelFailure):
    """Silence within a reply for `models.idle_s`."""

    code = "upstream_idle_timeout"
    status = 504
    title = "The model fell silent"
    sentence = "The model fell silent in the middle of its answer. Try again."


class TotalTimeout(ModelFailure):
    """A reply that was not complete after `models.total_s`."""

    code = "upstream_total_timeout"
    status = 504
    title = "The answer took too long"
    retryable = False
    sentence = "The model's answer took too long and was ended."


# --- the provider says no ----------------------------------------------------------------------


class KeyRejected(ModelFailure):
    """401: no key, or one that the provider does not know."""

    code = "upstream_key_rejected"
    title = "The model provider rejected the key"
    retryable = False
    sentence = (
        "The model provider rejected the API key. Whoever runs this server needs to check it."
    )


class NotAllowed(ModelFailure):
    """403: the key is known, but may not use this model or come from here."""

    code = "upstream_forbidden"
    title = "The model provider refused access"
    retryable = False
    sentence = "The API key may not use this model. Whoever runs this server needs to check it."


class QuotaSpent(ModelFailure):
    """402, or a 429 that says the account has no credit left: waiting does not help."""

    code = "upstream_quota_spent"
    title = "The account with the model provider has no credit"
    retryable = False
    sentence = (
        "The account with the model provider has no credit left. Whoever runs this server needs "
        "to top it up."
    )


class ModelUnknown(ModelFailure):
    """404: no such model, or a base URL without this API."""

    code = "upstream_model_unknown"
    title = "The model provider does not know this model"
    retryable = False
    sentence = (
        "The model provider does not know this model. Check the model's name in PARLOUR_MODEL "
        "and the provider's base URL."
    )


class RequestRefused(ModelFailure):
    """400, 422 or another 4xx: the provider does not accept this request."""

    code = "upstream_bad_request"
    title = "The model provider refused the request"
    retryable = False
    sentence = (
        "The model provider refused the request as not valid. The server's log says what it "
        "objected to."
    )


class ContextTooLong(ModelFailure):
    """The conversation does not fit the model's window."""

    code = "upstream_context_too_long"
    status = 413
    title = "The conversation is too long for the model"
    retryable = False
    sentence = (
        "This conversation is longer than the model can read. Start a new one, or shorten the "
        "message."
    )


class RequestTooLarge(ModelFailure):
    """413: more bytes than the provider takes."""

    code = "upstream_request_too_large"
    status = 413
    title = "The request is too large for the model provider"
    retryable = False
    sentence = "The request is larger than the model provider accepts. Shorten the message."


class RateLimited(ModelFailure):
    """429: too many calls or tokens. `retry_after_s` is the provider's wish, when it has one."""

    code = "upstream_rate_limited"
    status = 503
    title = "The model provider limits the rate"
    sentence = "The model provider asks for a pause. Try again in a moment."


class UpstreamOverloaded(ModelFailure):
    """503 or 529: the provider has no capacity now."""

    code = "upstream_overloaded"
    status = 503
    title = "The model provider is overloaded"
    sentence = "The model provider is overloaded. Try again in a moment."


class GatewayTimeout(ModelFailure):
    """408, 504, 522 or 524: something between here and the model gave up waiting."""

    code = "upstream_gateway_timeout"
    status = 504
    title = "The model provider's gateway gave up"
    sentence = "The model provider's gateway gave up waiting for the model. Try again."


class ServerFailed(ModelFailure):
    """Any other 5xx."""

    code = "upstream_server_error"
    title = "The model provider failed"
    sentence = "The model provider had an error of its own. Try again."


class Redirected(ModelFailure):
    """3xx: a redirect could carry the key to another host, so it is not followed."""

    code = "upstream_redirect"
    title = "The model provider answers from elsewhere"
    retryable = False
    sentence = (
        "The provider's base URL points to an address that redirects. Put the final address in "
        "the base URL."
    )


# --- it is not asked, or somebody else answers -----------------------------------------------


class Resting(ModelFailure):
    """The route has failed several times in a row and is left alone for a while."""

    code = "upstream_resting"
    status = 503
    title = "The model is being left alone for a while"
    sentence = "The model has failed several times and is being left alone for a moment."


class WrongServer(ModelFailure):
    """Something else answered than the route names: another model or another provider."""

    code = "upstream_wrong_route"
    title = "Another model answered than was approved"
    retryable = False
    sentence = (
        "The provider let another model answer than the one that is approved here, so the answer "
        "is not shown. Whoever runs this server needs to check the route."
    )


# --- the reply is not what was agreed ----------------------------------------------------------


class NotAStream(ModelFailure):
    """A 200 whose body is not an event stream: a web page, one JSON document, noise."""

    code = "upstream_not_a_stream"
    title = "The answer is not a model's stream"
    retryable = False
    sentence = (
        "What answered is not a model's stream, but another kind of page. Check the provider's "
        "base URL."
    )


class EmptyReply(ModelFailure):
    """A 200 without a single event."""

    code = "upstream_empty"
    title = "The model provider sent nothing"
    sentence = "The model provider sent an empty answer. Try again."


class CutOff(ModelFailure):
    """The connection broke within the reply, or the reply ended within a line."""

    code = "upstream_cut"
    title = "The answer was cut off"
    sentence = "The connection to the model broke in the middle of its answer. Try again."


class NoFinish(ModelFailure):
    """The stream ended in good order, but without a finish reason: nothing says it is whole."""

    code = "upstream_no_finish"
    title = "The answer has no end"
    sentence = "The model's answer stopped without saying that it is complete. Try again."


class BadFinish(ModelFailure):
    """The finish reason says that the answer is not whole, or is not one that is known."""

    code = "upstream_bad_finish"
    title = "The model gave up"
    sentence = "The model provider broke the answer off. Try again."


class BadJson(ModelFailure):
    """An event that is not JSON."""

    code = "upstream_bad_json"
    title = "The answer cannot be read"
    sentence = "The model provider sent something that cannot be read. Try again."


class WrongShape(ModelFailure):
    """An event that is JSON, but not of the shape that this API has."""

    code = "upstream_wrong_shape"
    title = "The answer has another shape"
    retryable = False
    sentence = (
        "The model provider's answer does not have the agreed shape. Check that the base URL "
        "speaks the API of the provider named in PARLOUR_MODEL."
    )


class BadUtf8(ModelFailure):
    """An event whose bytes are not UTF-8."""

    code = "upstream_bad_utf8"
    title = "The answer is not text"
    sentence = "The model provider sent bytes that are not text. Try again."


class LineTooLong(ModelFailure):
    """One event over `models.line_bytes_max`."""

    code = "upstream_line_too_long"
    title = "The answer has a piece that is too long"
    retryable = False
    sentence = "The model provider sent one piece that is longer than the limit."


class ReplyTooLong(ModelFailure):
    """One reply over the wire's limit in bytes."""

    code = "upstream_reply_too_long"
    title = "The answer is too long"
    retryable = False
    sentence = "The model provider sent more than one answer may hold, and was ended."


class ErrorEvent(ModelFailure):
    """An error told inside the stream, after the answer had begun."""

    code = "upstream_error_event"
    title = "The model provider failed while answering"
    sentence = "The model provider reported an error in the middle of the answer. Try again."


def all_failures() -> Iterator[type[ModelFailure]]:
    """Every failure a model can have, in the order of this file."""
    yield from ModelFailure.__subclasses__()


def failure_of(code: str) -> type[ModelFailure]:
    """The class of a code, with or without `upstream_`. Raises `KeyError` for an unknown one."""
    wanted = code if code.startswith("upstream_") else f"upstream_{code}"
    for failure in all_failures():
        if failure.code == wanted:
            return failure
    raise KeyError(code)


_SECRET = re.compile(
    r"(?:sk|pk|rk|key|gsk|xai|AIza|hf|ghp|eyJ)[-_]?[A-Za-z0-9*._-]{8,}|[Bb]earer\s+\S+"
)


def redacted(text: str) -> str:
    """`text` cut short and without what looks like a key. For logs only, never for people."""
    return _SECRET.sub("[redacted]", " ".join(text.split()))[:DETAIL_CHARS_MAX]
