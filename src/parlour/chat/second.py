"""A second message while the conversation answers the first: refused, queued, or the first stops.

Which of the three is the workspace's policy. Those who wait do so in the order in which they came
to this process, a few at most, for a bounded time; nothing of theirs is stored or acknowledged
until their turn begins. The store decides in the end: of two processes one gets the claim.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from parlour.chat.ask import Ask
from parlour.domain import Principal, ThreadId, TurnId
from parlour.errors import StopPending, TurnInProgress, TurnNotFound
from parlour.policy import Policies
from parlour.store.turns import Turns

LOOK_EVERY_S = 0.5  # for the end of a turn that another process runs

Claimed = TypeVar("Claimed")
Ended = Callable[[TurnId], Awaitable[bool]]  # waits for a turn of this process; False: not here
Stop = Callable[[Principal, ThreadId, TurnId], Awaitable[None]]


@dataclass(slots=True)
class _Line:
    """Those who wait for one conversation."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class SecondMessages:
    """Makes claims come through by the policy. One for the process."""

    def __init__(self, *, store: Turns, policies: Policies, ended: Ended, stop: Stop) -> None:
        self._store = store
        self._policies = policies
        self._ended = ended
        self._stop = stop
        self._lines: dict[ThreadId, _Line] = {}

    async def claim(
        self, principal: Principal, ask: Ask, attempt: Callable[[], Awaitable[Claimed]]
    ) -> Claimed:
        """The claim, at once or when the conversation is free. Raises what `attempt` raises."""
        policy = self._policies.of(principal.workspace).turns
        if policy.second_message == "refuse":
            return await attempt()
        if ask.thread not in self._lines:  # who came earlier goes first
            with contextlib.suppress(TurnInProgress):
                return await attempt()
        until = time.monotonic() + policy.queue_s
        async with self._standing(ask.thread, policy.queued_max, until):
            if policy.second_message == "stop":
                await self._stop_first(principal, ask.thread)
            while True:
                try:
                    return await attempt()
                except TurnInProgress:
                    if time.monotonic() >= until:
                        raise
                await self._until_free(principal, ask.thread, until)

    @contextlib.asynccontextmanager
    async def _standing(self, thread: ThreadId, most: int, until: float) -> AsyncGenerator[None]:
        """In the line of a conversation, until it is one's turn."""
        line = self._lines.setdefault(thread, _Line())
        if line.waiting >= most:
            raise TurnInProgress(
                f"This conversation is answering, and {most} messages wait already. Wait for the "
                "answer, or stop it."
            )
        line.waiting += 1
        try:
            try:
                await asyncio.wait_for(line.lock.acquire(), max(0.0, until - time.monotonic()))
            except TimeoutError:
                raise TurnInProgress(
                    "This conversation is still answering another message. Wait for it, or stop it."
                ) from None
            try:
                yield
            finally:
                line.lock.release()
        finally:
            line.waiting -= 1
            if not line.waiting:
                self._lines.pop(thread, None)

    async def _stop_first(self, principal: Principal, thread: ThreadId) -> None:
        turn = await self._store.running(principal, thread)
        if turn is not None:
            with contextlib.suppress(TurnNotFound, StopPending):  # then it is waited for
                await self._stop(principal, thread, turn)

    async def _until_free(self, principal: Principal, thread: ThreadId, until: float) -> None:
        """Wait until the running turn ends, at most until then."""
        turn = await self._store.running(principal, thread)
        left_s = until - time.monotonic()
        if turn is None or left_s <= 0:
            return
        here = False
        with contextlib.suppress(TimeoutError):
            here = await asyncio.wait_for(self._ended(turn), left_s)
        if not here:
            await asyncio.sleep(min(LOOK_EVERY_S, max(0.0, until - time.monotonic())))
