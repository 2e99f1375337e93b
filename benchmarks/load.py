"""A cheap load generator: many open streams, or many short turns, against one server.

Raw asyncio protocols, no HTTP library: per read it counts tokens in the bytes, notes the gap and
appends to a buffer. Replies are checked after the run, token by token, against what the mock
provider said. Import it, or run `python -m benchmarks.load --help` by hand.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import cast

import uvloop

from benchmarks import system, wire
from benchmarks.figures import Histogram, percentile

_PROBLEM = re.compile(rb'"code": ?"(\w+)"')
GRACE_S = 20.0  # After its last token was due, a stream may take so long before it counts as hung.
REFUSAL_S = 0.2  # A refusal says why in a later packet than its header.


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens, and the face to speak to."""

    host: str
    port: int
    dialect: wire.Dialect


@dataclass(frozen=True, slots=True)
class Plan:
    """Streams opened evenly over `ramp_s`; then `settle_s` of quiet, then the measured window.

    Every stream lasts until the window is over for all of them, and then ends by itself.
    """

    streams: int
    rate: int = 30
    ramp_s: float = 4.0
    settle_s: float = 1.0
    window_s: float = 6.0

    @property
    def tokens(self) -> int:
        """Tokens of each reply, so that the first stream to open outlasts the window."""
        return int(self.rate * (self.ramp_s + self.settle_s + self.window_s + 1.0))


@dataclass
class StreamReport:
    """What the readers saw. Gaps are between reads that brought tokens, within the window."""

    streams: int
    window_s: float
    tokens: int  # within the window
    reads: int  # within the window
    delivered: float  # share of the tokens that were due within the window
    gap_p50_ms: float
    gap_p99_ms: float
    first_p50_ms: float
    first_p99_ms: float
    complete: int
    errors: dict[str, int] = field(default_factory=dict[str, int])


@dataclass
class TurnReport:
    """Short turns one after another: times from request to first token and to the end, in ms."""

    turns: int
    seconds: float
    first_ms: list[float]
    whole_ms: list[float]
    errors: dict[str, int]


class Meter:
    """What all connections of a run add to; nothing is counted while `on` is false."""

    __slots__ = ("gaps", "on", "reads", "tokens")

    def __init__(self) -> None:
        self.on = False
        self.tokens = self.reads = 0
        self.gaps = Histogram()


class Connection(asyncio.Protocol):
    """One client connection; one request at a time."""

    __slots__ = ("_done", "_meter", "_transport", "began", "ended", "first", "last", "reply")

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._transport: asyncio.Transport | None = None
        self._done: asyncio.Future[None] | None = None
        self.began = self.first = self.last = self.ended = 0.0
        self.reply = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to write to."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        """Whatever has come by now is all there is."""
        self._transport = None
        self._finish()

    def ask(self, request: bytes) -> asyncio.Future[None]:
        """Send a request; the future is done when its reply is over (or the line is)."""
        self._done = asyncio.get_running_loop().create_future()
        self.reply = bytearray()
        self.first = self.last = self.ended = 0.0
        self.began = time.perf_counter()
        if self._transport is None:
            self._finish()
        else:
            self._transport.write(request)
        return self._done

    def data_received(self, data: bytes) -> None:
        """Count, time and keep; this is the hot path of the load generator."""
        reply = self.reply
        reply += data
        tokens = data.count(wire.MARK)
        if tokens:
            now = time.perf_counter()
            if self.last:
                meter = self._meter
                if meter.on:
                    meter.tokens += tokens
                    meter.reads += 1
                    meter.gaps.add(now - self.last)
            else:
                self.first = now
            self.last = now
        if reply.endswith(wire.END_OF_CHUNKS):
            self._finish()
        elif not tokens and wire.status(reply) != 200:
            asyncio.get_running_loop().call_later(REFUSAL_S, self.close)

    def close(self) -> None:
        """Hang up."""
        if self._transport:
            self._transport.close()

    def _finish(self) -> None:
        if self._done and not self._done.done():
            self.ended = time.perf_counter()
            self._done.set_result(None)


def _refusal(code: int, reply: bytes) -> str:
    """One sentence for all refusals of a kind: the problem's code, else how the reply ends."""
    if not reply:
        return "no reply"
    problem = _PROBLEM.search(reply)
    return f"status {code}: {problem[1].decode() if problem else repr(reply[-80:])}"


def fault(reply: bytes, dialect: wire.Dialect, tokens: int) -> str:
    """What is wrong with a reply, as a short sentence; empty when it is whole and right."""
    code = wire.status(reply)
    if code != 200:
        return _refusal(code, bytes(reply))
    try:
        text = wire.said(bytes(reply), dialect)
    except ValueError as error:
        return f"cut: {error}"
    if text != wire.answer(tokens):
        return f"wrong text: {text.count(wire.MARK.decode())} of {tokens} tokens"
    return ""


async def _connect(address: Address, meter: Meter) -> Connection:
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(
        lambda: Connection(meter), address.host, address.port
    )
    return connection


