"""What a provider's stream looks like on the wire, in both dialects, from one neutral reply."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Literal

Dialect = Literal["openai", "anthropic"]


@dataclass
class Reply:
    """What the provider says. Usage is in disjoint buckets, as Parlour has it."""

    text: list[str] = field(default_factory=lambda: ["Hello", " from", " upstream."])
    reasoning: list[str] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)  # name, arguments as JSON text
    finish: str = ""  # openai's word; "" = what fits
    cache_read: int = 0
    cache_write: int = 0
    input: int = 11
    report_usage: bool = True
    gap_s: float = 0.0  # between tokens
    fault: str = ""  # a name of upstream.FAULTS
    at: int = 2  # how many tokens come before the fault
    model: str = ""  # reported instead of the one that was asked for
    name: str = ""  # of the reply, instead of the usual one; its calls are named after it, too
    retry_after: str = ""  # with a refusal, instead of the fault's own header
    hold_at: int | None = None  # stop after so many tokens until `Upstream.release`

    @property
    def finish_reason(self) -> str:
        return self.finish or ("tool_calls" if self.calls else "stop")


def reply_to(body: dict[str, Any]) -> Reply:
    """The reply that the last message asks for with directives, or a plain one.

    `[[say:Some words]]` `[[think:Some words]]` `[[call:name {"a": 1}]]` (several)
    `[[tokens:200 dt=0.03]]` `[[finish:length]]` `[[fault:cut_rst n=40]]`
    """
    messages = body.get("messages") or [{}]
    text = _text_of(messages[-1].get("content"))
    if _answers_tool(messages[-1]):
        return Reply(text=_words(f"The tool said: {text}"))
    reply = Reply()
    for kind, rest in re.findall(r"\[\[(\w+):(.*?)\]\]", text, re.DOTALL):
        value, options = _options(rest)
        match kind:
            case "say":
                reply.text = _words(value)
            case "think":
                reply.reasoning = _words(value)
            case "tokens":
                reply.text = [f" w{number}" for number in range(int(value))]
            case "finish":
                reply.finish = value
            case "fault":
                reply.fault = value
                reply.at = int(options.get("n", reply.at))
            case "call":
                name, _, arguments = rest.strip().partition(" ")
                reply.calls.append((name, arguments))
                reply.text = []
        reply.gap_s = float(options.get("dt", reply.gap_s))
    return reply


def frames(dialect: Dialect, reply: Reply, model: str) -> tuple[bytes, list[bytes], bytes]:
    """Opening, one frame for each token or piece, and the ending of a whole stream."""
    model = reply.model or model
    return _openai(reply, model) if dialect == "openai" else _anthropic(reply, model)


def error_body(dialect: Dialect, kind: str, message: str, code: str = "") -> dict[str, Any]:
    if dialect == "openai":
        return {"error": {"message": message, "type": kind, "param": None, "code": code or None}}
    return {"type": "error", "error": {"type": kind, "message": message}}


def error_frame(dialect: Dialect, kind: str) -> bytes:
    body = error_body(dialect, kind, "The engine is not well")
    name = b"event: error\n" if dialect == "anthropic" else b""
    return name + b"data: " + json.dumps(body).encode() + b"\n\n"


def bare_end(dialect: Dialect) -> bytes:
    """The end mark alone, without a finish reason."""
    return b"data: [DONE]\n\n" if dialect == "openai" else _event("message_stop")


def _openai(reply: Reply, model: str) -> tuple[bytes, list[bytes], bytes]:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _openai_chunk(reply, model, {"choices": [choice], "usage": None})

    tokens = [chunk({"reasoning_content": text}) for text in reply.reasoning]
    tokens += [chunk({"content": text}) for text in reply.text]
    for index, (name, _) in enumerate(reply.calls):
        call: dict[str, Any] = {
            "index": index,
            "id": f"call_{reply.name}{index}",
            "type": "function",
        }
        tokens.append(chunk({"tool_calls": [call | {"function": {"name": name, "arguments": ""}}]}))
    pieces = [
        (index, piece)
        for index, (_, arguments) in enumerate(reply.calls)
        for piece in _halves(arguments)
    ]
    # By halves, so that the calls interleave.
    for index, piece in pieces[::2] + pieces[1::2]:
        tokens.append(chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}))
    end = chunk({}, reply.finish_reason)
    if reply.report_usage:
        end += _openai_chunk(reply, model, {"choices": [], "usage": _openai_usage(reply)})
    return chunk({"role": "assistant", "content": ""}), tokens, end + b"data: [DONE]\n\n"


def _openai_chunk(reply: Reply, model: str, fields: dict[str, Any]) -> bytes:
    head = {
        "id": reply.name or "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": model,
    }
    return b"data: " + json.dumps(head | fields, separators=(",", ":")).encode() + b"\n\n"


def _openai_usage(reply: Reply) -> dict[str, Any]:
    prompt = reply.input + reply.cache_read + reply.cache_write
    output = len(reply.text) + len(reply.reasoning)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "prompt_tokens_details": {
            "cached_tokens": reply.cache_read,
            "cache_write_tokens": reply.cache_write,
        },
        "completion_tokens_details": {"reasoning_tokens": len(reply.reasoning)},
    }


_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


def _anthropic(reply: Reply, model: str) -> tuple[bytes, list[bytes], bytes]:
    head = {
        "id": reply.name or "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": reply.input,
            "cache_creation_input_tokens": reply.cache_write,
            "cache_read_input_tokens": reply.cache_read,
            "output_tokens": 1,
        },
    }
    blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    if reply.reasoning:
        deltas = [{"type": "thinking_delta", "thinking": text} for text in reply.reasoning]
        deltas.append({"type": "signature_delta", "signature": "c2lnbmVk"})
        blocks.append(({"type": "thinking", "thinking": "", "signature": ""}, deltas))
    if reply.text:
        deltas = [{"type": "text_delta", "text": text} for text in reply.text]
        blocks.append(({"type": "text", "text": ""}, deltas))
    for number, (name, arguments) in enumerate(reply.calls):
        deltas = [{"type": "input_json_delta", "partial_json": ""}]
        deltas += [{"type": "input_json_delta", "partial_json": p} for p in _halves(arguments)]
        start = {"type": "tool_use", "id": f"toolu_{reply.name}{number}", "name": name, "input": {}}
        blocks.append((start, deltas))
    tokens: list[bytes] = []
    for index, (start, deltas) in enumerate(blocks):
        before = _event("content_block_start", index=index, content_block=start)
        for delta in deltas:
            tokens.append(before + _event("content_block_delta", index=index, delta=delta))
            before = b""
        tokens[-1] += _event("content_block_stop", index=index)
    end: dict[str, Any] = {
        "delta": {
            "stop_reason": _STOP_REASONS.get(reply.finish_reason, reply.finish_reason),
            "stop_sequence": None,
        }
    }
    if reply.report_usage:
        end["usage"] = {
            "output_tokens": len(reply.text) + len(reply.reasoning),
            "output_tokens_details": {"thinking_tokens": len(reply.reasoning)},
        }
    opening = _event("message_start", message=head) + _event("ping")
    return opening, tokens, _event("message_delta", **end) + _event("message_stop")


def _event(kind: str, **fields: Any) -> bytes:
    data = json.dumps({"type": kind} | fields, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()


def _halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


def _words(text: str) -> list[str]:
    return re.findall(r"\s*\S+", text)


def _options(rest: str) -> tuple[str, dict[str, str]]:
    """`40 n=2 dt=0.1` -> `40`, options."""
    options = dict(re.findall(r"\b(n|dt)=([\d.]+)", rest))
    return re.sub(r"\s*\b(n|dt)=[\d.]+", "", rest).strip(), options


def _text_of(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text") or part.get("content") or "") for part in content)
    return str(content or "")


def _answers_tool(message: dict[str, Any]) -> bool:
    content = message.get("content")
    return message.get("role") == "tool" or (
        isinstance(content, list) and any(p.get("type") == "tool_result" for p in content)
    )
