"""The real `openai` package against a running Parlour, which itself calls a mock provider."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionUserMessageParam

from tests.house import WAIT_S, House, shown
from tests.journey.conftest import OpenHouse
from tests.upstream import Reply, Upstream

SECRET = "a secret of at least thirty-two characters"
STOP_S = 0.5


@dataclass
class Desk:
    """An OpenAI client, the Parlour it talks to, and the provider behind."""

    client: openai.AsyncOpenAI
    house: House
    upstream: Upstream


def client_of(house: House, key: str = "none") -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        base_url=f"{house.url}/v1", api_key=key, max_retries=0, default_headers=shown()
    )


def settings_of(upstream: Upstream) -> dict[str, Any]:
    return {
        "model": "openai:mock-1",
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": upstream.openai_url,
        "models": {"tries_max": 1},  # what fails once is to be seen
    }


@pytest.fixture
async def desk(open_house: OpenHouse) -> AsyncIterator[Desk]:
    async with (
        Upstream() as upstream,
        open_house(**settings_of(upstream)) as house,
        client_of(house) as client,
    ):
        yield Desk(client, house, upstream)


def ask(text: str) -> list[ChatCompletionUserMessageParam]:
    return [{"role": "user", "content": text}]


async def test_a_streamed_answer_is_text_a_finish_reason_and_usage(desk: Desk):
    stream = await desk.client.chat.completions.create(
        model="parlour",
        messages=ask("[[think:Let me see]] [[say:It is so.]]"),
        stream=True,
        stream_options={"include_usage": True},
    )
    *chunks, last = [chunk async for chunk in stream]
    assert len({chunk.id for chunk in chunks}) == 1
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "It is so."
    thoughts = [getattr(chunk.choices[0].delta, "reasoning_content", "") for chunk in chunks]
    assert "".join(thoughts) == "Let me see"
    ends = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason]
    assert ends == ["stop"]
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.prompt_tokens == 11
    assert last.usage.completion_tokens == 6
    assert last.usage.total_tokens == 17
    assert last.usage.completion_tokens_details is not None
    assert last.usage.completion_tokens_details.reasoning_tokens == 3


async def test_usage_is_streamed_only_when_it_is_asked_for(desk: Desk):
    stream = await desk.client.chat.completions.create(
        model="parlour", messages=ask("hello"), stream=True
    )
    chunks = [chunk async for chunk in stream]
    assert all(len(chunk.choices) == 1 for chunk in chunks)
    assert all(chunk.usage is None for chunk in chunks)


async def test_a_whole_answer_has_text_and_usage(desk: Desk):
    desk.upstream.next(Reply(cache_read=640, cache_write=20, finish="length"))
    whole = await desk.client.chat.completions.create(model="parlour", messages=ask("hello"))
    assert whole.choices[0].message.content == "Hello from upstream."
    assert whole.choices[0].finish_reason == "length"
    assert whole.usage is not None
    assert whole.usage.prompt_tokens == 671  # as OpenAI counts: cached tokens are among them
    assert whole.usage.prompt_tokens_details is not None
    assert whole.usage.prompt_tokens_details.cached_tokens == 640


async def test_parlours_own_tools_answer_within_one_completion(desk: Desk):
    whole = await desk.client.chat.completions.create(
        model="parlour", messages=ask('[[call:parlour__calculator {"expression": "6 * 7"}]]')
    )
    assert "42" in (whole.choices[0].message.content or "")
    assert whole.choices[0].message.tool_calls is None
    assert len(desk.upstream.requests) == 2


async def test_the_callers_conversation_is_what_the_model_sees(desk: Desk):
    await desk.client.chat.completions.create(
        model="parlour",
        messages=[
            {"role": "system", "content": "Speak like a pirate."},
            {"role": "user", "content": "one"},
            {"role": "assistant", "content": "two"},
            {"role": "user", "content": [{"type": "text", "text": "three"}]},
        ],
        temperature=0.3,
        max_tokens=100,
    )
    first, *said = desk.upstream.requests[0].body["messages"]
    assert first["role"] == "system"
    assert "pirate" not in str(first)
    assert [message["content"] for message in said][1:] == ["one", "two", "three"]


@pytest.mark.promise("P4")
@pytest.mark.parametrize("streamed", [True, False])
async def test_a_caller_that_goes_away_stops_the_request_upstream(desk: Desk, streamed: bool):
    upstream = desk.upstream
    upstream.next(Reply(text=[" word"] * 10, hold_at=3))
    call = asyncio.ensure_future(
        desk.client.chat.completions.create(model="parlour", messages=ask("x"), stream=streamed)
    )
    await upstream.until(lambda: upstream.tokens_sent == 3)
    if streamed:
        stream = await asyncio.wait_for(call, WAIT_S)
        await anext(aiter(stream))
        gone = time.monotonic()
        await stream.close()
    else:
        gone = time.monotonic()
        call.cancel()
    await upstream.until(lambda: upstream.streaming == 0)
    assert time.monotonic() - gone < STOP_S
    assert upstream.aborted == 1
    for turn in tuple(desk.house.services.runner.running):
        await desk.house.ended(turn)
    assert not desk.house.services.runner.running


@pytest.mark.promise("P19")
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("rate_limit", "upstream_rate_limited"),
        ("cut_rst", "upstream_cut"),
        ("no_finish", "upstream_no_finish"),
    ],
)
async def test_a_failure_is_an_exception_with_its_code(desk: Desk, fault: str, code: str):
    desk.upstream.next(*[Reply(fault=fault)] * 2)
    create = desk.client.chat.completions.create
    with pytest.raises(openai.APIError) as streamed:
        async for _ in await create(model="parlour", messages=ask("x"), stream=True):
            pass
    with pytest.raises(openai.InternalServerError) as whole:
        await create(model="parlour", messages=ask("x"))
    for error in (streamed.value, whole.value):
        assert error.code == code
        assert "sk-" not in str(error.body)
    assert "." in streamed.value.message
    assert isinstance(whole.value.body, dict)


async def test_wrong_requests_are_the_packages_own_exceptions(desk: Desk):
    create = desk.client.chat.completions.create
    with pytest.raises(openai.NotFoundError) as unknown:
        await create(model="gpt-9", messages=ask("x"))
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as refused:
        await create(model="parlour", messages=[{"role": "assistant", "content": "hi"}])
    assert refused.value.code == "bad_request"
    assert desk.upstream.requests == []


async def test_the_models_are_listed(desk: Desk):
    models = [model.id async for model in desk.client.models.list()]
    assert models == ["parlour", "openai:mock-1"]
    for model in models:
        whole = await desk.client.chat.completions.create(model=model, messages=ask("hello"))
        assert whole.model == model


async def test_with_a_secret_the_key_is_the_hosts_token(open_house: OpenHouse):
    async with (
        Upstream() as upstream,
        open_house(secret=SECRET, **settings_of(upstream)) as house,
        client_of(house, "sk-wrong") as client,
    ):
        with pytest.raises(openai.AuthenticationError) as refused:
            await client.chat.completions.create(model="parlour", messages=ask("hello"))
        assert refused.value.code == "unauthenticated"
