"""One streamed request to the embedded model's server on loopback.

Only what this server says is read; the providers' own streams are read elsewhere.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import msgspec

from parlour.domain import Usage
from parlour.models.local_process import Address, LocalModelFailed

LINE_BYTES_MAX = 1_000_000


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta = msgspec.field(default_factory=_Delta)
    finish_reason: str | None = None


class _Cached(msgspec.Struct):
    cached_tokens: int = 0


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Cached = msgspec.field(default_factory=_Cached)


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = msgspec.field(default_factory=list[_Choice])
    usage: _Usage | None = None
    error: Any = None


class Completion(msgspec.Struct):
    """What the server said in one request."""

    text: str = ""
    finish_reason: str = ""
    usage: Usage = msgspec.field(default_factory=Usage)


_decode = msgspec.json.Decoder(_Chunk).decode


async def complete(
    http: aiohttp.ClientSession,
    address: Address,
    body: dict[str, Any],
    on_text: Callable[[str], None] | None = None,
) -> Completion:
    """Send `body` and read the whole stream; `on_text` gets the words of each read.

    Leaving (also by cancellation) closes the connection, which stops the work. Raises
    `LocalModelFailed` when the server refuses, breaks off or gives no finish reason.
    """
    done = Completion()
    words: list[str] = []
    request = http.post(
        f"{address.url}/v1/chat/completions",
        json=body | {"stream": True, "stream_options": {"include_usage": True}},
        headers={"Authorization": f"Bearer {address.key}"},
    )
    try:
        async with request as response:
            if response.status != 200:
                raise LocalModelFailed(_refusal(response.status, await response.text()))
            async for lines in _reads(response.content):
                said = "".join(_take(line, done) for line in lines)
                if said:
                    words.append(said)
                    if on_text:
                        on_text(said)
    except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
        raise LocalModelFailed(
            "The embedded model stopped in the middle of its work. It is started again on the next "
            "message; please try again."
        ) from error
    if not done.finish_reason:
        raise LocalModelFailed("The embedded model broke off its answer. Please try again.")
    done.text = "".join(words)
    return done


async def _reads(content: aiohttp.StreamReader) -> AsyncIterator[list[bytes]]:
    """The complete lines of each read."""
    rest = b""
    async for block in content.iter_any():
        *lines, rest = (rest + block).split(b"\n")
        if len(rest) > LINE_BYTES_MAX:
            raise LocalModelFailed("The embedded model sent a line that does not end.")
        yield lines


def _take(line: bytes, done: Completion) -> str:
    """Note what one line says; returns its words."""
    if not line.startswith(b"data: ") or line == b"data: [DONE]":
        return ""
    try:
        chunk = _decode(line[6:])
    except msgspec.MsgspecError as error:
        raise LocalModelFailed(f"The embedded model sent what cannot be read: {error}.") from None
    if chunk.error:
        raise LocalModelFailed(f"The embedded model failed: {str(chunk.error)[:300]}.")
    if chunk.usage:
        cached = chunk.usage.prompt_tokens_details.cached_tokens
        done.usage = Usage(
            input=chunk.usage.prompt_tokens - cached,
            cache_read=cached,
            output=chunk.usage.completion_tokens,
        )
    said = ""
    for choice in chunk.choices:
        said += choice.delta.content or ""
        done.finish_reason = choice.finish_reason or done.finish_reason
    return said


def _refusal(status: int, text: str) -> str:
    try:
        reason = msgspec.json.decode(text)["error"]["message"]
    except (msgspec.MsgspecError, KeyError, TypeError):
        reason = text[:200]
    return f"The embedded model refused the request ({status}): {reason}"
