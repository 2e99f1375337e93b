"""Count tokens when upstream did not: after a stop, a break, or from a server without usage."""

from __future__ import annotations

import msgspec

from parlour.domain import Usage
from parlour.models.port import ModelReply, ModelRequest

BYTES_PER_TOKEN = 4  # what byte-pair vocabularies average on English text and JSON


def estimate_tokens(text: str) -> int:
    """About how many tokens `text` is; 0 only when it is empty."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def estimate_usage(request: ModelRequest, *, said: str, thought: str = "") -> Usage:
    """Usage of a call that was ended before upstream reported it, marked as estimated."""
    asked = msgspec.json.encode(request.messages)
    tools = sum(
        len(tool.name) + len(tool.description) + len(msgspec.json.encode(tool.parameters))
        for tool in request.tools
    )
    return Usage(
        input=-(-(len(asked) + tools) // BYTES_PER_TOKEN),
        output=estimate_tokens(said),
        reasoning=estimate_tokens(thought),
        estimated=True,
    )


def usage_of(reply: ModelReply, request: ModelRequest) -> Usage:
    """An estimate for a whole reply, tool calls included."""
    calls = "".join(call.name + call.raw for call in reply.tool_calls)
    return estimate_usage(request, said=reply.text + calls, thought=reply.reasoning)
