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

    __slots__ = ("_between", "_first", "_head", "_last", "_tail", "_tries")

    def __init__(self) -> None:
        self._head = self._tail = b""
        self._first = self._last = self._between = b""  # the same in a read of whole events
        self._tries = _TRIES

    def words_of_read(self, data: bytes) -> str:
        """The words of a read that is nothing but whole events in this frame, joined; empty = it
        has to be taken apart. This runs for every read."""
        first, last = self._first, self._last
        if not first or not data.startswith(first) or not data.endswith(last):
            return ""
        return _plain(data[len(first) : -len(last)].replace(self._between, b""))

    def words(self, chunk: bytes) -> str:
        """The words of a chunk in this frame; empty = it has to be parsed. This runs for every
        token."""
        head, tail = self._head, self._tail
        if not head or not chunk.startswith(head) or not chunk.endswith(tail):
            return ""
        return _plain(chunk[len(head) : -len(tail)])

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
                self._first = b"data: " + self._head
                self._last = self._tail + b"\n\n"
                self._between = self._last + self._first


def _plain(words: bytes) -> str:
    """What stands between the quotes of a JSON string, as it is; empty when that says more."""
    if b'"' in words or b"\\" in words:
        return ""
    try:
        text = words.decode()
    except UnicodeDecodeError:
        return ""
    return text if text.isprintable() else ""
