"""Parlour's own face: start a turn, read its events, stop it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.responses import JSONResponse, Response

from parlour.api.access import Access
from parlour.api.disclosures import ShownHeader
from parlour.api.native import NativeEncoder, position
from parlour.api.shapes import NewTurnBody, StartedBody, StopBody
from parlour.api.streams import Streams
from parlour.chat.approval import Decisions
from parlour.chat.ask import Ask
from parlour.chat.turn import TurnRunner
from parlour.domain import MessageId, Principal, ThreadId, TurnId
from parlour.errors import BadRequest

IdPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {}}, "description": "Events of the turn."}
}


def router(
    *, access: Access, runner: TurnRunner, decisions: Decisions, streams: Streams
) -> APIRouter:
    """The routes below /api/threads/{thread}/turns."""
    routes = APIRouter(prefix="/api/threads/{thread}/turns", tags=["turns"])
    who = Depends(access.principal)

    @routes.post("", responses={**STREAM, 202: {"model": StartedBody}}, response_model=None)
    async def start(
        request: Request,
        thread: IdPath,
        body: NewTurnBody,
        shown: ShownHeader = "",
        principal: Principal = who,
    ) -> Response:
        """Send a message and stream its answer; `Accept: application/json` only starts it."""
        ask = replace(to_ask(ThreadId(thread), body), shown=body.disclosure_receipt or shown)
        started = await runner.start(principal, ask)
        headers = {"x-turn-id": started.turn}
        accept = request.headers.get("accept", "*/*")
        if "application/json" not in accept or "text/event-stream" in accept:
            encoder = NativeEncoder(started.turn)
            return await streams.open_started(
                principal, ask.thread, started.turn, encoder, headers=headers
            )
        told = StartedBody(
            turn_id=started.turn,
            thread_id=thread,
            message_id=started.message,
            events=f"/api/threads/{thread}/turns/{started.turn}/events",
            joined=started.joined,
        )
        return JSONResponse(told.model_dump(), 202, headers)

    @routes.get("/{turn}/events", responses=STREAM, response_model=None)
    async def read(
        thread: IdPath,
        turn: IdPath,
        after: Annotated[int | None, Query(ge=0)] = None,
        last_event_id: Annotated[str, Header()] = "",
        principal: Principal = who,
    ) -> Response:
        """Stream a turn's events, from the start or after the last one a reader has."""
        turn_id = TurnId(turn)
        place = position(turn_id, last_event_id, after)
        encoder = NativeEncoder(turn_id, takeover=place.takeover or 0)
        return await streams.open(principal, ThreadId(thread), turn_id, encoder, after=place)

    @routes.post("/{turn}/stop", status_code=202)
    async def stop(thread: IdPath, turn: IdPath, principal: Principal = who) -> StopBody:
        """Stop a turn, keeping what was said; one that waits for a decision takes it as a no."""
        await runner.stops.stop(principal, ThreadId(thread), TurnId(turn))
        await decisions.stop(principal, ThreadId(thread), TurnId(turn))
        return StopBody(turn_id=turn)

    return routes


def to_ask(thread: ThreadId, body: NewTurnBody) -> Ask:
    """What the body asks for. Raises `BadRequest` when its fields do not fit together."""
    if body.trigger == "regenerate":
        if body.target is None:
            raise BadRequest("To regenerate, name the message in `target`.")
        if body.text:
            raise BadRequest("To regenerate, leave `text` out; to change the question, use `edit`.")
    elif not body.text.strip():
        raise BadRequest("`text` is empty; write a message.")
    if body.trigger == "edit" and body.target is None:
        raise BadRequest("To edit, name the message in `target`.")
    if body.trigger == "submit" and body.target is not None:
        raise BadRequest("`target` belongs to `edit` and `regenerate`.")
    return Ask(
        thread=thread,
        text=body.text,
        key=MessageId(body.message_id) if body.message_id else None,
        trigger=body.trigger,
        target=MessageId(body.target) if body.target else None,
        page=body.context.to_page() if body.context else None,
    )
