"""What a model is to the rest of the house.

A model gets plain messages and tools, says its words into a sink as they arrive, and returns one
reply. Cancelling the call closes the connection upstream. A reply exists only when upstream gave a
finish reason; anything else raises a subclass of `errors.Upstream`.

Messages are plain dictionaries in one neutral shape, whatever the provider:

    {"role": "system" | "user", "content": str}
    {"role": "assistant", "content": str, "tool_calls": [{"id": str, "name": str, "arguments": {}}]}
    {"role": "tool", "call_id": str, "name": str, "content": str}
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from parlour.domain import ToolRequest, ToolSpec, Usage

ChatMessage = dict[str, Any]
Served = Callable[[str, str], None]  # told the model and the provider that answer; may raise


@dataclass(slots=True)
class Tally:
    """What a call has used so far, whether or not it ever becomes a reply.

    The model sets `spent` when it begins to listen; it answers what upstream has reported, else
    what was counted, and None while upstream has said nothing at all.
    """

    spent: Callable[[], Usage | None] = lambda: None


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One model call. `max_tokens` bounds the reply; `temperature` None = the provider's own."""

    messages: list[ChatMessage]
    tools: tuple[ToolSpec, ...] = ()
    max_tokens: int = 4_096
    temperature: float | None = None
    tally: Tally = field(default_factory=Tally, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ModelReply:
    """A complete reply. `finish_reason` is one of stop, length, content_filter, tool_calls."""

    text: str
    finish_reason: str
    reasoning: str = ""
    tool_calls: tuple[ToolRequest, ...] = ()
    usage: Usage = field(default_factory=Usage)
    served_by: str = ""  # the model name that upstream reported
    upstream: str = ""  # the provider behind a gateway, as it reported itself
    request_id: str = ""  # upstream's id of this reply
    route: str = ""  # the name of the route that was taken


class ModelSink(Protocol):
    """Where a model says its words. All three are plain calls on the path of a token."""

    def text(self, text: str) -> None:
        """Some of the answer."""
        ...

    def reasoning(self, text: str) -> None:
        """Some of the thinking."""
        ...

    def flush(self) -> None:
        """All of one read from upstream has been said: let readers have it."""
        ...


class Unheard:
    """A sink that nobody listens to: the reply has it all."""

    def text(self, text: str) -> None:
        """Not shown."""

    def reasoning(self, text: str) -> None:
        """Not shown."""

    def flush(self) -> None:
        """Nobody waits."""


class Model(Protocol):
    """A model of one provider, ready to be called by many turns at once."""

    @property
    def name(self) -> str:
        """`provider:model`, as in `PARLOUR_MODEL`."""
        ...

    async def stream(self, request: ModelRequest, sink: ModelSink) -> ModelReply:
        """Call the model. Raises `errors.Upstream`; cancelling closes the connection."""
        ...

    async def close(self) -> None:
        """Let go of connections and child processes."""
        ...


@runtime_checkable
class Warmable(Protocol):
    """A model that can get ready before it is first asked."""

    async def warm(self, tools: Sequence[ToolSpec] = ()) -> None:
        """Load, and read what every question with these tools begins with."""
        ...
