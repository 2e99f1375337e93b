"""Writing to a client's connection past ASGI, for servers that offer it: ours does.

An event that goes through ASGI wakes a task and passes six `send` functions. `DirectProtocol` is
uvicorn's own HTTP protocol (bounded in intake.py), and tells each request how its response can be
continued with a plain call. Everything else (headers, the end, slow and leaving readers) stays
uvicorn's, and under any other ASGI server streams are sent the ordinary way (docs/adr/0011).
"""

from __future__ import annotations

from typing import Any, cast

from starlette.types import Scope

from parlour.api.intake import Intake

EXTENSION = "parlour.direct"


class DirectProtocol(Intake):
    """Give it to uvicorn as `http`."""

    def on_message_begin(self) -> None:
        """A request begins: its response may be written to this connection."""
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)["extensions"] = {EXTENSION: self}


class DirectWriter:
    """Continues one chunked response with plain calls."""

    __slots__ = ("_cycle", "_flow", "_write")

    def __init__(self, protocol: DirectProtocol) -> None:
        self._cycle = protocol.cycle
        self._flow = protocol.flow
        self._write = protocol.transport.write

    @property
    def ready(self) -> bool:
        """Whether `write` may be called now: the reader is there and not slow. Else use ASGI."""
        return not self._flow.write_paused and not self._cycle.disconnected

    def write(self, body: bytes) -> None:
        """Send `body`, which must not be empty."""
        self._write(b"%x\r\n%b\r\n" % (len(body), body))


def direct_writer(scope: Scope) -> DirectWriter | None:
    """What continues the response that has just been started, if its server and client allow it."""
    protocol: DirectProtocol | None = scope.get("extensions", {}).get(EXTENSION)
    if protocol is None or scope["http_version"] != "1.1":
        return None
    # With a second request in the queue, the newest cycle is that one's.
    ours = cast("object", protocol.cycle.scope) is scope and protocol.cycle.chunked_encoding
    return DirectWriter(protocol) if ours else None
