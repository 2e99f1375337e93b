"""A cheap stand-in for a model provider: OpenAI chat completions at a given rate.

`python -m benchmarks.upstream --port 0` prints its port. A request is answered as its last user
message asks (`bench-<rate>-<tokens>`, see wire.py), else as its model name asks. Frames are encoded
once, and streams of one rate share sixteen ticks instead of having a timer each, so that the
provider costs a few microseconds a token and leaves the core to the load generator.

`GET /stats` tells streams open, aborted by the reader and finished, tokens sent, and by how much
the ticks were late (ms, since the last `/stats?reset`): a late tick means this process was starved.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
from functools import cache
from typing import cast

import uvloop

from benchmarks import wire

PHASES = 16  # 2,000 streams at 30/s: 125 writes a tick, a tick every 2 ms.
TOKENS_MAX = 20_000

_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _frame(delta: dict[str, str], finish: str | None = None) -> bytes:
    payload = {
        "id": "chatcmpl-BenchBenchBenchBenchBenchBench",
        "object": "chat.completion.chunk",
        "created": 1_760_000_000,
        "model": "bench-2026-01-01",
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        "usage": None,
        "obfuscation": "xxxxxxxx",
    }
    return _chunk(b"data: " + json.dumps(payload, separators=(",", ":")).encode() + b"\n\n")


@cache
def _token_frame(index: int) -> bytes:
    return _frame({"content": wire.token(index)})


def _usage(tokens: int) -> dict[str, object]:
    return {
        "prompt_tokens": 12,
        "completion_tokens": tokens,
        "total_tokens": tokens + 12,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


@cache
def _tail(tokens: int) -> bytes:
    usage: dict[str, object] = {
        "id": "chatcmpl-BenchBenchBenchBenchBenchBench",
        "object": "chat.completion.chunk",
        "created": 1_760_000_000,
        "model": "bench-2026-01-01",
        "choices": [],
        "usage": _usage(tokens),
    }
    data = b"data: " + json.dumps(usage, separators=(",", ":")).encode() + b"\n\n"
    return _frame({}, "stop") + _chunk(data) + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


_ROLE = _frame({"role": "assistant", "content": ""})


class Clock:
    """The ticks of one rate: streams are dealt to sixteen phases, each a single timer."""

    def __init__(self, rate: int, stats: Stats) -> None:
        self._loop = asyncio.get_running_loop()
        self._period = 1 / rate
        self._stats = stats
        self._groups: list[list[Provider]] = [[] for _ in range(PHASES)]
        self._next = 0
        now = self._loop.time()
        for number in range(PHASES):
            due = now + self._period * (1 + number / PHASES)
            self._loop.call_at(due, self._tick, number, due)

    def add(self, stream: Provider) -> None:
        """Send this stream one token at each coming tick of its phase."""
        self._groups[self._next].append(stream)
        self._next = (self._next + 1) % PHASES

    def _tick(self, number: int, due: float) -> None:
        self._stats.late(self._loop.time() - due)
        group = self._groups[number]
        going = [stream for stream in group if stream.send_next()]
        if len(going) != len(group):
            self._groups[number] = going
        self._loop.call_at(due + self._period, self._tick, number, due + self._period)


class Stats:
    """What the mock did so far; `late_ms` are tick delays in steps of 1 ms."""

    def __init__(self) -> None:
        self.requests = self.open = self.aborted = self.finished = self.sent = 0
        self._late: dict[int, int] = {}

    def late(self, seconds: float) -> None:
        """Count how late a tick was."""
        step = max(0, int(seconds * 1000))
        self._late[step] = self._late.get(step, 0) + 1

    def report(self, *, reset: bool) -> dict[str, int]:
        """All counters; `reset` forgets the tick delays."""
        wanted, seen, p99 = sum(self._late.values()) * 0.99, 0, 0
        for p99 in sorted(self._late):
            seen += self._late[p99]
            if seen >= wanted:
                break
        if reset:
            self._late.clear()
        return {
            "requests": self.requests,
            "open": self.open,
            "aborted": self.aborted,
            "finished": self.finished,
            "sent": self.sent,
            "late_p99_ms": p99,
        }


class Mock:
    """What all connections share: counters and one clock per rate."""

    def __init__(self) -> None:
        self.stats = Stats()
        self._clocks: dict[int, Clock] = {}

    def clock(self, rate: int) -> Clock:
        """The shared clock of `rate` tokens a second."""
        if rate not in self._clocks:
            self._clocks[rate] = Clock(rate, self.stats)
        return self._clocks[rate]


class Provider(asyncio.Protocol):
    """One connection of a client; requests follow each other on it."""

    def __init__(self, mock: Mock) -> None:
        self._mock = mock
        self._stats = mock.stats
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._at = self._tokens = 0
        self._streaming = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to write to."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        """A stream that was still going counts as aborted."""
        self._transport = None
        if self._streaming:
            self._streaming = False
            self._stats.open -= 1
            self._stats.aborted += 1

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self._buffer += data
        while (request := self._take()) is not None:
            self._answer(*request)

    def _take(self) -> tuple[bytes, bytes] | None:
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return None
        lower = head.lower()
        if b"transfer-encoding: chunked" in lower:
            end = self._buffer.find(b"0\r\n\r\n", len(head) + 2)
            if end < 0:
                return None
            content = wire.body(self._buffer[: end + 5])
            self._buffer = self._buffer[end + 5 :]
            return head, content
        size = 0
        at = lower.find(b"content-length:")
        if at >= 0:
            size = int(lower[at + 15 :].split(b"\r\n", 1)[0])
        if len(rest) < size:
            return None
        self._buffer = rest[size:]
        return head, rest[:size]

    def _answer(self, head: bytes, content: bytes) -> None:
        path = head.split(b" ", 2)[1]
        if path.startswith(b"/stats"):
            self._reply(self._stats.report(reset=b"reset" in path))
        elif path.endswith(b"/models"):
            models = [{"id": "bench-30-2000", "object": "model", "created": 0, "owned_by": "bench"}]
            self._reply({"object": "list", "data": models})
        elif path.endswith(b"/chat/completions"):
            self._complete(json.loads(content))
        else:
            self._reply({"error": {"message": "no such path", "type": "invalid_request"}}, 404)

    def _reply(self, value: object, status: int = 200) -> None:
        data = json.dumps(value).encode()
        head = b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        if self._transport:
            self._transport.write(head % (status, len(data)) + data)

    def _complete(self, request: dict[str, object]) -> None:
        self._stats.requests += 1
        rate, tokens = _wanted(request)
        if not request.get("stream"):
            self._reply(_completion(tokens))
            return
        assert self._transport
        if rate == 0:
            frames = b"".join(_token_frame(index) for index in range(tokens))
            self._transport.write(_HEAD + _ROLE + frames + _tail(tokens))
            self._stats.sent += tokens
            self._stats.finished += 1
            return
        self._at, self._tokens, self._streaming = 1, tokens, True
        self._stats.open += 1
        self._stats.sent += 1
        self._transport.write(_HEAD + _ROLE + _token_frame(0))
        self._mock.clock(rate).add(self)

    def send_next(self) -> bool:
        """Send one token; False when the stream is over or its reader has gone."""
        transport = self._transport
        if transport is None or not self._streaming:
            return False
        if self._at < self._tokens:
            transport.write(_token_frame(self._at))
            self._at += 1
            self._stats.sent += 1
            return True
        self._streaming = False
        self._stats.open -= 1
        self._stats.finished += 1
        transport.write(_tail(self._tokens))
        return False


def _wanted(request: dict[str, object]) -> tuple[int, int]:
    messages = request.get("messages")
    texts = [json.dumps(m) for m in messages if m["role"] == "user"] if messages else []  # type: ignore[attr-defined]
    wanted = read if texts and (read := wire.read_order(texts[-1])) else None
    rate, tokens = wanted or wire.read_order(str(request.get("model"))) or (30, 100)
    return rate, min(max(1, tokens), TOKENS_MAX)


def _completion(tokens: int) -> dict[str, object]:
    message = {"role": "assistant", "content": wire.answer(tokens)}
    return {
        "id": "chatcmpl-Bench",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": "bench-2026-01-01",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": _usage(tokens),
    }


async def serve(host: str, port: int) -> None:
    """Answer until cancelled; prints the port as the first line."""
    loop = asyncio.get_running_loop()
    mock = Mock()
    server = await loop.create_server(lambda: Provider(mock), host, port, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    await server.serve_forever()


def main() -> None:
    """Command line: `--port` (0 = any free one)."""
    parser = argparse.ArgumentParser(description="A cheap stand-in for a provider.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    uvloop.run(serve(options.host, options.port))


if __name__ == "__main__":
    main()
