"""What clients send and get, as pydantic models: the source of contract/openapi.json."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from parlour.api.page_context import PageBody
from parlour.domain import Message, Thread


def _clean(text: str) -> str:
    """Refuse what no database and no model can hold."""
    if "\x00" in text:
        raise ValueError("contains a NUL character; remove it")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("contains half of a character (a lone surrogate)") from None
    return text


def _words(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; write a message")
    return text


Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Text = Annotated[str, AfterValidator(_clean)]
Words = Annotated[str, AfterValidator(_clean), AfterValidator(_words)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewTurnBody(_Shape):
    """A message to be answered."""

    message_id: Id | None = Field(
        None, description="Your id of this message; sent again, it joins the same turn."
    )
    text: Text = Field("", description="What the person wrote. Empty only to regenerate.")
    trigger: Literal["submit", "edit", "regenerate"] = "submit"
    target: Id | None = Field(
        None, description="The message to edit, or whose answer is made anew."
    )
    context: PageBody | None = Field(
        None, description="The page that the user looks at. A new answer keeps the question's."
    )
    disclosure_receipt: Id | None = Field(
        None, description="The `edition` of the disclosure that you have just shown."
    )


class StartedBody(_Shape):
    """A turn is under way."""

    turn_id: str
    thread_id: str
    message_id: str
    events: str = Field(description="Where to read its events.")
    joined: bool = Field(description="The same message had been sent before.")


class FollowupsBody(_Shape):
    """What was made of an answer after it ended."""

    questions: list[str] = Field(description="What the user could ask next; empty = none.")
    title: str = Field(description="The conversation's title by now.")


class StopBody(_Shape):
    """The turn has ended, or nothing ran."""

    turn_id: str | None


class NewThreadBody(_Shape):
    """A new conversation."""

    id: Id | None = None
    title: Text = Field("", max_length=200)


class RenameBody(_Shape):
    """A new title."""

    title: Words = Field(max_length=200)


class VersionBody(_Shape):
    """Which version of a message to show."""

    message_id: Id


class ThreadBody(_Shape):
    """A conversation."""

    id: str
    title: str
    created_at: datetime
    updated_at: datetime
    running_turn: str | None = None

    @classmethod
    def of(cls, thread: Thread) -> ThreadBody:
        """The wire form of a thread."""
        return cls(
            id=thread.id,
            title=thread.title,
            created_at=thread.created_at,
            updated_at=thread.updated_at,
            running_turn=thread.running_turn,
        )


class MessageBody(_Shape):
    """A message; `parts` are of type text, reasoning, tool, notice or error."""

    id: str
    role: Literal["user", "assistant"]
    parts: list[dict[str, Any]]
    status: Literal["running", "done", "stopped", "waiting", "failed"]
    turn: str | None = None
    parent: str | None = None
    versions: list[str]
    created_at: datetime
    metadata: dict[str, Any]

    @classmethod
    def of(cls, message: Message) -> MessageBody:
        """The wire form of a message."""
        return cls(
            id=message.id,
            role=message.role.value,
            parts=[_part(part) for part in message.parts if not isinstance(part, msgspec.Raw)],
            status=message.status.value,
            turn=message.turn,
            parent=message.parent,
            versions=list(message.versions),
            created_at=message.created_at,
            metadata=message.metadata,
        )


class ThreadsBody(_Shape):
    """A page of conversations, newest first."""

    threads: list[ThreadBody]
    next: str | None = Field(description="Pass as `before` for the next page; null = no more.")


class MessagesBody(_Shape):
    """A page of messages, oldest first."""

    messages: list[MessageBody]
    next: str | None = Field(description="Pass as `before` for earlier ones; null = no more.")
    masked: list[str] = Field(
        default_factory=list[str],
        description="Personal data in these messages that is kept from the model; yours to read.",
    )


class ConversationBody(MessagesBody):
    """A conversation with its newest messages."""

    thread: ThreadBody


class PersonBody(_Shape):
    """Who is signed in."""

    id: str
    name: str
    workspace: str


class ModelBody(_Shape):
    """The model that answers. `note` says what people should know of it."""

    name: str
    label: str
    kind: Literal["hosted", "local", "scripted"]
    note: str = ""


class MeBody(_Shape):
    """What a page needs before it shows anything."""

    user: PersonBody
    local: bool
    model: ModelBody
    disclosure: str
    version: str
    tour: bool = Field(description="The scripted guide answers: offer the tour.")
    dev: bool = Field(description="Show the route and the cost of each answer.")
    followups: bool = Field(description="Answers have follow-up questions, soon after they end.")
    limits: dict[str, int]


class LimitBody(_Shape):
    """One limit. Dollars are in billionths (nano-dollars)."""

    limit: Literal[
        "requests_per_hour",
        "turns_at_once",
        "tokens_per_day",
        "tokens_per_month",
        "dollars_per_day",
        "dollars_per_month",
    ]
    scope: Literal["user", "workspace"]
    allowed: int
    used: int
    left: int
    near: bool = Field(description="So much is used that people should know.")
    resets_at: str | None = Field(description="When there is more, RFC 3339; null = no set time.")
    resets_in_s: int | None = Field(description="The same in seconds from now.")


class LimitsBody(_Shape):
    """The limits of whoever asks."""

    tier: str
    limits: list[LimitBody]


class ResultBody(_Shape):
    """A tool result that was too long for the model, whole."""

    handle: str
    tool: str
    title: str
    chars: int = Field(description="Characters of the whole text.")
    text: str = Field(description="A page of the text.")
    next: int | None = Field(description="`offset` of the next page; null = this is the last.")
    widget: Any = Field(None, description="What people are shown, whole; null = the text is all.")
    created_at: datetime
    expires_at: datetime


class ToolPinBody(_Shape):
    """One way in which a server described one tool."""

    server: str
    tool: str = Field(description="The server's own name; empty = the server's instructions.")
    digest: str
    definition: dict[str, Any]
    seen_at: datetime
    approved_at: datetime | None = Field(description="null = disabled until it is approved.")
    approved_by: str


class ToolPinsBody(_Shape):
    """Every description that a workspace has seen, by server and tool, the newest last."""

    tools: list[ToolPinBody]


class ApproveToolsBody(_Shape):
    """What to approve."""

    server: Text = Field(max_length=64)
    tool: Text | None = Field(None, max_length=400, description="null = all of the server.")
    digest: Text = Field("", max_length=64, description="Its beginning; empty = any that waits.")


class ApprovedToolsBody(_Shape):
    """What was approved."""

    approved: list[ToolPinBody]


def _part(part: Any) -> dict[str, Any]:
    return msgspec.to_builtins(part)
