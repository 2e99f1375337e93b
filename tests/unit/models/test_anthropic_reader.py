"""The Anthropic reader on streams as the API documents them, cut at every byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from anthropic.types import RawMessageStreamEvent
from pydantic import TypeAdapter

from parlour.domain import ToolSpec, Usage
from parlour.models.anthropic import AnthropicModel, AnthropicReader, converse
from parlour.models.failures import BadFinish, ModelFailure, NoFinish
from parlour.models.port import ModelReply, ModelRequest

FIXTURES = Path(__file__).parents[2] / "fixtures" / "anthropic"
REQUEST = ModelRequest([{"role": "user", "content": "hi"}])
WHOLE = ["text", "thinking_and_tools", "server_tool_and_unknown_events", "refusal"]


class Sink:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.thought: list[str] = []

    def text(self, text: str) -> None:
        self.said.append(text)

    def reasoning(self, text: str) -> None:
        self.thought.append(text)

    def flush(self) -> None:
        pass


def read(name: str, size: int = 1 << 20) -> ModelReply:
    data = (FIXTURES / f"{name}.sse").read_bytes()
    reader = AnthropicReader(Sink())
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
    return reader.reply(REQUEST)


@pytest.mark.parametrize("name", WHOLE)
def test_the_size_of_the_reads_makes_no_difference(name: str) -> None:
    for size in (1, 2, 3, 7, 100):
        assert read(name, size) == read(name)


@pytest.mark.parametrize("name", ["text", "thinking_and_tools", "refusal", "window_exceeded"])
def test_the_fixtures_fit_the_types_of_the_official_package(name: str) -> None:
    official: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
    for line in (FIXTURES / f"{name}.sse").read_bytes().splitlines():
        if line.startswith(b"data: ") and b'"ping"' not in line:
            official.validate_json(line[6:])


def test_text_and_usage_that_excludes_the_cache() -> None:
    reply = read("text")
    assert reply.text == "17.5 % of 2,340 is 409.5."
    assert reply.finish_reason == "stop"
    assert reply.usage == Usage(input=25, cache_read=640, cache_write=20, output=15)
    assert reply.served_by == "claude-sonnet-4-5-20250929"


def test_thinking_text_and_tools_each_in_their_place() -> None:
    reply = read("thinking_and_tools")
    assert reply.reasoning == "I need two tools."
    assert reply.text == "One moment."
    assert reply.finish_reason == "tool_calls"
    assert [(call.id, call.name, call.arguments) for call in reply.tool_calls] == [
        ("toolu_01", "parlour__calculator", {"expression": "1 + 1"}),
        ("toolu_02", "parlour__current_time", {}),
    ]
    assert reply.usage == Usage(input=25, output=59, reasoning=30)


def test_what_is_not_ours_passes_by() -> None:
    reply = read("server_tool_and_unknown_events")
    assert (reply.text, reply.tool_calls, reply.finish_reason) == ("Found.", (), "stop")


def test_stop_reasons_are_normalised() -> None:
    assert read("refusal").finish_reason == "content_filter"
    assert read("window_exceeded").finish_reason == "length"
    with pytest.raises(BadFinish):
        read("pause_turn")


def test_an_error_event_is_a_failure_of_its_kind() -> None:
    with pytest.raises(ModelFailure) as caught:
        read("overloaded")
    assert caught.value.code == "upstream_overloaded"


def test_a_stop_without_a_reason_is_a_failure() -> None:
    with pytest.raises(NoFinish):
        AnthropicReader(Sink()).feed(b'data: {"type": "message_stop"}\n\n')


# --- the request -------------------------------------------------------------------------------


def test_system_apart_roles_merged_and_results_in_user_messages() -> None:
    system, messages = converse(
        [
            {"role": "system", "content": "one"},
            {"role": "system", "content": "two"},
            {"role": "user", "content": "a"},
            {"role": "user", "content": "b"},
            {
                "role": "assistant",
                "content": " ",
                "tool_calls": [
                    {"id": "call:1", "name": "t", "arguments": {"x": 1}},
                    {"id": "call_2", "name": "u", "arguments": None},
                ],
            },
            {"role": "tool", "call_id": "call:1", "name": "t", "content": "r1"},
            {"role": "tool", "call_id": "call_2", "name": "u", "content": "r2"},
            {"role": "user", "content": "c"},
            {"role": "assistant", "content": ""},
        ]
    )
    assert system == "one\n\ntwo"
    assert messages == [
        {
            "role": "user",
            "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "call_1", "name": "t", "input": {"x": 1}},
                {"type": "tool_use", "id": "call_2", "name": "u", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": "r1"},
                {"type": "tool_result", "tool_use_id": "call_2", "content": "r2"},
                {"type": "text", "text": "c"},
            ],
        },
    ]


def test_the_body_has_what_the_api_wants() -> None:
    request = ModelRequest(
        [{"role": "user", "content": "hi"}],
        tools=(ToolSpec("a", "d", {"type": "object"}),),
        max_tokens=9,
        temperature=0.5,
    )
    sent = msgspec.json.decode(AnthropicModel("m", base_url="http://localhost:1").body(request))
    assert sent == {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "stream": True,
        "tools": [{"name": "a", "description": "d", "input_schema": {"type": "object"}}],
        "temperature": 0.5,
    }
