"""Reading on in a result that was cut: a page of it at a time, by handle and offset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp import types

from parlour.domain import Principal
from parlour.errors import StoreUnavailable
from parlour.store.tool_results import ToolResults
from parlour.tools.own import failed
from parlour.tools.text import head_of

THREAD_KEY = "parlour/thread"  # in the metadata of a call: the conversation it is made in
PAGE_BYTES = 48_000  # Both below the caps of one result, so that a page is never cut again.
PAGE_TOKENS = 6_000


async def read_on(
    results: ToolResults | None,
    principal: Principal,
    arguments: Mapping[str, Any],
    meta: Mapping[str, Any] | None,
) -> types.CallToolResult:
    """One page of a kept result. Only this user's, and in a conversation only this one's."""
    handle, offset = arguments.get("handle"), arguments.get("offset", 0)
    if not isinstance(handle, str) or not isinstance(offset, int | float) or offset < 0:
        return failed("`handle` must be text and `offset` a number from 0 on.")
    offset = int(offset)
    thread = (meta or {}).get(THREAD_KEY)
    try:
        kept = await results.read(principal, handle, thread=thread) if results else None
    except StoreUnavailable as error:
        return failed(str(error))
    if kept is None:
        return failed(
            f"There is no result {handle!r} in this conversation, or it is kept no longer. Call "
            "the tool again that gave it."
        )
    if offset >= len(kept.text):
        return failed(f"{handle} has {len(kept.text):,} characters; it ends before {offset:,}.")
    page = head_of(kept.text[offset : offset + PAGE_BYTES], PAGE_BYTES, PAGE_TOKENS)
    end = offset + len(page)
    head = f"[{kept.title}, characters {offset:,} to {end:,} of {len(kept.text):,}]"
    more = "This is the end." if end >= len(kept.text) else f"Go on with offset {end}."
    text = f"{head}\n{page.rstrip()}\n[{more}]"
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)])
