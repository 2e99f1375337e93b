"""The OpenAI reader on streams as OpenAI and its imitators write them, cut at every byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from openai.types.chat import ChatCompletionChunk

from parlour.domain import ToolSpec, Usage
from parlour.models.failures import BadFinish, ModelFailure, NoFinish
from parlour.models.openai import OpenAIModel, OpenAIReader
from parlour.models.port import ModelReply, ModelRequest
from parlour.models.wire import DONE, FINISHED, SPEAKING

FIXTURES = Path(__file__).parents[2] / "fixtures" / "openai"
REQUEST = ModelRequest([{"role": "user", "content": "hi"}])


class Sink:
    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def text(self, text: str) -> None:
        self.events.append(("text", text))

    def reasoning(self, text: str) -> None:
        self.events.append(("reasoning", text))

    def flush(self) -> None:
        self.events.append(("flush", ""))


def read(data: bytes, size: int = 1 << 20) -> ModelReply:
    reader = OpenAIReader(Sink())
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
    return reader.reply(REQUEST)


def fixture(name: str) -> bytes:
    return (FIXTURES / f"{name}.sse").read_bytes()


def line(value: Any) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"


def without_made_ids(reply: ModelReply) -> tuple[Any, ...]:
    calls = [(call.name, call.arguments) for call in reply.tool_calls]
    return reply.text, reply.reasoning, reply.finish_reason, calls, reply.usage, reply.served_by


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.sse")), ids=lambda path: path.stem)
def test_the_size_of_the_reads_makes_no_difference(path: Path) -> None:
    data = path.read_bytes()
    whole = without_made_ids(read(data))
    for size in (1, 2, 3, 7, 100):
        assert without_made_ids(read(data, size)) == whole
    assert without_made_ids(read(data.replace(b"\n", b"\r\n"), 5)) == whole


@pytest.mark.parametrize("name", ["text", "parallel_tools", "refusal"])
def test_the_fixtures_of_openai_itself_fit_its_own_types(name: str) -> None:
    for payload in fixture(name).split(b"\n\n"):
        if payload.startswith(b"data: {"):
            ChatCompletionChunk.model_validate_json(payload[6:], strict=True)


def test_text_with_usage_in_a_chunk_without_choices() -> None:
    reply = read(fixture("text"))
    assert reply.text == "17.5 % of 2,340 is 409.5."
    assert reply.finish_reason == "stop"
    assert reply.usage == Usage(input=240, cache_read=640, cache_write=20, output=28, reasoning=12)
    assert reply.served_by == "gpt-5.1-2026-03-01"


def test_interleaved_tool_calls_are_put_together() -> None:
    calls = read(fixture("parallel_tools")).tool_calls
    assert [(call.id, call.name, call.arguments) for call in calls] == [
        ("call_AAA", "parlour__calculator", {"expression": "1 + 1"}),
        ("call_BBB", "parlour__current_time", {}),
    ]


def test_a_refusal_is_part_of_the_answer() -> None:
    assert read(fixture("refusal")).text == "I cannot help with that."


def test_usage_on_every_chunk_counts_once() -> None:
    reply = read(fixture("vllm_usage_on_every_chunk"))
    assert reply.usage == Usage(input=10, output=2, reasoning=2)
    assert (reply.reasoning, reply.text) == ("Let me see.", "Four.")


def test_reasoning_under_its_other_name_and_comments_between() -> None:
    reply = read(fixture("openrouter_reasoning"))
    assert (reply.reasoning, reply.text, reply.finish_reason) == ("First", "Done", "stop")
    assert reply.usage == Usage(input=9, output=2, reasoning=3)


def test_parallel_calls_under_one_index_stay_apart_and_stop_means_tool_calls() -> None:
    reply = read(fixture("gemini_same_index"))
    assert [(call.name, call.arguments) for call in reply.tool_calls] == [
        ("a", {"x": 1}),
        ("b", {"x": 2}),
    ]
    assert reply.finish_reason == "tool_calls"


def test_a_call_without_id_gets_one() -> None:
    (call,) = read(fixture("ollama_no_ids_object_arguments")).tool_calls
    (again,) = read(fixture("ollama_no_ids_object_arguments")).tool_calls
    assert call.arguments == {"x": 1}
    assert call.id.startswith("call_")
    assert call.id != again.id


def test_content_as_a_list_of_parts() -> None:
    reply = read(fixture("mistral_parts"))
    assert (reply.reasoning, reply.text) == ("Hm.", "Yes.")


def test_a_missing_end_mark_is_no_failure_after_a_finish_reason() -> None:
    reply = read(fixture("deepseek_no_done"))
    assert reply.usage == Usage(input=10, cache_read=20, output=1)


def test_reasoning_counted_beside_the_completion_is_not_subtracted() -> None:
    assert read(fixture("xai_reasoning_beside")).usage == Usage(input=10, output=1, reasoning=50)


def test_an_opening_chunk_without_choices_is_skipped() -> None:
    assert read(fixture("azure_filter_first")).finish_reason == "content_filter"


def test_feed_says_how_far_the_reply_is() -> None:
    reader = OpenAIReader(Sink())
    assert reader.feed(line({"choices": [{"delta": {"content": "x"}}]})) == SPEAKING
    assert reader.feed(line({"choices": [{"delta": {}, "finish_reason": "stop"}]})) == FINISHED
    assert reader.feed(b"data: [DONE]\n\n") == DONE


def test_one_read_is_one_piece_and_one_flush_whatever_it_holds() -> None:
    sink = Sink()
    reader = OpenAIReader(sink)
    token = line({"choices": [{"delta": {"content": "x"}}]})
    reader.feed(token * 5)
    assert sink.events == [("text", "xxxxx"), ("flush", "")]
    reader.feed(b": keep-alive\n\n")
    assert len(sink.events) == 2


def test_thinking_and_words_of_one_read_keep_their_order() -> None:
    sink = Sink()
    parts = [
        ("content", "a"),
        ("content", "b"),
        ("reasoning", "c"),
        ("reasoning", "d"),
        ("content", "e"),
    ]
    OpenAIReader(sink).feed(b"".join(line({"choices": [{"delta": {k: v}}]}) for k, v in parts))
    assert sink.events == [("text", "ab"), ("reasoning", "cd"), ("text", "e"), ("flush", "")]


def test_what_was_said_before_a_break_is_flushed() -> None:
    sink = Sink()
    data = line({"choices": [{"delta": {"content": "x"}}]}) + b"data: {\n\n"
    with pytest.raises(ModelFailure):
        OpenAIReader(sink).feed(data)
    assert sink.events == [("text", "x"), ("flush", "")]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"error": {"message": "boom", "type": "server_error"}}, "upstream_error_event"),
        ({"error": "boom"}, "upstream_error_event"),
        ({"object": "error", "message": "boom", "code": 500}, "upstream_error_event"),
        ({"error": {"message": "x", "code": "rate_limit_exceeded"}}, "upstream_rate_limited"),
        (
            {"error": {"code": 502, "message": "x"}, "choices": [{"finish_reason": "error"}]},
            "upstream_error_event",
        ),
    ],
)
def test_an_error_inside_the_stream_is_a_failure(error: Any, code: str) -> None:
    with pytest.raises(ModelFailure) as caught:
        read(line({"choices": [{"delta": {"content": "x"}}]}) + line(error))
    assert caught.value.code == code


@pytest.mark.parametrize("reason", ["error", "abort", "insufficient_system_resource", "later"])
def test_a_finish_reason_that_is_not_known_is_a_failure(reason: str) -> None:
    with pytest.raises(BadFinish):
        read(line({"choices": [{"delta": {}, "finish_reason": reason}]}))


def test_an_end_mark_without_a_finish_reason_fails_at_once() -> None:
    with pytest.raises(NoFinish):
        OpenAIReader(Sink()).feed(
            line({"choices": [{"delta": {"content": "x"}}]}) + b"data: [DONE]\n\n"
        )


def test_nulls_and_missing_fields_are_normal() -> None:
    data = line({"choices": None, "usage": None}) + line({"choices": [{"delta": None}]})
    data += line({"choices": [{"delta": {"content": None, "tool_calls": None}}]})
    data += line({"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]})
    assert read(data).text == "x"


# --- the request -------------------------------------------------------------------------------


def body(model: str = "m", url: str = "http://localhost:1/v1", **fields: Any) -> dict[str, Any]:
    request = ModelRequest([{"role": "user", "content": "hi"}], **fields)
    return msgspec.json.decode(OpenAIModel(model, base_url=url).body(request))


@pytest.mark.parametrize(
    ("model", "url", "bound"),
    [
        ("qwen3", "http://localhost:1/v1", "max_tokens"),
        ("gpt-4o", "https://gateway.example/v1", "max_tokens"),
        ("gpt-5.1", "https://gateway.example/v1", "max_completion_tokens"),
        ("openai/o3-mini", "https://gateway.example/v1/", "max_completion_tokens"),
        ("gpt-4o", "https://api.openai.com/v1", "max_completion_tokens"),
        ("gpt-4o", "https://eu.api.openai.com/v1", "max_completion_tokens"),
        ("x", "https://acme.openai.azure.com/openai/v1", "max_completion_tokens"),
        ("x", "https://notapi.openai.com.example/v1", "max_tokens"),
        ("mixtral-o1", "http://localhost:1/v1", "max_tokens"),
    ],
)
def test_the_bound_of_the_reply_has_the_name_that_the_server_knows(
    model: str, url: str, bound: str
) -> None:
    sent = body(model, url, max_tokens=7)
    assert sent[bound] == 7
    assert len({"max_tokens", "max_completion_tokens"} & sent.keys()) == 1
    assert sent["stream_options"]["include_usage"] is True


def test_padding_is_switched_off_where_it_is_known() -> None:
    assert "include_obfuscation" not in body()["stream_options"]
    own = body(url="https://api.openai.com/v1")
    assert own["stream_options"] == {"include_usage": True, "include_obfuscation": False}


def test_only_what_was_asked_for_is_sent() -> None:
    assert body().keys() == {"model", "messages", "stream", "stream_options", "max_tokens"}
    assert body(temperature=0.0)["temperature"] == 0.0


def test_messages_and_tools_in_the_dialect() -> None:
    request = ModelRequest(
        [
            {"role": "system", "content": "s"},
            {"role": "user", "content": "u"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {"id": "1", "name": "a", "arguments": {"x": "ü"}},
                    {"id": "2", "name": "b", "arguments": None},
                ],
            },
            {"role": "tool", "call_id": "1", "name": "a", "content": "r"},
            {"role": "assistant", "content": "done"},
        ],
        tools=(ToolSpec("a", "d", {}),),
    )
    model = OpenAIModel("m", base_url="http://localhost:1")
    assert model.body(request) == model.body(request)
    sent = msgspec.json.decode(model.body(request))
    first = {"name": "a", "arguments": '{"x":"ü"}'}
    assert sent["messages"] == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "u"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "1",
                    "type": "function",
                    "function": first,
                },
                {"id": "2", "type": "function", "function": {"name": "b", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "1", "content": "r"},
        {"role": "assistant", "content": "done"},
    ]
    assert sent["tools"][0]["function"]["parameters"] == {"type": "object", "properties": {}}
