"""Which reads wait for the beat, and which never do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from parlour.models.bounds import WireLimits
from parlour.models.call import OPEN, SPEAKING, Call
from parlour.models.gather import HELD_BYTES, POSSIBLE, Gather, times
from parlour.models.line import Line

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
NEVER_S = 3_600.0

pytestmark = pytest.mark.skipif(not POSSIBLE, reason="nothing is held on this system")


@dataclass
class Talk:
    """A line, and the provider's end of it."""

    line: Line
    provider: socket.socket
    heard: list[bytes] = field(default_factory=list[bytes])
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def feed(self, data: bytes) -> int:
        self.heard.append(data)
        self.news.set()
        return OPEN if data == b"(thinks)" else SPEAKING

    def say(self, data: bytes) -> None:
        self.provider.sendall(data)

    async def next(self) -> bytes:
        await asyncio.wait_for(self.news.wait(), 5)
        self.news.clear()
        return b"".join(self.heard)


@asynccontextmanager
async def talking(gather: Gather, *, plain: bool = True) -> AsyncIterator[Talk]:
    loop = asyncio.get_running_loop()
    listening = socket.create_server(("127.0.0.1", 0))
    ours = socket.create_connection(listening.getsockname())
    provider, _ = listening.accept()
    listening.close()
    ours.setblocking(False)
    _, line = await loop.create_connection(lambda: Line(ours, gather, plain=plain), sock=ours)
    talk = Talk(line, provider)
    async with asyncio.timeout(None) as scope:
        call = Call(WireLimits(), talk.feed)
        call.begin(scope)
        line.ask(b"POST", call)
        try:
            yield talk
        finally:
            call.end()
            line.rest()
            line.close()
            provider.close()


async def after_what_passes_at_once() -> None:
    """Whatever the loop would have read by itself, it has read by now."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.sendall(b"x")
        assert await asyncio.get_running_loop().sock_recv(ours, 1) == b"x"


async def held(talk: Talk) -> None:
    talk.say(HEAD + b"first")
    assert await talk.next() == b"first"
    assert talk.line.group is not None


async def test_the_first_words_pass_at_once_and_the_next_wait_for_the_beat() -> None:
    gather = Gather(beat_s=NEVER_S, lines_min=0)
    async with talking(gather) as one, talking(gather) as other:
        await held(one)
        await held(other)
        group = one.line.group
        assert group is not None
        assert group is other.line.group
        for talk in (one, other):
            talk.say(b" second")
            talk.say(b" third")
        await after_what_passes_at_once()
        assert one.heard == other.heard == [b"first"]
        group.beat()
        assert one.heard == other.heard == [b"first", b" second third"]
        assert one.line.group is group, "it goes on so"


async def test_the_beat_comes_by_itself() -> None:
    async with talking(Gather(beat_s=0.01, lines_min=0)) as talk:
        await held(talk)
        talk.say(b" second")
        assert await talk.next() == b"first second"


def test_a_beat_grows_with_the_load_without_a_jump() -> None:
    assert [times(share) for share in (0, 0.16, 1 / 3, 0.9)] == pytest.approx([1, 1, 5 / 3, 5 / 3])
    grown = [times(percent / 100) for percent in range(101)]
    assert grown == sorted(grown)
    assert max(after - before for before, after in pairwise(grown)) < 0.07


async def test_what_comes_before_the_first_words_does_not_hold_a_line() -> None:
    async with talking(Gather(beat_s=NEVER_S, lines_min=0)) as talk:
        talk.say(HEAD + b"(thinks)")
        await talk.next()
        assert talk.line.group is None


@pytest.mark.parametrize(
    ("streams", "beat_s", "waits"), [(7, NEVER_S, False), (8, NEVER_S, True), (8, 0, False)]
)
async def test_few_streams_are_never_held(streams: int, beat_s: float, waits: bool) -> None:
    gather = Gather(beat_s=beat_s)
    gather.streams = streams
    async with talking(gather) as talk:
        talk.say(HEAD + b"first")
        await talk.next()
        assert (talk.line.group is not None) is waits


async def test_a_line_that_was_silent_for_a_beat_passes_at_once_again() -> None:
    async with talking(Gather(beat_s=NEVER_S, lines_min=0)) as talk:
        await held(talk)
        assert talk.line.group is not None
        talk.line.group.beat()
        assert talk.line.group is None
        talk.say(b" second")
        assert await talk.next() == b"first second"
        assert talk.line.group is not None


async def test_behind_tls_the_beat_lets_the_transport_read() -> None:
    async with talking(Gather(beat_s=NEVER_S, lines_min=0), plain=False) as talk:
        await held(talk)
        group = talk.line.group
        assert group is not None
        talk.say(b" second")
        await after_what_passes_at_once()
        assert talk.heard == [b"first"]
        group.beat()
        assert await talk.next() == b"first second"


@pytest.mark.parametrize(("size", "passes"), [(HELD_BYTES - 1, False), (HELD_BYTES, True)])
async def test_much_at_once_waits_for_no_beat(size: int, passes: bool) -> None:
    async with talking(Gather(beat_s=NEVER_S, lines_min=0)) as talk:
        await held(talk)
        talk.say(b"x" * size)
        if passes:
            assert await talk.next()
        await after_what_passes_at_once()
        assert (len(talk.heard) > 1) is passes


async def test_the_end_of_a_line_waits_for_no_beat() -> None:
    async with talking(Gather(beat_s=NEVER_S, lines_min=0)) as talk:
        await held(talk)
        talk.say(b" last")
        talk.provider.shutdown(socket.SHUT_WR)
        await asyncio.wait_for(talk.line.reply(), 5)
        assert b"".join(talk.heard) == b"first last"


async def test_a_line_that_rests_is_read_at_once_when_it_is_used_again() -> None:
    gather = Gather(beat_s=NEVER_S, lines_min=0)
    async with talking(gather) as talk:
        await held(talk)
        group = talk.line.group
        assert group is not None
        talk.line.rest()
        assert talk.line.group is None
        group.beat()  # which must not touch it
        call = Call(WireLimits(), talk.feed)
        async with asyncio.timeout(None) as scope:
            call.begin(scope)
            talk.line.ask(b"POST", call)
            talk.heard.clear()
            talk.say(HEAD + b"again")
            assert await talk.next() == b"again"
            call.end()


async def test_a_new_line_goes_to_the_beat_that_has_room() -> None:
    gather = Gather(beat_s=NEVER_S, lines_min=0)
    async with talking(gather) as one:
        await held(one)
        first = one.line.group
        assert first is not None
        first.lines *= 200
        async with talking(gather) as other:
            await held(other)
            assert other.line.group is not first
