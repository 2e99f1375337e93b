"""Claiming a turn: the question is saved and the right to answer is taken, in one statement.

The database decides, so any number of processes may claim at once. The row of the thread is the
lock: who comes second waits for the first one's commit, and then finds the turn by its key (it was
the same request) or finds the thread busy. If the first one abandons, the second one wins.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import msgspec
import psycopg

from parlour.domain import (
    Message,
    MessageId,
    Part,
    Principal,
    Role,
    TextPart,
    ThreadId,
    TurnId,
    TurnStatus,
)
from parlour.errors import KeyReused, MessageNotFound, ThreadNotFound, TurnInProgress
from parlour.store.approvals import asker
from parlour.store.claim_sql import CLAIM, Trigger
from parlour.store.database import Connection, Database, Row, answering
from parlour.store.masked import SealedValue, add_masked
from parlour.store.outage import outages
from parlour.store.parts import parts_in, stored
from parlour.store.waiting import OPEN, Settled, go_on, supersede

ATTEMPTS = 5  # a claim begins again when what it waited for has made its view old
TITLE_CHARS = 60
BUSY = "This conversation is answering another message. Wait for it, or stop it."

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class NewTurn:
    """A wish to answer.

    `user_message` is the id of the new user message (the client's id, when it sent one); None for
    `regenerate`. `target` is the user message that an edit replaces, or the user or assistant
    message to answer again; None for `submit`, which appends after the thread's head. For
    `approval` it is the turn that waits, `assistant_message` its message, `parts` what that has.
    `client_id` is the key under which the same request may come again, with the same `body_hash`.
    `lease_s` is how long the turn stays ours without a heartbeat, in seconds.
    """

    principal: Principal
    thread: ThreadId
    turn: TurnId
    assistant_message: MessageId
    body_hash: bytes
    model: str
    owner: str
    route: str | None = None
    user_message: MessageId | None = None
    client_id: str | None = None
    parts: tuple[Part, ...] = ()
    target: MessageId | None = None
    trigger: Trigger = "submit"
    lease_s: float = 15.0
    surface: str = ""  # where the person talks, for whoever goes on with the turn
    hidden: bool = False  # a new thread is left out of lists
    alone: bool = False  # no other process could go on with it: its history is not stored
    masked: tuple[SealedValue, ...] = ()  # what placeholders in `parts` stand for
    page: bytes | None = None  # JSON of the page context, kept with the question


@dataclass(slots=True)
class Claim:
    """A turn that is ours once `commit` returns, or one that exists already (`joined`).

    Holds a connection until `commit` or `abandon`; call one of them within moments, never across
    a model call. `history` is oldest first and ends in the user message. `page` is the page context
    that belongs to it: as given, or as kept with the message that is edited or answered again.
    `summary` is of the messages before the history. `paged`: a question before it had a page.
    """

    turn: TurnId
    assistant_message: MessageId
    joined: TurnId | None = None
    fence: int = 0
    user_message: MessageId | None = None
    parent: MessageId | None = None  # of the user message
    history: list[Message] = field(default_factory=list[Message])
    page: bytes | None = None
    paged: bool = False
    summary: str = ""
    superseded: list[Settled] = field(default_factory=list[Settled])  # what waited until now
    held: tuple[Database, Connection] | None = field(default=None, repr=False)

    async def commit(self) -> None:
        """Make it so; after this it is on the disk. Raises `StoreUnavailable`.

        When the connection breaks right here, nobody knows: the same request sent again will tell.
        """
        held, self.held = self.held, None
        if held is None:
            return
        database, connection = held
        with outages():
            try:
                async with answering(connection):
                    await connection.commit()
            finally:
                await database.release(connection)

    async def abandon(self) -> None:
        """As if it had never been asked. Does nothing after `commit`."""
        held, self.held = self.held, None
        if held is not None:
            await _give_back(*held)


async def claim_turn(database: Database, new: NewTurn, *, window: int) -> Claim:
    """Claim a turn; see `Turns.claim`."""
    for _ in range(ATTEMPTS):
        connection = await database.acquire()
        claim: Claim | None = None
        try:
            with outages():
                async with answering(connection):
                    claim = await _attempt(connection, new, window)
            if claim is not None:
                if claim.joined is None:
                    claim.held = (database, connection)
                return claim
        finally:
            if claim is None or claim.held is None:
                await _give_back(database, connection)
    raise TurnInProgress(BUSY)


async def _attempt(connection: Connection, new: NewTurn, window: int) -> Claim | None:
    """One try; None when it has to begin again."""
    async with connection.pipeline():  # one round trip
        await connection.execute("BEGIN")
        cursor = await connection.execute(CLAIM[new.trigger], _values(new, window))
        # With a view of its own: the row of the thread is ours now, so nothing changes any more.
        waiting = await connection.execute(OPEN, {"thread": new.thread})
    rows, waits = await cursor.fetchall(), await waiting.fetchall()
    if not rows:
        raise ThreadNotFound("There is no such conversation.")
    found, fence, asked_at = rows[0][:3]
    if not found:
        raise MessageNotFound("There is no such message in this conversation.")
    if fence is None:  # a key or a running turn stands in the way
        return await _find(connection, new)
    if new.user_message is not None and asked_at is None:
        raise KeyReused("This message id is taken by another message of the conversation.")
    if not await add_masked(connection, new.masked):
        raise TurnInProgress(BUSY)  # another message gave the placeholder away at the same moment
    claim = _claim(new, rows, window)
    if new.trigger == "approval":
        await go_on(connection, new.target or "", waits)
    elif waits and claim is not None:
        claim.superseded = await supersede(connection, new.thread, waits)
        told = {settled.message: settled for settled in claim.superseded}
        claim.history = [
            replace(m, parts=told[m.id].parts, status=TurnStatus.STOPPED) if m.id in told else m
            for m in claim.history
        ]
    return claim


def _claim(new: NewTurn, rows: list[Row], window: int) -> Claim | None:
    """The claim that the statement made; None when it saw a state from before what it waited for:
    the branch lacks its last message, or has an answer that ended meanwhile."""
    _, fence, asked_at, question, parent = rows[0][:5]
    page: str | None = rows[-1][5]
    history = [message_of(new.thread, row[6:13]) for row in rows if row[6] is not None]
    summary: str | None = rows[0][13]
    last = parent if new.user_message is not None else question
    if last is not None and (not history or history[-1].id != last):
        return None
    if any(message.status is TurnStatus.RUNNING for message in history):
        return None
    if summary is not None:
        del history[0]  # the last message that the summary covers
    if new.user_message is not None:
        history.append(
            Message(
                new.user_message, new.thread, parent, Role.USER, new.parts, asked_at, turn=new.turn
            )
        )
    return Claim(
        turn=new.turn,
        assistant_message=new.assistant_message,
        fence=fence,
        user_message=question,
        parent=history[-1].parent if history else None,
        history=history[-window:],
        summary=summary or "",
        page=None if page is None else page.encode(),
        paged=any(row[14] for row in rows),
    )


def message_of(thread: ThreadId, row: Row) -> Message:
    """A message from the columns id, parent, role, parts, status, turn, created_at."""
    identity, parent, role, parts, status, turn, created_at = row
    created: datetime = created_at
    return Message(
        identity,
        thread,
        parent,
        Role(role),
        parts_in(parts),
        created,
        TurnStatus(status),
        turn,
    )


async def _find(connection: Connection, new: NewTurn) -> Claim | None:
    """The turn that the same request made before; None when what stood in the way is gone."""
    cursor = await connection.execute(
        "SELECT id, body_hash, user_message, assistant_message, client_key = %(key)s FROM turns"
        " WHERE thread = %(thread)s AND (client_key = %(key)s OR status = 'running')"
        " ORDER BY 5 DESC NULLS LAST",
        {"thread": new.thread, "key": new.client_id},
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    turn, body_hash, question, answer, same = row
    if not same:
        raise TurnInProgress(BUSY)
    if bytes(body_hash) != new.body_hash:
        raise KeyReused("This message id was used for a message with other content.")
    return Claim(turn, answer, joined=turn, user_message=question)


async def _give_back(database: Database, connection: Connection) -> None:
    # A broken connection has rolled back, and the pool drops it.
    with suppress(psycopg.Error, TimeoutError):
        async with answering(connection):
            await connection.rollback()
    await database.release(connection)


def _values(new: NewTurn, window: int) -> dict[str, Any]:
    return {
        "workspace": new.principal.workspace,
        "user": new.principal.user,
        "thread": new.thread,
        "turn": new.turn,
        "question": new.user_message,
        "answer": new.assistant_message,
        "key": new.client_id,
        "hash": new.body_hash,
        "parts": stored(new.parts),
        "page": None if new.page is None else new.page.decode(),
        "target": new.target,
        "trigger": new.trigger,
        "hidden": new.hidden,
        "model": new.model,
        "route": new.route,
        "principal": None if new.alone else asker(new.principal, new.surface),
        "owner": new.owner,
        "lease": new.lease_s,
        "title": title_of(new.parts) if new.trigger == "submit" else "",
        # The new user message is one of the window. One older message is always read, to see that
        # the view is not old.
        "window": max(1, window - (new.user_message is not None)),
    }


def title_of(parts: tuple[Part, ...]) -> str:
    """The first words of the first text, on one line."""
    text = next((part.text for part in parts if isinstance(part, TextPart)), "")
    words = " ".join(text[: TITLE_CHARS * 20].replace("\0", "").split())
    if len(words) <= TITLE_CHARS:
        return words
    return words[:TITLE_CHARS].rsplit(" ", 1)[0] + "…"
