"""What somebody asks for, and what they are told once it is under way."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, cast, get_args

from parlour.chat.page import PageContext
from parlour.domain import Message, MessageId, ThreadId, TurnId
from parlour.store.approvals import WaitingTurn
from parlour.store.turns import Trigger

Surface = Literal["chat", "api", "openai", "terminal"]


@dataclass(frozen=True, slots=True)
class Ask:
    """What somebody wants answered.

    `key` is the client's id of the message: the same key is the same message. `target` is the
    message to edit or to answer anew. `history`, when given, replaces the stored conversation (the
    stateless OpenAI face); such threads are `hidden` from lists. `page` is where the user is; it is
    cleaned when the turn starts. `surface` is where the person talks, `shown` the edition of the
    disclosure that its client says it has just shown there. Where nobody can be asked
    (`can_approve`), calls that need an approval are refused. `quotes`: in a `history` of the
    caller's are words that others may have written (answers, results of tools). `waiting`: what an
    `approval` goes on with.
    """

    thread: ThreadId
    text: str = ""
    key: MessageId | None = None
    trigger: Trigger = "submit"
    target: MessageId | None = None
    history: tuple[Message, ...] | None = None
    hidden: bool = False
    page: PageContext | None = None
    surface: Surface = "api"
    shown: str = ""
    can_approve: bool = True
    quotes: bool = False
    waiting: WaitingTurn | None = None

    @property
    def irrevocable(self) -> bool:
        """The asker's protocol cannot take back what was shown (the OpenAI face)."""
        return self.history is not None

    def fingerprint(self) -> bytes:
        """Tells two different bodies under one key apart.

        The page is no part of it: a retry from another page is still the same message.
        """
        return hashlib.sha256(f"{self.trigger}\0{self.target}\0{self.text}".encode()).digest()


def surface_of(stored: str) -> Surface:
    """A surface as it was stored; one that is not known has no words of its own."""
    return cast("Surface", stored) if stored in get_args(Surface) else "api"


@dataclass(frozen=True, slots=True)
class Started:
    """A turn that is under way: committed, and to be read from the event log."""

    turn: TurnId
    thread: ThreadId
    message: MessageId
    joined: bool  # the same message had been sent before
