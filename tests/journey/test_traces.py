"""A turn as a trace: a real collector sees what ran side by side, and no word of anybody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.house import WAIT_S, final
from tests.journey.conftest import OpenHouse, Script
from tests.journey.test_judge import scripted

SECRET_WORDS = ("canaryquestion", "canaryanswer", "canary.ann@example.org", "23 + 19")
SCRIPT: Script = [
    {"when": "^Topics: ", "steps": [{"gate": "verdict"}, {"text": "yes"}]},
    {
        "when": "canaryquestion",
        "rounds": [
            [
                {"gate": "model"},
                {
                    "calls": [
                        {"name": "parlour__calculator", "arguments": {"expression": "23 + 19"}},
                        {"name": "parlour__calculator", "arguments": {"expression": "2 + 2"}},
                    ]
                },
            ],
            [{"text": "canaryanswer"}],
        ],
    },
]


@dataclass
class Collector:
    """A collector of OpenTelemetry over HTTP, as far as traces go."""

    url: str = ""
    headers: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def receive(self, request: web.Request) -> web.Response:
        self.headers.append(request.headers.get("authorization", ""))
        self.bodies.append(await request.read())
        return web.Response()

    def spans(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for body in self.bodies:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    found |= {f"{s.name}#{s.span_id.hex()}": s for s in scope.spans}
        return found

    def named(self, name: str) -> list[Any]:
        return [span for key, span in self.spans().items() if key.startswith(f"{name}#")]


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    it = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", it.receive)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    it.url = f"http://127.0.0.1:{port}/v1/traces"
    yield it
    await runner.cleanup()


def side_by_side(one: Any, other: Any) -> bool:
    return (
        one.start_time_unix_nano < other.end_time_unix_nano
        and other.start_time_unix_nano < one.end_time_unix_nano
    )


async def test_a_trace_shows_the_three_groups_side_by_side_and_no_words(
    open_house: OpenHouse, collector: Collector
):
    policy = {"topics": {"allow": ["sales", "sums"]}, "privacy": {"email": "mask"}}
    traces = {"endpoint": collector.url, "headers": {"authorization": "Basic abc"}}
    async with open_house(SCRIPT, policy=policy, traces=traces) as it:
        started = await it.begin("c1", "canaryquestion for canary.ann@example.org")
        await asyncio.wait_for(scripted(it).reached("verdict"), WAIT_S)
        await asyncio.wait_for(scripted(it).reached("model"), WAIT_S)
        scripted(it).open("verdict")
        scripted(it).open("model")
        assert final(await it.read("c1", started["turn_id"])).status == "done"
    (turn,) = collector.named("turn")
    (topic,) = collector.named("input.topic")
    chats = collector.named(f"chat {it.services.model.name}")  # type: ignore[attr-defined]
    first = min(chats, key=lambda span: span.start_time_unix_nano)
    assert side_by_side(topic, first)
    one, other = collector.named("execute_tool parlour__calculator")
    assert side_by_side(one, other)
    assert len(collector.named("output.validate")) == 2
    for span in collector.spans().values():
        assert span.trace_id == turn.trace_id
        assert span.span_id == turn.span_id or span.parent_span_id
        assert turn.start_time_unix_nano <= span.start_time_unix_nano
    assert {pair.key for pair in first.attributes} >= {
        "gen_ai.operation.name",
        "gen_ai.request.model",
        "gen_ai.usage.input_tokens",
    }
    assert set(collector.headers) == {"Basic abc"}
    everything = b"".join(collector.bodies)
    for words in SECRET_WORDS:
        assert words.encode() not in everything


async def test_without_a_collector_turns_go_on(open_house: OpenHouse):
    traces = {"endpoint": "http://127.0.0.1:9/v1/traces"}
    async with open_house([{"when": ".", "steps": [{"text": "Hi."}]}], traces=traces) as it:
        assert final(await it.ask("c1", "hello")).status == "done"
