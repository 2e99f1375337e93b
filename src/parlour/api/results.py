"""Tool results that were too long for the model, whole, for the person whose conversation it is."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from parlour.api.access import Access
from parlour.api.shapes import ResultBody
from parlour.api.threads import IdPath
from parlour.domain import Principal
from parlour.errors import ResultNotFound
from parlour.store.tool_results import KeptResult, ToolResults

PAGE_CHARS = 200_000  # a page of text that a browser shows without a pause


def router(*, access: Access, results: ToolResults) -> APIRouter:
    """The route below /api/threads/{thread}."""
    routes = APIRouter(prefix="/api/threads", tags=["threads"])
    who = Depends(access.principal)

    @routes.get("/{thread}/results/{handle}", response_model=ResultBody)
    async def read(
        thread: IdPath,
        handle: IdPath,
        offset: Annotated[int, Query(ge=0)] = 0,
        principal: Principal = who,
    ) -> Response:
        """A tool result that was cut, as it was: what people are shown of it, whole, with the first
        page of its text; further pages by `offset`."""
        kept = await results.read(principal, handle, thread=thread)
        if kept is None:
            raise ResultNotFound("There is no such result, or it is kept no longer.")
        # Rows may be megabytes: encoded apart, and not looked at field by field.
        body = await asyncio.to_thread(msgspec.json.encode, _body(kept, offset))
        return Response(body, media_type="application/json")

    return routes


def _body(kept: KeptResult, offset: int) -> dict[str, Any]:
    end = offset + PAGE_CHARS
    return {
        "handle": kept.handle,
        "tool": kept.tool,
        "title": kept.title,
        "chars": len(kept.text),
        "text": kept.text[offset:end],
        "next": end if end < len(kept.text) else None,
        "widget": kept.widget if offset == 0 else None,
        "created_at": kept.created_at,
        "expires_at": kept.expires_at,
    }
