"""The embedded model for real: a child process that runs the 135M weights (98 MB, fetched once)."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest
from yarl import URL

from parlour.domain import ToolSpec
from parlour.errors import ConfigurationError
from parlour.models import weights
from parlour.models.local import LocalModel, build_local
from parlour.models.local_choice import choice_messages, choice_schema, read_choice
from parlour.models.local_process import LocalModelFailed, LocalProcess, Order
from parlour.models.openai import OpenAIReader
from parlour.models.port import ModelRequest
from parlour.models.wire import Wire, WireLimits

CACHE = Path(os.environ.get("PARLOUR_CACHE_DIR", weights.CACHE_DIR)).expanduser()
LONG = ModelRequest([{"role": "user", "content": "Tell me a very long story."}], max_tokens=1_000)
SHORT = ModelRequest([{"role": "user", "content": "Say hello."}], max_tokens=16)
CALCULATOR = ToolSpec(
    "parlour__calculator",
    "Work out arithmetic exactly.",
    {
        "type": "object",
        "properties": {"expression": {"type": "string", "minLength": 1, "maxLength": 500}},
        "required": ["expression"],
        "additionalProperties": False,
    },
)


class Heard:
    """A sink that keeps the words, and can be waited for."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.flushes = 0
        self.began = asyncio.Event()

    def text(self, text: str) -> None:
        self.said.append(text)
        self.began.set()

    def reasoning(self, text: str) -> None:
        raise AssertionError("this model does not think")

    def flush(self) -> None:
        self.flushes += 1


@pytest.fixture(scope="session")
def tiny() -> Path:
    """The 135M weights; the whole file fails when they cannot be had."""
    return weights.fetch("135m", CACHE)


@pytest.fixture
async def model(tiny: Path) -> AsyncIterator[LocalModel]:
    model = build_local("135m", data_dir=CACHE, cache_dir=CACHE, threads=2)
    yield model
    await model.close()


def wait_until_dead(pid: int, seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while alive(pid):
        assert time.monotonic() < deadline, f"process {pid} still runs after {seconds} s"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be reaped does not."""
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
            != "Z"
        )
    except FileNotFoundError:
        return False


def of_process(pid: int | None, name: str) -> bytes:
    return Path(f"/proc/{pid}/{name}").read_bytes()


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def test_it_streams_words_and_reports_what_they_took(model: LocalModel) -> None:
    heard = Heard()
    reply = await model.stream(SHORT, heard)
    assert reply.text == "".join(heard.said)
    assert len(heard.said) > 3
    assert heard.flushes > 1
    assert reply.finish_reason in {"stop", "length"}
    assert reply.served_by == model.name == "local:smollm2-135m"
    assert reply.usage.output == pytest.approx(len(heard.said), abs=2)
    assert reply.usage.input + reply.usage.cache_read > 5
    assert not reply.usage.estimated


async def test_what_was_read_before_is_not_read_again(model: LocalModel) -> None:
    first = await model.stream(SHORT, Heard())
    again = await model.stream(SHORT, Heard())
    assert again.usage.cache_read > first.usage.cache_read
    assert again.usage.input < 5


async def test_a_cancelled_answer_stops_the_work(model: LocalModel) -> None:
    heard = Heard()
    answer = asyncio.create_task(model.stream(LONG, heard))
    await asyncio.wait_for(heard.began.wait(), 60)
    answer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answer
    pid = model.process.pid
    assert pid is not None

    async def idle() -> None:
        while True:
            before = cpu_s(pid)
            await asyncio.sleep(0.3)
            if cpu_s(pid) - before < 0.05:
                return

    await asyncio.wait_for(idle(), 5)
    assert (await model.stream(SHORT, Heard())).text


async def test_a_killed_child_breaks_one_answer_and_is_started_again(model: LocalModel) -> None:
    heard = Heard()
    answer = asyncio.create_task(model.stream(LONG, heard))
    await asyncio.wait_for(heard.began.wait(), 60)
    first = model.process.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    with pytest.raises(LocalModelFailed) as failure:
        await asyncio.wait_for(answer, 5)
    assert failure.value.retryable
    assert (await model.stream(SHORT, Heard())).text
    assert model.process.pid not in {None, first}


async def test_two_turns_are_answered_side_by_side_and_a_third_waits(model: LocalModel) -> None:
    replies = await asyncio.gather(*(model.stream(SHORT, Heard()) for _ in range(3)))
    assert all(reply.text for reply in replies)


async def test_the_child_ends_with_close(tiny: Path) -> None:
    model = build_local(str(tiny), data_dir=CACHE)
    await model.warm()
    pid = model.process.pid
    assert pid is not None
    assert model.name == "local:smollm2-135m-instruct-q4_1"
    await model.close()
    assert not alive(pid)
    with pytest.raises(LocalModelFailed, match="shut down"):
        await model.stream(SHORT, Heard())


_PARENT = """
import asyncio, sys
from pathlib import Path
from parlour.models.local import build_local
async def main():
    model = build_local(sys.argv[1], data_dir=Path("."))
    starting = asyncio.create_task(model.warm())
    if sys.argv[2] == "ready":
        await starting
    while model.process.pid is None:
        await asyncio.sleep(0.01)
    print(model.process.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.mark.parametrize("when", ["ready", "loading"])
def test_the_child_dies_with_a_killed_parent(tiny: Path, when: str) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(tiny), when], stdout=subprocess.PIPE, text=True
    )
    try:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
    finally:
        parent.kill()
        parent.communicate()
    wait_until_dead(child)


