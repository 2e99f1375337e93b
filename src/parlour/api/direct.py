"""Writing to a client's connection past ASGI, for servers that offer it: ours does.

An event that goes through ASGI wakes a task and passes six `send` functions. `DirectProtocol` is
uvicorn's own HTTP protocol, and tells each request how its response can be continued with a plain
call. Everything else (headers, the end, slow and leaving readers) stays uvicorn's, and under any
other ASGI server streams are sent the ordinary way (docs/adr/0011).
"""

from __future__ import annotations

from typing import Any, cast

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

EXTENSION = "parlour.direct"


class DirectProtocol(HttpToolsProtocol):
    """Give it to uvicorn as `http`."""

    def on_message_begin(self) -> None:
        """A request begins: it may write to this connection."""
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)["extensions"] = {EXTENSION: self}

    @property
    def writable(self) -> bool:
        """Whether `write_chunk` may be called now; otherwise use ASGI.

        Not when the reader is slow, has gone, or has asked for more on the same connection, and not
        when the response is not chunked or is over.
        """
        cycle = self.cycle  # the newest request's: with one in the queue, it has not begun
        return (
            cycle.chunked_encoding is True
            and not cycle.response_complete
            and not self.flow.write_paused
            and not self.transport.is_closing()
        )

    def write_chunk(self, body: bytes) -> None:
        """Continue the response that is under way with `body`, which must not be empty."""
        self.transport.write(b"%x\r\n%b\r\n" % (len(body), body))


def direct(scope: Scope) -> DirectProtocol | None:
    """What writes to the request's connection, if its server offers that and it can be done."""
    if scope.get("http_version") != "1.1":
        return None
    return scope.get("extensions", {}).get(EXTENSION)
