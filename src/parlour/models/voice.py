"""What one reply says, kept whole, and handed on once a read.

A read of a fast model's reply often brings two or three words. Everything behind the reader (the
filters, the event, the frame for each client) then runs once for them instead of once for each.
"""

from __future__ import annotations

from parlour.models.pieces import Pieces
from parlour.models.port import ModelSink


class Voice:
    """Text and thinking of one reply, in the order in which they came."""

    __slots__ = ("_fresh", "_sink", "_thinking", "text", "thought")

    def __init__(self, sink: ModelSink) -> None:
        self.text = Pieces()
        self.thought = Pieces()
        self._sink = sink
        self._fresh: list[str] = []  # said, and not handed on yet
        self._thinking = False  # what is fresh is thinking

    def say(self, text: str) -> None:
        """A piece of the answer. This runs for every token."""
        if self._thinking:
            self._hand_on()
            self._thinking = False
        self._fresh.append(text)

    def think(self, text: str) -> None:
        """A piece of the thinking before it."""
        if not self._thinking:
            self._hand_on()
            self._thinking = True
        self._fresh.append(text)

    def flush(self) -> bool:
        """The read is over: let the sink have what it brought. Whether that was anything."""
        if not self._fresh:
            return False
        self._hand_on()
        self._sink.flush()
        return True

    def __bool__(self) -> bool:
        """Whether anything was handed on."""
        return bool(self.text or self.thought)

    def _hand_on(self) -> None:
        fresh = self._fresh
        if not fresh:
            return
        piece = fresh[0] if len(fresh) == 1 else "".join(fresh)
        fresh.clear()
        if self._thinking:
            self.thought.add(piece)
            self._sink.reasoning(piece)
        else:
            self.text.add(piece)
            self._sink.text(piece)
