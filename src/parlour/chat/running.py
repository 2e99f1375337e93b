"""One turn while it runs in this process, and the bounds that all turns have."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from parlour.chat.ask import Ask
from parlour.chat.holds import Case
from parlour.chat.page import PageContext
from parlour.chat.sink import TurnSink
from parlour.chat.tab import Tab
from parlour.domain import Message, MessageId, Principal, ThreadId, TurnId
from parlour.events.types import Event
from parlour.safety.links import Grounds
from parlour.safety.personal.masks import Masks


@dataclass(slots=True)
class Pulse:
    """When a turn has last shown something new, as chat/waiting.py sees it."""

    size: int = -1  # of the log
    at: float = 0.0  # monotonic
    told: int = 0  # times that people were told since


@dataclass(slots=True)
class Running:
    """One turn in this process."""

    principal: Principal
    ask: Ask
    turn: TurnId
    message: MessageId
    fence: int
    sink: TurnSink
    tab: Tab
    history: tuple[Message, ...] = ()  # what the claim found, oldest first, the question included
    summary: str = ""  # of what came before the history
    page: PageContext | None = None  # that of the question, whenever it was asked
    paged: bool = False  # a question in the history had a page
    task: asyncio.Task[None] | None = None
    stopping: bool = False
    leaving: bool = False  # this process ends: another one is to go on with the turn
    adopted: bool = False  # another process took the question in
    checkpoint: bytes | None = None  # of the last completed round, in a turn that was taken over
    committed: asyncio.Future[bool] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )  # False: the commit failed, so there is no turn
    saved_size: int = 0  # of the log, when its parts were last stored
    saved_at: float = 0  # when that was, by the loop's clock
    masks: Masks | None = None  # None: nothing is masked in this workspace
    case: Case = field(default_factory=Case)
    grounds: Grounds | None = None  # which links may be shown
    caught: Counter[str] = field(default_factory=Counter[str])  # by rule; counted at the end
    pulse: Pulse = field(default_factory=Pulse)

    @property
    def thread(self) -> ThreadId:
        """The conversation it belongs to."""
        return self.ask.thread

    @property
    def judged(self) -> bool:
        """Its question had its verdict before: no round of tools is made without one."""
        return self.ask.waiting is not None or self.checkpoint is not None

    async def last_round(self) -> bytes | None:
        """Where to go on, in a turn that was taken over."""
        return self.checkpoint

    def catch(self, rule: str) -> None:
        """A rule of conduct (safety/rules.toml) has caught something."""
        self.caught[rule] += 1

    def hear(self, event: Event) -> None:
        """Say something beside the answer, at once."""
        self.sink.event(event)
        self.sink.flush()


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """Bounds of a turn; seconds, characters and bytes as the names say."""

    turn_s_max: float
    message_chars_max: int
    log_bytes_max: int
    reply_tokens_max: int
    temperature: float | None = None
    lease_s: float = 10
