"""Seeded mistakes: each starts Parlour with one promise broken, and the checks have to find it.

`python -m chaos.bugs NAME serve` is `parlour serve` with the bug NAME. They are the test of the
test; nothing of this is part of the product.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any


def ack_before_commit() -> None:
    """A message is acknowledged, and one time in four it is never stored."""
    from parlour.store.claims import Claim

    commit = Claim.commit

    async def sometimes(self: Claim) -> None:
        if random.random() < 0.25:
            await self.abandon()
            return
        await commit(self)

    Claim.commit = sometimes  # type: ignore[method-assign]


def two_ends() -> None:
    """The terminal event is said twice."""
    from parlour.chat.sink import TurnSink
    from parlour.events.types import Finalize

    event = TurnSink.event

    def twice(self: TurnSink, said: Any) -> None:
        event(self, said)
        if isinstance(said, Finalize):
            event(self, said)

    TurnSink.event = twice  # type: ignore[method-assign]


def off_by_one() -> None:
    """A reader that returns misses one event."""
    from parlour.events.log import TurnLog

    cursor = TurnLog.cursor

    def later(self: TurnLog, after: int = 0) -> Any:
        return cursor(self, min(after + 1, len(self.payloads)) if after else 0)

    TurnLog.cursor = later  # type: ignore[method-assign]


def key_is_ignored() -> None:
    """The same message sent again is another message."""
    from parlour.chat.turn import TurnRunner

    start = TurnRunner.start

    async def anew(self: TurnRunner, principal: Any, ask: Any) -> Any:
        import dataclasses

        return await start(self, principal, dataclasses.replace(ask, key=None))

    TurnRunner.start = anew  # type: ignore[method-assign]


def stop_is_deaf() -> None:
    """Stop is acknowledged and does nothing."""
    from parlour.chat.stopping import Stops

    async def nod(self: Stops, principal: Any, thread: Any, turn: Any) -> None:
        """Nothing."""

    Stops.stop = nod  # type: ignore[method-assign]


def cut_is_done() -> None:
    """A reply that broke off counts as whole."""
    from parlour.models.failures import ModelFailure
    from parlour.models.openai import OpenAIModel
    from parlour.models.port import ModelReply

    stream = OpenAIModel.stream

    class Heard:
        def __init__(self, sink: Any) -> None:
            self.sink = sink
            self.said: list[str] = []

        def text(self, text: str) -> None:
            self.said.append(text)
            self.sink.text(text)

        def reasoning(self, text: str) -> None:
            self.sink.reasoning(text)

        def flush(self) -> None:
            self.sink.flush()

    async def forgiving(self: OpenAIModel, request: Any, sink: Any) -> ModelReply:
        heard = Heard(sink)
        try:
            return await stream(self, request, heard)
        except ModelFailure:
            if not heard.said:
                raise
            return ModelReply("".join(heard.said), "stop")

    OpenAIModel.stream = forgiving  # type: ignore[method-assign]


def billed_twice() -> None:
    """Every model call is booked twice."""
    from parlour.chat.tab import Tab

    book = Tab._book

    def twice(self: Tab, call: Any) -> Any:
        book(self, call)
        return book(self, call)

    Tab._book = twice  # type: ignore[method-assign]


BUGS: dict[str, Callable[[], None]] = {
    bug.__name__: bug
    for bug in (
        ack_before_commit,
        two_ends,
        off_by_one,
        key_is_ignored,
        stop_is_deaf,
        cut_is_done,
        billed_twice,
    )
}

# Which check has to find it; another one may find it as well.
FOUND_BY = {
    "ack_before_commit": "acknowledged is stored",
    "two_ends": "one terminal event, the last",
    "off_by_one": "no gap",
    "key_is_ignored": "one key, one turn",
    "stop_is_deaf": "nothing is said after a stop",
    "cut_is_done": "done is upstream's text",
    "billed_twice": "billed is what was generated",
}

if __name__ == "__main__":
    name = sys.argv.pop(1)
    BUGS[name]()
    from parlour.cli import main

    main()
