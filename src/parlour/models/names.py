"""What providers name: calls, tools, replies, and who answered. They name them as they like."""

from __future__ import annotations

import re
import secrets

CHARS_MAX = 256  # of a name that is kept; those of real providers have fewer than 100

# The name of a call goes back as it came. Some gateways keep a signature of kilobytes in it.
_CALL = re.compile(r"[\x21-\x7e]{1,16384}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def plain(name: str | None) -> str:
    """A name that every store and every log can take: bounded, without control characters."""
    return _CONTROL.sub("\ufffd", (name or "")[:CHARS_MAX])


def of_call(name: str) -> str:
    """The name of a call; one of ours, unique in any conversation, for none or a strange one."""
    return name if _CALL.fullmatch(name) else f"call_{secrets.token_hex(8)}"
