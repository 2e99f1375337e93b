"""Disjoint buckets: what each provider reports, and what of it is counted, once each."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given
from hypothesis import strategies as st

from parlour.domain import Usage
from parlour.models.anthropic import AnthropicReader
from parlour.models.openai import OpenAIReader
from parlour.models.port import ModelRequest
from parlour.models.usage import COUNT_MAX, apart, buckets, count

REQUEST = ModelRequest([{"role": "user", "content": "hi"}])


class Silent:
    def text(self, text: str) -> None: ...
    def reasoning(self, text: str) -> None: ...
    def flush(self) -> None: ...


def told_by_openai(usage: dict[str, Any]) -> Usage:
    reader = OpenAIReader(Silent())
    choice = {"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}
    for chunk in ({"choices": [choice], "model": "m"}, {"choices": [], "usage": usage}):
        reader.feed(b"data: " + msgspec.json.encode(chunk) + b"\n\n")
    reader.feed(b"data: [DONE]\n\n")
    return reader.reply(REQUEST).usage


def told_by_anthropic(first: dict[str, Any], last: dict[str, Any]) -> Usage:
    reader = AnthropicReader(Silent())
    for event in (
        {"type": "message_start", "message": {"model": "m", "usage": first}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": last},
        {"type": "message_stop"},
    ):
        reader.feed(b"data: " + msgspec.json.encode(event) + b"\n\n")
    return reader.reply(REQUEST).usage


# What each provider sends at the end of a stream, and what it means: input, cache read, cache
# write, output, reasoning.
GOLDEN: dict[str, tuple[dict[str, Any], tuple[int, int, int, int, int]]] = {
    "openai, cached and reasoning": (
        {
            "prompt_tokens": 2006,
            "completion_tokens": 300,
            "total_tokens": 2306,
            "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 256,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        (86, 1920, 0, 44, 256),
    ),
    "azure, as openai": (
        {
            "completion_tokens": 12,
            "completion_tokens_details": None,
            "prompt_tokens": 30,
            "prompt_tokens_details": {"cached_tokens": 0},
            "total_tokens": 42,
        },
        (30, 0, 0, 12, 0),
    ),
    "deepseek, hit and miss": (
        {
            "prompt_tokens": 1000,
            "completion_tokens": 50,
            "total_tokens": 1050,
            "prompt_cache_hit_tokens": 896,
            "prompt_cache_miss_tokens": 104,
            "completion_tokens_details": {"reasoning_tokens": 30},
        },
        (104, 896, 0, 20, 30),
    ),
    "deepseek, the same cache under both names": (
        {
            "prompt_tokens": 1000,
            "completion_tokens": 50,
            "total_tokens": 1050,
            "prompt_tokens_details": {"cached_tokens": 896},
            "prompt_cache_hit_tokens": 896,
            "prompt_cache_miss_tokens": 104,
        },
        (104, 896, 0, 50, 0),
    ),
    "gemini, thinking in the total alone": (
        {"prompt_tokens": 12, "completion_tokens": 9, "total_tokens": 120},
        (12, 0, 0, 9, 0),
    ),
    "gemini, thinking beside": (
        {
            "prompt_tokens": 12,
            "completion_tokens": 9,
            "total_tokens": 120,
            "completion_tokens_details": {"reasoning_tokens": 99},
        },
        (12, 0, 0, 9, 99),
    ),
    "openrouter, with cost and a cache write": (
        {
            "prompt_tokens": 5000,
            "completion_tokens": 80,
            "total_tokens": 5080,
            "cost": 0.0123,
            "is_byok": False,
            "prompt_tokens_details": {"cached_tokens": 4000, "cache_write_tokens": 500},
            "completion_tokens_details": {"reasoning_tokens": 60},
        },
        (500, 4000, 500, 20, 60),
    ),
    "vllm, null details": (
        {
            "prompt_tokens": 7,
            "total_tokens": 10,
            "completion_tokens": 3,
            "prompt_tokens_details": None,
        },
        (7, 0, 0, 3, 0),
    ),
    "xai, reasoning beside the completion": (
        {
            "prompt_tokens": 10,
            "completion_tokens": 1,
            "total_tokens": 61,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 50},
        },
        (6, 4, 0, 1, 50),
    ),
    "mistral, plain": (
        {"prompt_tokens": 21, "total_tokens": 60, "completion_tokens": 39},
        (21, 0, 0, 39, 0),
    ),
    "a proxy that counts the cache beside the prompt": (
        {
            "prompt_tokens": 100,
            "completion_tokens": 10,
            "total_tokens": 1010,
            "prompt_tokens_details": {"cached_tokens": 900},
        },
        (100, 900, 0, 10, 0),
    ),
    "numbers as floats": (
        {"prompt_tokens": 10.0, "completion_tokens": 2.0, "total_tokens": 12.0},
        (10, 0, 0, 2, 0),
    ),
    "negative and absurd": (
        {
            "prompt_tokens": -5,
            "completion_tokens": 10**30,
            "prompt_tokens_details": {"cached_tokens": -3},
        },
        (0, 0, 0, COUNT_MAX, 0),
    ),
}


@pytest.mark.promise("P16")
@pytest.mark.parametrize("case", GOLDEN)
def test_every_provider_comes_out_in_disjoint_buckets(case: str) -> None:
    reported, expected = GOLDEN[case]
    usage = told_by_openai(reported)
    counted = (usage.input, usage.cache_read, usage.cache_write, usage.output, usage.reasoning)
    assert counted == expected
    assert not usage.estimated


def test_anthropics_input_excludes_the_cache_and_its_output_includes_thinking() -> None:
    usage = told_by_anthropic(
        {
            "input_tokens": 50,
            "cache_creation_input_tokens": 248,
            "cache_read_input_tokens": 100_000,
            "cache_creation": {"ephemeral_5m_input_tokens": 248, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 1,
        },
        {"output_tokens": 503, "output_tokens_details": {"thinking_tokens": 400}},
    )
    assert usage == Usage(50, 100_000, 248, 103, 400)


@pytest.mark.parametrize("case", ["openai, cached and reasoning", "azure, as openai"])
def test_it_agrees_with_an_independent_reading(case: str) -> None:
    reported, _ = GOLDEN[case]
    theirs = (
        get_snapshot()
        .extract_usage(
            {"model": "gpt-5.1", "usage": {k: v for k, v in reported.items() if v is not None}},
            provider_id="openai",
            api_flavor="chat",
        )
        .usage
    )
    ours = told_by_openai(reported)
    assert theirs.input_tokens == ours.input + ours.cache_read + ours.cache_write
    assert theirs.cache_read_tokens == ours.cache_read
    assert theirs.output_tokens == ours.output + ours.reasoning


ANYTHING = st.none() | st.integers() | st.floats(allow_nan=True, allow_infinity=True)


@given(st.tuples(*[ANYTHING] * 6))
def test_no_bucket_is_ever_negative_and_nothing_is_counted_twice(said: tuple[Any, ...]) -> None:
    names = ("prompt", "output", "cache_read", "cache_write", "reasoning", "total")
    usage = buckets(**dict(zip(names, said, strict=True)))
    counted = (usage.input, usage.cache_read, usage.cache_write, usage.output, usage.reasoning)
    assert all(0 <= bucket <= COUNT_MAX for bucket in counted)
    assert usage.total <= sum(count(value) for value in said[:5])
    other = apart(
        input=said[0], output=said[1], cache_read=said[2], cache_write=said[3], reasoning=said[4]
    )
    assert other.output + other.reasoning == count(said[1])
    assert min(other.input, other.cache_read, other.cache_write, other.output) >= 0


def test_a_stream_that_breaks_off_is_counted_from_what_came() -> None:
    reader = OpenAIReader(Silent())
    spent = reader.spending(REQUEST)
    assert spent() is None  # upstream has said nothing, so nobody knows that it worked
    chunk = {"choices": [{"index": 0, "delta": {"content": "one two three"}}], "model": "m"}
    reader.feed(b"data: " + msgspec.json.encode(chunk) + b"\n\n")
    usage = spent()
    assert usage is not None
    assert (usage.output, usage.estimated) == (3, True)
    assert usage.input > 0


def test_what_upstream_reported_before_a_break_is_not_estimated() -> None:
    reader = OpenAIReader(Silent())
    chunk = {
        "choices": [{"index": 0, "delta": {"content": "one"}}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8},
    }
    reader.feed(b"data: " + msgspec.json.encode(chunk) + b"\n\n")
    assert reader.spending(REQUEST)() == Usage(input=7, output=1)


def test_anthropics_first_event_gives_an_exact_prompt_even_when_the_rest_never_comes() -> None:
    reader = AnthropicReader(Silent())
    start = {
        "type": "message_start",
        "message": {
            "model": "m",
            "usage": {"input_tokens": 9, "cache_read_input_tokens": 90, "output_tokens": 1},
        },
    }
    said = {"type": "content_block_delta", "index": 0, "delta": {"text": "one two three four"}}
    for event in (start, said):
        reader.feed(b"data: " + msgspec.json.encode(event) + b"\n\n")
    assert reader.spending(REQUEST)() == Usage(9, 90, 0, 4, 0, estimated=True)
