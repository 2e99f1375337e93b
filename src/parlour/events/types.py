"""The language of the product: the closed union of events that a turn can say.

Every reader (native SSE, AI SDK, OpenAI chunks, the store) is a translation of this union and of
nothing else. Events are append-only; a new one is a new struct here, a branch in every reader
(closed by `assert_never`) and a paragraph in docs/reference/events.md.

An event on the log is its JSON; its sequence number, dense from 1 within the turn, is its place in
the log and travels beside it (`id: <turn>:<seq>` in SSE), not inside.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec


class _Event(msgspec.Struct, tag_field="type", frozen=True, omit_defaults=True, kw_only=True):
    """Common options of all events; absent fields are left out, never null."""


class Plan(_Event, frozen=True, tag="plan"):
    """The turn is accepted and stored; always the first event.

    A turn that goes on after an approval names the turn that waited (`continues`); the next
    `repeats` events say again what that one had said, so that each log holds a whole message.
    """

    turn_id: str
    thread_id: str
    message_id: str  # of the assistant message that is being made
    user_message_id: str
    model: str
    disclosure: str
    continues: str = ""
    repeats: int = 0


class Token(_Event, frozen=True, tag="token"):
    """Text of the answer, as it comes from the model. May be any length above zero."""

    text: str


class Reasoning(_Event, frozen=True, tag="reasoning"):
    """Thinking text; never part of the answer."""

    text: str


class ToolCall(_Event, frozen=True, tag="tool_call"):
    """The model asks for a tool. `title` is what people read, in the present tense."""

    call_id: str
    name: str
    title: str
    arguments: Any


class ToolResult(_Event, frozen=True, tag="tool_result"):
    """The normalised outcome of a tool call: `text` for the model, `widget` for people.

    `declined`: a person did not allow it, so it was not made.
    """

    call_id: str
    name: str
    status: Literal["ok", "failed", "declined"]
    text: str
    widget: Any = None
    elapsed_ms: int = 0


class RoundEnd(_Event, frozen=True, tag="round_end"):
    """A model call and its tools are over. `reasoning` rounds led to tools, `answer` rounds end."""

    round: int
    kind: Literal["reasoning", "answer"]


class UsageReport(_Event, frozen=True, tag="usage"):
    """Tokens of the whole turn so far, in disjoint buckets; the last one of a turn is final."""

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    estimated: bool = False
    cost_micros: int | None = None  # millionths of a US dollar; absent when the model is unpriced


class Failure(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Why a turn failed, in the words of the error tree (docs/reference/errors.md)."""

    code: str
    message: str
    retryable: bool = False
    reference: str = ""


class Finalize(_Event, frozen=True, tag="finalize"):
    """The one terminal event of every turn; always the last event."""

    status: Literal["done", "stopped", "waiting", "failed"]
    finish_reason: str = ""  # upstream's, normalised: stop, length, content_filter, tool_calls
    error: Failure | None = None
    first_token_ms: int | None = None
    elapsed_ms: int = 0


class Status(_Event, frozen=True, tag="status"):
    """Still working, in words for people. Transient: not kept with the message.

    It comes when nothing new could be seen for 2 seconds (`limits.status_s`; again after 10, 30
    and 60), with the titles of the tools that run, and after each third tool call. What comes next
    makes it old news.
    """

    text: str


class Progress(_Event, frozen=True, tag="progress"):
    """How far a tool or job is. `total` is 0 when unknown. Transient."""

    call_id: str
    done: float
    total: float = 0
    text: str = ""


class Approval(_Event, frozen=True, tag="approval"):
    """A tool call waits for a person's decision; `finalize` follows with status `waiting`.

    `server`, `tool` and `arguments` are what will really be called, also where the model called it
    through another tool. `reason` is why it asks: `listed`, `destructive`, `writes`, `unknown`,
    `statement` or `untrusted`.
    """

    approval_id: str
    call_id: str
    name: str
    title: str
    arguments: Any
    acts_as: str
    undoable: bool = False
    expires_at: str = ""  # RFC 3339
    server: str = ""
    tool: str = ""
    reason: str = ""


class Source(_Event, frozen=True, tag="source"):
    """A citation or a grounded link."""

    source_id: str
    title: str
    url: str = ""
    document: str = ""
    page: int | None = None


class Replace(_Event, frozen=True, tag="replace"):
    """All text and reasoning of this turn so far is withdrawn; `text` stands in its place."""

    text: str
    reason: str


class Restart(_Event, frozen=True, tag="restart"):
    """The current round starts over: drop the text and calls it has shown so far.

    Another process goes on with the turn. `takeover` is its number: what follows has it in the id.
    """

    round: int
    reason: str
    takeover: int = 0


class Notice(_Event, frozen=True, tag="notice"):
    """Something people should know beside the answer: `kind` is a stable word.

    Among them `limit`: a limit kept tools from being called, so something may be missing. Kept
    with the message, once, but for `masked` and `quota_warning`: those are of the moment.
    """

    kind: str
    text: str


PASSING = frozenset({"masked", "quota_warning"})  # kinds of notice that are not kept

Event = (
    Plan
    | Token
    | Reasoning
    | ToolCall
    | ToolResult
    | RoundEnd
    | UsageReport
    | Finalize
    | Status
    | Progress
    | Approval
    | Source
    | Replace
    | Restart
    | Notice
)


class _Tagged(msgspec.Struct):
    type: str


_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_tagged = msgspec.json.Decoder(_Tagged)
_TAGS = frozenset(str(kind.__struct_config__.tag) for kind in get_args(Event))

encode = _encoder.encode

TOKEN = b'{"type":"token","text":'  # how every token's JSON begins; the text and a brace follow
RESTART = b'{"type":"restart",'


def encode_token(text: str) -> bytes:
    """As `encode(Token(text=text))`, for the path of a token: no object is made for it."""
    return b"%b%b}" % (TOKEN, _encoder.encode(text))


def decode(payload: bytes) -> Event:
    """One event from its JSON. Raises `msgspec.ValidationError` for anything else."""
    return _decoder.decode(payload)


def known(payload: bytes) -> Event | None:
    """As `decode`; None for one of a kind that only a newer version says, to pass over."""
    try:
        return _decoder.decode(payload)
    except msgspec.ValidationError:
        if _tagged.decode(payload).type in _TAGS:
            raise
        return None


def tag(event: Event) -> str:
    """The wire name of an event, e.g. `tool_call`."""
    return str(event.__struct_config__.tag)
