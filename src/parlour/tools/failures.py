"""How a request to an MCP server can fail before any answer of the server itself."""

from __future__ import annotations


class CallFailed(Exception):
    """No answer. The sentence is for the model; `delivered` says whether the server may have acted.

    A request with `delivered` false provably never reached the server's tool, so it can be sent
    again; any other may have taken effect and is never repeated by us.
    """

    def __init__(self, sentence: str, *, delivered: bool) -> None:
        super().__init__(sentence)
        self.delivered = delivered


class Unreachable(CallFailed):
    """The server cannot be started or connected to."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, delivered=False)


class Busy(CallFailed):
    """A bound of ours is reached; nothing was sent."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, delivered=False)


class TimedOut(CallFailed):
    """The time limit passed after the request was sent."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, delivered=True)


class Lost(CallFailed):
    """The connection ended while the server was at work."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, delivered=True)


# JSON-RPC error codes that our HTTP guard answers in the server's place; from the range that the
# specification leaves to implementations.
NOT_SENT = -32097  # no connection: the request never left
SESSION_GONE = -32098  # the server restarted and does not know its session
BROKEN = -32099  # the answer broke off
"""Codes of errors that stand for a failed HTTP exchange."""
