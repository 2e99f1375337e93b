"""The events of a turn as JSON, kept small: thousands of turns are open at once.

An event of one token is thirty bytes, and as an object of its own twice as much again. So only the
newest are objects; older ones are joined, 32 to a block, and cut apart again when somebody reads
them. JSON has no raw line ends, so a line end parts them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

BLOCK = 32


class Payloads(Sequence[bytes]):
    """A list that only grows, but for `pop`. Slices are lists; steps are not supported."""

    __slots__ = ("_blocks", "_folded", "_recent", "append")

    def __init__(self) -> None:
        self._blocks: list[bytes] = []  # of BLOCK payloads each
        self._folded = 0  # payloads in blocks
        self._recent: list[bytes] = []
        self.append = self._recent.append  # a plain list's, for the path of a token

    def fold(self) -> None:
        """Join what is old. To be called now and then; it never folds the last payload."""
        recent = self._recent
        if len(recent) <= BLOCK:
            return
        old = (len(recent) - 1) // BLOCK * BLOCK
        self._blocks += [b"\n".join(recent[at : at + BLOCK]) for at in range(0, old, BLOCK)]
        del recent[:old]
        self._folded += old

    def extend(self, payloads: Iterable[bytes]) -> None:
        """Add several."""
        self._recent += payloads
        self.fold()

    def pop(self) -> bytes:
        """Take the last one back, which was appended just now."""
        return self._recent.pop()

    def __len__(self) -> int:
        return self._folded + len(self._recent)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, int):
            at = index if index >= 0 else len(self) + index
            found = self.between(at, at + 1) if at >= 0 else []
            if not found:
                raise IndexError(index)
            return found[0]
        start, stop, _ = index.indices(len(self))
        return self.between(start, stop)

    def between(self, start: int, stop: int) -> list[bytes]:
        """The payloads at `start` up to, not including, `stop`; neither may be negative."""
        folded = self._folded
        if start >= folded:  # nearly always: readers are where the turn is
            return self._recent[start - folded : max(0, stop - folded)]
        found: list[bytes] = []
        first = start // BLOCK
        last = min(-(-stop // BLOCK), len(self._blocks))
        for block in self._blocks[first:last]:
            found += block.split(b"\n")
        if stop > folded:
            found += self._recent[: stop - folded]
        return found[start - first * BLOCK : stop - first * BLOCK]

    def __iter__(self) -> Iterator[bytes]:
        for block in self._blocks:
            yield from block.split(b"\n")
        yield from self._recent

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Payloads | list):
            return len(self) == len(other) and all(  # pyright: ignore[reportUnknownArgumentType]
                ours == theirs
                for ours, theirs in zip(self, other, strict=True)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            )
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it changes
