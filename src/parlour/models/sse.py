"""Cut a stream of bytes into the data of server-sent events, as the WHATWG standard says.

Only `data` matters here: both APIs repeat the event's name inside it. Lines may end in LF, CRLF or
CR and may be split anywhere, also within a character. Comments and unknown fields are dropped.
"""

from __future__ import annotations

from collections.abc import Callable

from parlour.models.failures import (
    BadJson,
    BadUtf8,
    CutOff,
    EmptyReply,
    LineTooLong,
    NotAStream,
    WrongShape,
)

BOM = b"\xef\xbb\xbf"


class EventSplitter:
    """Feed bytes as they come; take the data of each event that they complete.

    An event of more than `bytes_max` raises `LineTooLong`, and at most that much (and one read) is
    ever held.
    """

    __slots__ = ("_after_cr", "_begun", "_bytes_max", "_rest", "events")

    def __init__(self, *, bytes_max: int = 1_000_000) -> None:
        self._bytes_max = bytes_max
        self._rest = b""
        self._after_cr = False
        self._begun = False
        self.events = 0  # with data, so far

    def begins_event(self, data: bytes) -> bool:
        """Whether `data`, which comes next, begins an event, and is within the bound as a whole."""
        return not self._rest and not self._after_cr and len(data) <= self._bytes_max

    def feed(self, data: bytes) -> list[bytes]:
        """The data of the events that end within `data`, in order."""
        # Nearly every read is some whole events of one line each.
        if (
            data[:6] == b"data: "
            and data[-2:] == b"\n\n"
            and self._begun
            and not self._rest
            and not self._after_cr
            and b"\r" not in data
            and len(data) <= self._bytes_max
        ):
            whole = data[6:-2].split(b"\n\ndata: ")
            if data.count(b"\n") == 2 * len(whole):
                self.events += len(whole)
                return whole
        if self._after_cr or b"\r" in data:
            data = self._plain_newlines(data)
        if self._rest:
            data = self._rest + data
        blocks = data.split(b"\n\n")
        rest = self._rest = blocks.pop()
        if len(rest) > self._bytes_max:
            raise LineTooLong(f"over {self._bytes_max} bytes without an end")
        if not blocks:
            return blocks
        if not self._begun:
            self._begun = True
            blocks[0] = blocks[0].removeprefix(BOM)
        found: list[bytes] = []
        for block in blocks:
            # Nearly every event is one line that begins like this; the rest takes the long way.
            if block[:6] == b"data: " and b"\n" not in block:
                found.append(block[6:])
            elif (payload := _data_of(block)) is not None:
                found.append(payload)
            if len(block) > self._bytes_max:
                raise LineTooLong(f"an event of {len(block)} bytes")
        self.events += len(found)
        return found

    def finish(self, read: Callable[[bytes], None], *, whole: bool) -> None:
        """The stream has ended: `read` the data of an event without its empty line, if any.

        The standard drops it, but servers exist whose last event ends in one newline or none. When
        the reply is not `whole`, raises `EmptyReply` or `NotAStream` if there was no event at all,
        and `CutOff` if the stream ended within a line.
        """
        rest, self._rest = self._rest, b""
        if not self._begun:
            rest = rest.removeprefix(BOM)
        half = bool(rest) and not rest.endswith(b"\n")
        payload = _data_of(rest)
        if payload is None:
            if whole:
                return
            if not self.events:
                raise NotAStream(rest.decode("utf-8", "replace")) if half else EmptyReply()
            if half:
                raise CutOff("ended within a line")
            return
        try:
            read(payload)
        except (BadJson, BadUtf8, WrongShape):
            if whole:
                return
            if half:
                raise CutOff("ended within a line") from None
            raise

    def _plain_newlines(self, data: bytes) -> bytes:
        if not data:
            return data
        if self._after_cr and data[:1] == b"\n":  # the second half of a CRLF cut in two
            data = data[1:]
        self._after_cr = data[-1:] == b"\r"
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _data_of(block: bytes) -> bytes | None:
    """The data lines of one event, joined; None when it has none."""
    found: list[bytes] = []
    for line in block.split(b"\n"):
        if line[:5] == b"data:":
            found.append(line[6:] if line[5:6] == b" " else line[5:])
        elif line == b"data":
            found.append(b"")
    return b"\n".join(found) if found else None
