"""Events as OpenAI chat completion chunks, and a whole turn as one completion."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from parlour.events import types as ev
from parlour.events.types import known

DONE = b"data: [DONE]\n\n"
FINISH_REASONS = {"stop", "length", "content_filter"}
_dump = msgspec.json.Encoder().encode


def usage_body(usage: ev.UsageReport | None) -> dict[str, Any]:
    """Usage in OpenAI's accounting, where cached tokens are part of the prompt's."""
    usage = usage or ev.UsageReport()
    prompt = usage.input + usage.cache_read + usage.cache_write
    completion = usage.output + usage.reasoning
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def finish_reason(final: ev.Finalize, *, withdrawn: bool = False) -> str:
    """OpenAI's closed list; a stopped turn is `stop`, a withdrawn answer `content_filter`."""
    if withdrawn:
        return "content_filter"
    return final.finish_reason if final.finish_reason in FINISH_REASONS else "stop"


class OpenAiEncoder:
    """Chunks for one reader. The agent's own tools are not the caller's: they are not shown."""

    def __init__(self, turn: str, model: str, *, include_usage: bool) -> None:
        self._head: dict[str, Any] = {
            "id": f"chatcmpl-{turn}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
        }
        self._include_usage = include_usage
        self._withdrawn = False
        self._usage: ev.UsageReport | None = None
        # The path of a token: all of a chunk but its words is always the same.
        head = _dump(self._head)[:-1]
        self._text = b'data: %b,"choices":[{"index":0,"delta":{"content":' % head
        self._thought = b'data: %b,"choices":[{"index":0,"delta":{"reasoning_content":' % head
        self._tail = b'},"finish_reason":null}]}\n\n'

    def reset(self, reason: str) -> bytes | None:
        """This protocol cannot start over: cut it."""
        del reason
        return None

    def reconnect(self) -> bytes | None:
        """This protocol cannot continue elsewhere: cut it."""
        return None

    def end(self) -> bytes:
        """Nothing: `finalize` has said it, and a failure must not look complete."""
        return b""

    def encode(self, payloads: list[bytes], first: int) -> bytes:
        """All chunks of some events."""
        del first
        return b"".join([self._event(event) for each in payloads if (event := known(each))])

    def _event(self, event: ev.Event) -> bytes:
        match event:
            case ev.Token():
                return self._text + _dump(event.text) + self._tail
            case ev.Reasoning():
                return self._thought + _dump(event.text) + self._tail
            case ev.Plan():
                return self._chunk({"role": "assistant", "content": ""})
            case ev.UsageReport():
                self._usage = event
                return b""
            case ev.Replace():
                # This protocol cannot take words back: it says what stands in their place.
                self._withdrawn = True
                return self._text + _dump(f"\n\n{event.text}") + self._tail if event.text else b""
            case ev.Finalize():
                return self._finalize(event)
            case _:
                return b""

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return b"data: %b\n\n" % _dump({**self._head, "choices": [choice]})

    def _finalize(self, event: ev.Finalize) -> bytes:
        if event.error is not None:
            error = {
                "message": event.error.message,
                "type": "server_error",
                "code": event.error.code,
                "param": None,
            }
            return b"data: %b\n\n" % _dump({"error": error})
        closing = self._chunk({}, finish_reason(event, withdrawn=self._withdrawn))
        if self._include_usage:
            usage: dict[str, Any] = {**self._head, "choices": [], "usage": usage_body(self._usage)}
            closing += b"data: %b\n\n" % _dump(usage)
        return closing + DONE


def completion(turn: str, model: str, payloads: list[bytes]) -> dict[str, Any]:
    """A finished turn as one `chat.completion`."""
    text: list[str] = []
    thoughts: list[str] = []
    usage: ev.UsageReport | None = None
    reason = "stop"
    withdrawn = False
    for payload in payloads:
        match known(payload):
            case ev.Token() as token:
                text.append(token.text)
            case ev.Reasoning() as thought:
                thoughts.append(thought.text)
            case ev.Replace() as replaced:
                text, thoughts, withdrawn = [replaced.text], [], True
            case ev.UsageReport() as report:
                usage = report
            case ev.Finalize() as final:
                reason = finish_reason(final, withdrawn=withdrawn)
            case _:
                pass
    message: dict[str, Any] = {"role": "assistant", "content": "".join(text), "refusal": None}
    if thoughts:
        message["reasoning_content"] = "".join(thoughts)
    return {
        "id": f"chatcmpl-{turn}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
        "usage": usage_body(usage),
    }
