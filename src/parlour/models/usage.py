"""Tokens in disjoint buckets, whatever a provider calls them, and counted when it told nothing.

Providers count in two ways. OpenAI's (`buckets`): the prompt includes what was cached, the output
includes the thinking; some of its imitators report one or both beside it instead, and give
themselves away by their total. Anthropic's (`apart`): the input excludes what was cached. No bucket
is ever negative and no token is in two, whatever upstream claims.
"""

from __future__ import annotations

import math

import msgspec

from parlour import tokens
from parlour.domain import Usage
from parlour.models.port import ChatMessage, ModelReply, ModelRequest

MESSAGE_TOKENS = 4  # role and marks around a message
TOOL_TOKENS = 8  # name and marks around a tool
COUNT_MAX = 1_000_000_000  # in one bucket of one call; more is a mistake of whoever counted

Count = int | float | None


def count(value: Count) -> int:
    """A number of tokens as upstream gave it; 0 for none, for nonsense and below zero."""
    if value is None or not math.isfinite(value) or value <= 0:
        return 0
    return min(int(value), COUNT_MAX)


def buckets(
    *,
    prompt: Count,
    output: Count,
    cache_read: Count = None,
    cache_write: Count = None,
    reasoning: Count = None,
    total: Count = None,
) -> Usage:
    """From OpenAI's way of counting, and from servers that count beside it."""
    asked, said, thought = count(prompt), count(output), count(reasoning)
    read, wrote, whole = count(cache_read), count(cache_write), count(total)
    cached = read + wrote
    # Beside the prompt: more was cached than it has, or the total says so.
    rest = whole - asked - cached
    beside = cached > asked or (cached > 0 and rest in {said, said + thought})
    fresh = asked if beside else asked - cached
    if thought and (thought > said or whole == fresh + cached + said + thought):
        return Usage(fresh, read, wrote, said, thought)
    return Usage(fresh, read, wrote, said - thought, thought)


def apart(
    *,
    input: Count,  # as the bucket is called
    output: Count,
    cache_read: Count = None,
    cache_write: Count = None,
    reasoning: Count = None,
) -> Usage:
    """From Anthropic's way of counting: cached tokens apart, thinking within the output."""
    said = count(output)
    thought = min(count(reasoning), said)
    return Usage(count(input), count(cache_read), count(cache_write), said - thought, thought)


def estimate_prompt(request: ModelRequest) -> int:
    """About how many tokens a call reads: messages and tools. What repeats is counted once."""
    told = sum(_message_tokens(message) for message in request.messages)
    offered = sum(
        tokens.count(tool.description) + tokens.count(_json(tool.parameters)) + TOOL_TOKENS
        for tool in request.tools
    )
    return told + offered


def roughly_prompt(request: ModelRequest) -> int:
    """The same at next to no cost, and rather too many: for what is only reserved."""
    told = len(msgspec.json.encode(request.messages))
    offered = sum(
        len(tool.name) + len(tool.description) + len(msgspec.json.encode(tool.parameters))
        for tool in request.tools
    )
    return (told + offered) // 3 + 1


def _message_tokens(message: ChatMessage) -> int:
    calls = message.get("tool_calls")
    said = tokens.count(str(message["content"]))
    return said + MESSAGE_TOKENS + (tokens.count(_json(calls)) if calls else 0)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def broken_usage(request: ModelRequest, *, said: str, thought: str = "") -> Usage:
    """Usage of a call that ended before upstream reported it, marked as estimated."""
    return Usage(
        input=estimate_prompt(request),
        output=tokens.count(said),
        reasoning=tokens.count(thought),
        estimated=True,
    )


class Spending:
    """What a call has used so far, asked again and again: what was counted is not counted again.

    Where two counts meet, a token may count as two; the figure is an estimate anyway.
    """

    def __init__(self, request: ModelRequest) -> None:
        self._request = request
        self._input: int | None = None
        self._said, self._thought = _Growing(), _Growing()

    def usage(self, *, said: str, thought: str) -> Usage:
        """Usage by now, marked as estimated; `said` and `thought` are whole."""
        if self._input is None:
            self._input = estimate_prompt(self._request)
        return Usage(
            input=self._input,
            output=self._said.count(said),
            reasoning=self._thought.count(thought),
            estimated=True,
        )


class _Growing:
    def __init__(self) -> None:
        self._chars = self._tokens = 0

    def count(self, text: str) -> int:
        self._tokens += tokens.count(text[self._chars :])
        self._chars = max(self._chars, len(text))
        return self._tokens


def usage_of(reply: ModelReply, request: ModelRequest) -> Usage:
    """An estimate for a whole reply, tool calls included."""
    calls = "".join(call.name + call.raw for call in reply.tool_calls)
    return broken_usage(request, said=reply.text + calls, thought=reply.reasoning)
