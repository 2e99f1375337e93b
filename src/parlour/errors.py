"""The error tree. Each class has a stable `code`, an HTTP status and a title.

    Problem
    |- BadRequest              400  bad_request
    |  |- TooLong              413  too_long
    |  |- UnsupportedMedia     415  unsupported_media
    |  |- PersonalData         422  personal_data
    |  |- PageContextInvalid   422  page_context_invalid
    |  `- Refused              422  refused
    |- Unauthenticated         401  unauthenticated
    |- Forbidden               403  forbidden
    |  `- RouteNotAllowed           route_not_allowed
    |- DisclosureRequired      428  disclosure_required
    |- NotFound                404  not_found
    |  |- ThreadNotFound            thread_not_found
    |  |- TurnNotFound              turn_not_found
    |  |- MessageNotFound           message_not_found
    |  |- ResultNotFound            result_not_found
    |  |- ModelNotFound             model_not_found
    |  `- ApprovalNotFound          approval_not_found
    |- Conflict                409  conflict
    |  |- TurnInProgress            turn_in_progress
    |  |- KeyReused                 key_reused
    |  |- ApprovalDecided           approval_decided
    |  `- ApprovalVoid              approval_void
    |- TooMany                 429
    |  |- RateLimited               rate_limited      (questions an hour, answers at once)
    |  `- QuotaExceeded             quota_exceeded    (tokens and money)
    |- Overloaded              503  overloaded
    |- LimitsUnavailable       503  limits_unavailable
    |- ModelUnpriced           503  model_unpriced
    |- ShuttingDown            503  shutting_down
    |- StopPending             503  stop_pending (stored, and not confirmed by the process)
    |- StoreUnavailable        503  store_unavailable
    |- Upstream                502  upstream_*   (a model provider did not answer as agreed)
    |- TurnLost                500  turn_lost    (its process died)
    |- TurnTimeout             504  turn_timeout
    |- QuestionLimit           422  question_limit
    `- Internal                500  internal

`str(problem)` is a sentence for people: what happened and what to do. `api/problems.py` alone turns
these into HTTP; after a stream began the same code and sentence travel in `finalize.error`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar


class Problem(Exception):
    """Something that is told to the person who asked. Subclasses fix code, status and title."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong"
    retryable: ClassVar[bool] = False
    retry_after_s: int | None = None
    extra: Mapping[str, Any] = MappingProxyType({})  # further members of the HTTP answer


class BadRequest(Problem):
    """The request cannot be understood as it is."""

    code = "bad_request"
    status = 400
    title = "The request is not valid"


class TooLong(BadRequest):
    """A body or a text is over its limit."""

    code = "too_long"
    status = 413
    title = "Too long"


class UnsupportedMedia(BadRequest):
    """The body is not of a content type that the route reads."""

    code = "unsupported_media"
    status = 415
    title = "Unsupported content type"


class PersonalData(BadRequest):
    """The message has personal data in it that the policy of the workspace keeps out."""

    code = "personal_data"
    status = 422
    title = "Personal data in the message"


class PageContextInvalid(BadRequest):
    """The page context that came with a message has a field of the wrong type."""

    code = "page_context_invalid"
    status = 422
    title = "The page context is not valid"


class Refused(BadRequest):
    """The message tries to give the assistant orders, and the policy blocks that."""

    code = "refused"
    status = 422
    title = "The message was not accepted"


class Unauthenticated(Problem):
    """No token, or one that does not prove who is asking."""

    code = "unauthenticated"
    status = 401
    title = "Sign-in needed"


class Forbidden(Problem):
    """Known, but not allowed."""

    code = "forbidden"
    status = 403
    title = "Not allowed"


class DisclosureRequired(Problem):
    """The person has to be shown something first. The answer carries it, in `disclosure`."""

    code = "disclosure_required"
    status = 428
    title = "Something has to be shown first"

    def __init__(self, sentence: str, disclosure: dict[str, Any]) -> None:
        super().__init__(sentence)
        self.disclosure = disclosure  # as `GET /api/disclosures` gives it
        self.extra = {"disclosure": disclosure}


class NotFound(Problem):
    """Nothing of that name for this user. Somebody else's thing answers exactly the same."""

    code = "not_found"
    status = 404
    title = "Not found"