async def test_the_child_knows_no_keys_and_lets_nobody_in(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-of-ours")
    process = LocalProcess(Order(model=tiny, threads=2))
    try:
        address = await process.ensure()
        environment = of_process(process.pid, "environ")
        arguments = of_process(process.pid, "cmdline")
        assert b"secret-of-ours" not in environment
        assert address.key.encode() not in environment + arguments
        assert address.url.startswith("http://127.0.0.1:")
        models = f"{address.url}/v1/models"
        async with aiohttp.ClientSession() as http, http.get(models) as refused:
            assert refused.status == 401
    finally:
        await process.close()


async def test_weights_that_cannot_be_loaded_are_told_and_tried_with_pauses(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\0" * 1_000)
    model = build_local(str(broken), data_dir=tmp_path)
    try:
        for _ in range(2):  # the second try comes at once, the third after a pause
            with pytest.raises(LocalModelFailed, match=r"broken\.gguf"):
                await model.stream(SHORT, Heard())
        started = time.monotonic()
        with pytest.raises(LocalModelFailed, match="2 times in a row") as failure:
            await model.stream(SHORT, Heard())
        assert time.monotonic() - started < 0.5
        assert failure.value.retry_after_s == 1
    finally:
        await model.close()


async def test_a_schema_makes_even_this_model_choose_a_tool(tiny: Path) -> None:
    process = LocalProcess(Order(model=tiny, threads=2))
    wire = Wire(WireLimits(first_byte_s=60))
    heard = Heard()
    reader = OpenAIReader(heard)
    messages = choice_messages([{"role": "user", "content": "What is 3 times 4?"}], (CALCULATOR,))
    only_tools = {"anyOf": choice_schema((CALCULATOR,))["anyOf"][1:]}
    try:
        address = await process.ensure()
        body = {
            "messages": messages,
            "stream": True,
            "max_tokens": 60,
            "temperature": 0,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "step", "schema": only_tools},
            },
        }
        await wire.post(
            URL(f"{address.url}/v1/chat/completions"),
            headers={
                "Content-Type": "application/json",
                "Authorization": f"Bearer {address.key}",
            },
            body=msgspec.json.encode(body),
            feed=reader.feed,
        )
    finally:
        await wire.close()
        await process.close()
    step = msgspec.json.decode("".join(heard.said))
    assert step["step"] == "parlour__calculator"
    assert set(step["arguments"]["expression"]) <= set("0123456789+-*/^(). ")
    request = read_choice(msgspec.json.encode(step | {"id": 1}).decode(), (CALCULATOR,))
    assert request is None or request.name == "parlour__calculator"


async def test_with_tools_on_offer_it_still_answers_in_words(model: LocalModel) -> None:
    request = ModelRequest(SHORT.messages, (CALCULATOR,), max_tokens=16)
    reply = await model.stream(request, Heard())
    assert reply.text or reply.tool_calls


@pytest.mark.timeout(600)  # it computes for as long as the tests beside it leave it
async def test_the_default_model_works_out_a_percentage() -> None:
    if weights.present(weights.named("1.5b"), CACHE) is None:
        pytest.skip("the 1.5B weights (1.1 GB) are not in the cache")
    model = build_local("1.5b", data_dir=CACHE, cache_dir=CACHE)
    question = {"role": "user", "content": "What is 17.5 % of 2,340?"}
    try:
        asked = await model.stream(ModelRequest([question], (CALCULATOR,)), Heard())
        (call,) = asked.tool_calls
        assert call.arguments == {"expression": "2340 * 17.5 / 100"}
        turn = [
            question,
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": call.id, "name": call.name, "arguments": call.arguments}],
            },
            {
                "role": "tool",
                "call_id": call.id,
                "name": call.name,
                "content": "2340 * 17.5 / 100 = 409.5",
            },
        ]
        told = await model.stream(ModelRequest(turn, (CALCULATOR,)), Heard())
        assert "409.5" in told.text
        greeted = await model.stream(
            ModelRequest([{"role": "user", "content": "hi"}], (CALCULATOR,)), Heard()
        )
        assert not greeted.tool_calls
        assert greeted.text
    finally:
        await model.close()


def test_a_model_that_is_not_here_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"Type: parlour fetch-model 0\.5b"):
        build_local("0.5b", data_dir=tmp_path, cache_dir=tmp_path)
    with pytest.raises(ConfigurationError, match="there is none"):
        build_local("/no/such.gguf", data_dir=tmp_path)
    other = tmp_path / "other.bin"
    other.write_bytes(b"PK\x03\x04")
    with pytest.raises(ConfigurationError, match="not a GGUF file"):
        build_local(str(other), data_dir=tmp_path)
