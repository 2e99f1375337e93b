"""The nouns of the product: frozen values that every room may name.

One word per thing: a *workspace* holds *users*; a user owns *threads*; a thread is a tree of
*messages*; a *turn* is one answer being made; a *tool call* is one action inside a turn. Nothing
here reads, writes or decides.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

import msgspec

WorkspaceId = NewType("WorkspaceId", str)
UserId = NewType("UserId", str)
ThreadId = NewType("ThreadId", str)
MessageId = NewType("MessageId", str)
TurnId = NewType("TurnId", str)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking, as proven by the host's signed token (or the one local user)."""

    workspace: WorkspaceId
    user: UserId
    name: str = ""
    roles: frozenset[str] = frozenset()
    tier: str = "free"
    jurisdiction: str = ""
    locale: str = "en"
    local: bool = False  # the single user of a server without a secret: no limits
    claims: dict[str, Any] = field(default_factory=dict[str, Any])


class TurnStatus(StrEnum):
    """Where a turn is. Every turn leaves `running` exactly once."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    WAITING = "waiting"
    FAILED = "failed"


class Role(StrEnum):
    """Who speaks in a message."""

    USER = "user"
    ASSISTANT = "assistant"


# --- what a message is made of ---------------------------------------------------------------
# msgspec structs, because they are stored as JSON and sent as JSON on the hot path.


class TextPart(msgspec.Struct, tag_field="type", tag="text", frozen=True, omit_defaults=True):
    """Words. `round` is the model call that said them, counted from 1 (0 in a user message).

    `withdrawn` says why they stand in place of an answer that was withdrawn (a stable word).
    """

    text: str
    round: int = 0
    withdrawn: str = ""


class ReasoningPart(
    msgspec.Struct, tag_field="type", tag="reasoning", frozen=True, omit_defaults=True
):
    """The model's thinking, kept apart from the answer. `elapsed_ms` is how long it took."""

    text: str
    round: int = 0
    elapsed_ms: int = 0


class ApprovalNote(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a person was asked about a tool call: the real tool with its literal arguments.

    `reason` is why it asks (tools/policy.py), `cause` how it was declined without anybody saying
    no: `expired`, `superseded` or `stopped`. `expires_at` is RFC 3339.
    """

    id: str
    server: str
    tool: str
    arguments: Any
    acts_as: str
    undoable: bool = False
    reason: str = ""
    expires_at: str = ""
    cause: str = ""


class ToolPart(msgspec.Struct, tag_field="type", tag="tool", frozen=True, omit_defaults=True):
    """One tool call and its outcome.

    `status` is `running`, `waiting` (for a person), `ok`, `failed` or `declined` (by a person).
    """

    call_id: str
    name: str
    title: str
    arguments: Any
    status: str = "running"
    text: str = ""
    widget: Any = None
    round: int = 0
    elapsed_ms: int = 0
    approval: ApprovalNote | None = None


class NoticePart(msgspec.Struct, tag_field="type", tag="notice", frozen=True, omit_defaults=True):
    """What people were told beside the answer, and should still know later: `kind` is stable."""

    kind: str
    text: str
    round: int = 0


class ErrorPart(msgspec.Struct, tag_field="type", tag="error", frozen=True, omit_defaults=True):
    """Why a turn failed: stable code, a sentence for people, and whether trying again can help."""

    code: str
    message: str
    retryable: bool = False
    reference: str = ""


KnownPart = TextPart | ReasoningPart | ToolPart | NoticePart | ErrorPart
# A newer version may have stored a part of a kind that this one does not know: it stays the JSON
# that it is. Nobody is shown it here, and it is stored again as it was.
Part = KnownPart | msgspec.Raw


@dataclass(frozen=True, slots=True)
class Thread:
    """One conversation. `head` is the last message of the branch people look at."""

    id: ThreadId
    title: str
    head: MessageId | None
    created_at: datetime
    updated_at: datetime
    running_turn: TurnId | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message in a thread's tree.

    `parent` is the message before it on its branch. `versions` are the ids of all messages with the
    same parent and role, oldest first: the versions of an edit or a regenerated answer.
    """

    id: MessageId
    thread: ThreadId
    parent: MessageId | None
    role: Role
    parts: tuple[Part, ...]
    created_at: datetime
    status: TurnStatus = TurnStatus.DONE
    turn: TurnId | None = None
    versions: tuple[MessageId, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Tokens of one or more model calls, in disjoint buckets: nothing is counted twice.

    `input` excludes cached tokens; `output` excludes `reasoning`. `estimated` is true when any
    part was counted by us because upstream did not report it.
    """

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    estimated: bool = False

    @property
    def total(self) -> int:
        """All tokens, cached and not."""
        return self.input + self.cache_read + self.cache_write + self.output + self.reasoning

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
            self.output + other.output,
            self.reasoning + other.reasoning,
            self.estimated or other.estimated,
        )


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One call of a model, as the ledger keeps it.

    `purpose` is a word: answer, summary, verifier, followups. `model` is `provider:name`, `route`
    the name of the way to it. `cost_nanos` is in billionths of a US dollar, None when the model is
    unpriced; `prices` names the list that says so. `request_id` is upstream's name of the call.
    """

    purpose: str
    model: str
    usage: Usage
    route: str = ""
    served_by: str = ""
    cost_nanos: int | None = None
    prices: str = ""
    request_id: str = ""


# --- between the agent, the models and the tools ----------------------------------------------


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model sees it. `name` is `server__tool`; `parameters` is a JSON Schema object."""

    name: str
    description: str
    parameters: dict[str, Any]
    title: str = ""  # for people, e.g. "Search dashboards"


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """A model's wish to call a tool.

    `arguments` is the decoded object; None when upstream sent something that is not a JSON object,
    which then stands in `raw` so that the model can be told.
    """

    id: str
    name: str
    arguments: dict[str, Any] | None
    raw: str = ""


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What came of a tool call. `text` goes to the model, `widget` (JSON) to people.

    `declined`: a person did not allow it, so it was not made.
    """

    ok: bool
    text: str
    widget: Any = None
    elapsed_ms: int = 0
    declined: bool = False