class ThreadNotFound(NotFound):
    """No such conversation for this user."""

    code = "thread_not_found"
    title = "No such conversation"


class TurnNotFound(NotFound):
    """No such turn in this conversation."""

    code = "turn_not_found"
    title = "No such turn"


class MessageNotFound(NotFound):
    """No such message in this conversation."""

    code = "message_not_found"
    title = "No such message"


class ResultNotFound(NotFound):
    """No such tool result in this conversation, or it is kept no longer."""

    code = "result_not_found"
    title = "No such result"


class ModelNotFound(NotFound):
    """No model of that name is configured."""

    code = "model_not_found"
    title = "No such model"


class ApprovalNotFound(NotFound):
    """No such approval in this conversation."""

    code = "approval_not_found"
    title = "No such approval"


class Conflict(Problem):
    """The request is valid but does not fit what is there."""

    code = "conflict"
    status = 409
    title = "Conflict"


class TurnInProgress(Conflict):
    """The conversation is answering another message."""

    code = "turn_in_progress"
    title = "An answer is on its way"
    retryable = True


class KeyReused(Conflict):
    """The same client message id came with another body."""

    code = "key_reused"
    title = "This message id was used for another message"


class ApprovalDecided(Conflict):
    """An approval is answered once; the sentence says how it was answered."""

    code = "approval_decided"
    title = "This was decided already"


class ApprovalVoid(Conflict):
    """What was asked is not what stands there now, so nobody's yes or no can count."""

    code = "approval_void"
    title = "This approval does not count any more"


class TooMany(Problem):
    """A limit is reached; `retry_after_s` and `extra` say which, and until when."""

    code = "too_many"
    status = 429
    title = "A limit is reached"
    retryable = True


class RateLimited(TooMany):
    """Too many questions in an hour, or answers at once."""

    code = "rate_limited"
    title = "Too many questions"


class QuotaExceeded(TooMany):
    """The tokens or the money of a day or a month are used."""

    code = "quota_exceeded"
    title = "The quota is used"


class LimitsUnavailable(Problem):
    """Limits cannot be checked, so nothing is spent; reading goes on."""

    code = "limits_unavailable"
    status = 503
    title = "Limits cannot be checked"
    retryable = True
    retry_after_s = 2


class ModelUnpriced(Problem):
    """There is a limit in money, and nobody knows what the model costs."""

    code = "model_unpriced"
    status = 503
    title = "The price of the model is not known"


class RouteNotAllowed(Forbidden):
    """The user's tier does not have the model that would answer."""

    code = "route_not_allowed"
    title = "Not part of your plan"


class Overloaded(Problem):
    """No room for another turn now."""

    code = "overloaded"
    status = 503
    title = "Busy"
    retryable = True
    retry_after_s = 2


class ShuttingDown(Problem):
    """This process takes no new work."""

    code = "shutting_down"
    status = 503
    title = "Restarting"
    retryable = True
    retry_after_s = 2


class StopPending(Problem):
    """A stop is stored, and the process that answers has not confirmed it in time."""

    code = "stop_pending"
    status = 503
    title = "The stop is on its way"
    retryable = True
    retry_after_s = 2


class StoreUnavailable(Problem):
    """The database does not answer, so nothing was accepted."""

    code = "store_unavailable"
    status = 503
    title = "Storage is not available"
    retryable = True
    retry_after_s = 2


class Upstream(Problem):
    """A model provider did not answer as agreed. The subclasses live in models/failures.py."""

    code = "upstream_failed"
    status = 502
    title = "The model did not answer"
    retryable = True


class TurnLost(Problem):
    """The process that was answering died."""

    code = "turn_lost"
    status = 500
    title = "The answer was cut off"
    retryable = True


class TurnTimeout(Problem):
    """A turn took longer than the limit `limits.turn_s_max`."""

    code = "turn_timeout"
    status = 504
    title = "The answer took too long"
    retryable = True


class QuestionLimit(Problem):
    """The model still asked for tools after the last step of a question (`question.rounds_max`)."""

    code = "question_limit"
    status = 422
    title = "The question needed too many steps"


class Internal(Problem):
    """A mistake of ours; logged with the reference, told without details."""

    code = "internal"
    status = 500
    title = "Something went wrong on our side"
    retryable = True


class ConfigurationError(Exception):
    """A setting is wrong. The sentence names the setting and what to type instead."""
