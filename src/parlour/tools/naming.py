"""Giving the conversation another name: the one thing of its own that Parlour's server changes.

It is offered only within a conversation, and like every change it asks the person first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp import types

from parlour.domain import Principal, ThreadId
from parlour.errors import NotFound, StoreUnavailable
from parlour.store.threads import Threads
from parlour.tools.own import TITLE_CHARS_MAX, done, failed
from parlour.tools.reading_on import THREAD_KEY
from parlour.tools.text import clean_line


async def name_conversation(
    threads: Threads | None,
    principal: Principal,
    arguments: Mapping[str, Any],
    meta: Mapping[str, Any] | None,
) -> types.CallToolResult:
    """Rename the conversation in which the call is made; only the user's own."""
    thread, given = (meta or {}).get(THREAD_KEY), arguments.get("title")
    title = clean_line(given, TITLE_CHARS_MAX) if isinstance(given, str) else ""
    if not title:
        return failed("`title` must be a few words.")
    if threads is None or not isinstance(thread, str):
        return failed("This call is made outside of a conversation; there is nothing to name.")
    try:
        await threads.rename(principal, ThreadId(thread), title)
    except (NotFound, StoreUnavailable) as error:
        return failed(str(error))
    return done(f"This conversation is called “{title}” now.", {"title": title})