async def _one_stream(
    address: Address, meter: Meter, ask: wire.Ask, start: float, limit_s: float
) -> Connection:
    await asyncio.sleep(start - time.perf_counter())
    try:
        connection = await _connect(address, meter)
    except OSError:
        return Connection(meter)
    try:
        async with asyncio.timeout(limit_s):
            await connection.ask(address.dialect.request(ask))
    except TimeoutError:
        pass
    finally:
        connection.close()
    return connection


async def streams(
    address: Address, plan: Plan, on_window: Callable[[bool], None] = lambda _: None
) -> StreamReport:
    """Open all streams, measure the window, let them end, check every reply.

    `on_window(True)` is called when the window begins and `on_window(False)` when it ends.
    """
    meter = Meter()
    began = time.perf_counter() + 0.2
    limit_s = plan.tokens / plan.rate + GRACE_S
    tasks = [
        asyncio.create_task(
            _one_stream(
                address,
                meter,
                wire.Ask(number, str(uuid.uuid4()), plan.rate, plan.tokens),
                began + plan.ramp_s * number / plan.streams,
                limit_s,
            )
        )
        for number in range(plan.streams)
    ]
    await asyncio.sleep(began + plan.ramp_s + plan.settle_s - time.perf_counter())
    opened = time.perf_counter()
    meter.on = True
    on_window(True)
    await asyncio.sleep(plan.window_s)
    on_window(False)
    meter.on = False
    window_s = time.perf_counter() - opened
    connections = await asyncio.gather(*tasks)
    faults = Counter(fault(bytes(one.reply), address.dialect, plan.tokens) for one in connections)
    complete = faults.pop("", 0)
    firsts = [(one.first - one.began) * 1000 for one in connections if one.first]
    return StreamReport(
        streams=plan.streams,
        window_s=window_s,
        tokens=meter.tokens,
        reads=meter.reads,
        delivered=meter.tokens / (plan.streams * plan.rate * window_s),
        gap_p50_ms=meter.gaps.percentile_ms(0.5),
        gap_p99_ms=meter.gaps.percentile_ms(0.99),
        first_p50_ms=percentile(firsts, 0.5),
        first_p99_ms=percentile(firsts, 0.99),
        complete=complete,
        errors=dict(faults.most_common(10)),
    )


async def turns(
    address: Address, *, clients: int, seconds: float, pause_s: float = 0.0, threads_each: int = 4
) -> TurnReport:
    """Ask for 1-token answers, one after another on each client's connection, for `seconds`.

    A thread holds `threads_each` turns, and a client alternates between two threads, so that a
    turn never follows at once in the same one, as with people.
    """
    meter = Meter()
    firsts: list[float] = []
    wholes: list[float] = []
    errors: Counter[str] = Counter()
    began = time.perf_counter()

    async def client(number: int) -> None:
        connection = await _connect(address, meter)
        chance = random.Random(number)  # no secret
        pair = [str(uuid.uuid4()), str(uuid.uuid4())]
        count = 0
        while time.perf_counter() - began < seconds:
            if count % (2 * threads_each) == 0:
                pair = [str(uuid.uuid4()), str(uuid.uuid4())]
            ask = wire.Ask(number, pair[count % 2], 0, 1)
            count += 1
            wrong = ""
            try:
                async with asyncio.timeout(GRACE_S):
                    await connection.ask(address.dialect.request(ask))
            except TimeoutError:
                wrong = "hung"
            wrong = wrong or fault(bytes(connection.reply), address.dialect, 1)
            if wrong:
                errors[wrong] += 1
                connection.close()
                connection = await _connect(address, meter)
                continue
            firsts.append((connection.first - connection.began) * 1000)
            wholes.append((connection.ended - connection.began) * 1000)
            if pause_s:  # not in step with the others: people are not
                await asyncio.sleep(pause_s * chance.uniform(0.5, 1.5))
        connection.close()

    await asyncio.gather(*(client(number) for number in range(clients)))
    spent = time.perf_counter() - began
    return TurnReport(len(firsts), spent, firsts, wholes, dict(errors.most_common(10)))


def main() -> None:
    """Command line: open streams against a server that already runs, print the report as JSON."""
    parser = argparse.ArgumentParser(description="Open many streams against a running server.")
    parser.add_argument("port", type=int)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--dialect", choices=sorted(wire.DIALECTS), default="native")
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--rate", type=int, default=30)
    parser.add_argument("--ramp", type=float, default=4.0, help="seconds to open them all")
    parser.add_argument("--window", type=float, default=6.0, help="seconds measured")
    options = parser.parse_args()
    system.allow_many_files()
    address = Address(options.host, options.port, wire.DIALECTS[options.dialect])
    plan = Plan(options.streams, options.rate, options.ramp, 1.0, options.window)
    report = uvloop.run(streams(address, plan))
    print(json.dumps(asdict(report), indent=2))


if __name__ == "__main__":
    main()
