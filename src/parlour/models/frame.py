"""Chunks that differ from an earlier one in their words alone, read without parsing their JSON.

Most of a chunk is the same in every chunk of a reply: its id, the model, the time. Parsing it costs
five times as much as finding that all of it is as it was, and what is left is the words. Nothing is
guessed: what stands before and after the words has to be the same bytes as in a chunk that was
parsed, and the words a JSON string without quotes, escapes and control characters.
"""

from __future__ import annotations

_KEYS = (b'"content":"', b'"content": "')  # before the words; never within a JSON string
_TRIES = 4  # chunks that are looked at; servers that change something in each of them exist


class Frame:
    """What stands around the words in the chunks of one reply."""

    __slots__ = ("_head", "_tail", "_tries")

    def __init__(self) -> None:
        self._head = self._tail = b""
        self._tries = _TRIES

    def words(self, chunk: bytes) -> str:
        """The words of a chunk in this frame; empty = it has to be parsed. This runs for every
        token."""
        head, tail = self._head, self._tail
        if not head or not chunk.startswith(head) or not chunk.endswith(tail):
            return ""
        words = chunk[len(head) : -len(tail)]
        if b'"' in words or b"\\" in words:
            return ""
        try:
            text = words.decode()
        except UnicodeDecodeError:
            return ""
        return text if text.isprintable() else ""

    @property
    def sought(self) -> bool:
        """Whether it pays to `learn` from a chunk."""
        return self._tries > 0

    def learn(self, chunk: bytes, text: str) -> None:
        """A chunk was parsed, and has `text` as its words and nothing else of interest."""
        self._tries -= 1
        words = text.encode() + b'"'
        for key in _KEYS:
            before, found, after = chunk.partition(key)
            if found and after.startswith(words) and not any(key in after for key in _KEYS):
                self._head = before + key
                self._tail = after[len(words) - 1 :]
