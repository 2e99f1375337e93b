"""Finish reasons of all providers, in the four words of the port."""

from __future__ import annotations

from parlour.models.failures import BadFinish, NoFinish

_WORDS = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "complete": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "content_filter": "content_filter",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
    "refusal": "content_filter",
    "safety": "content_filter",
    "prohibited_content": "content_filter",
    "recitation": "content_filter",
    "tool_calls": "tool_calls",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
}


def finish_reason(said: str, *, calls: int) -> str:
    """stop, length, content_filter or tool_calls; `calls` is how many tool calls the reply holds.

    Raises `NoFinish` when nothing was said, and `BadFinish` for a word that is not known: the law
    is that success is proven, so a new word is a failure until somebody has read what it means.
    """
    if not said:
        raise NoFinish()
    word = _WORDS.get(said.lower())
    if word is None:
        raise BadFinish(f"finish reason {said}")
    # Several servers say "stop" after a tool call.
    return "tool_calls" if word == "stop" and calls else word
