"""Asking a model beside the answer: summaries, verdicts, follow-ups. Never in an answer's way.

An aside goes the same approved route as the workspace's answers, says nothing to anybody but its
caller, and has a limit in seconds. It is paid with its turn while that runs (the turn's tab), and
booked by itself afterwards.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

import structlog

from parlour.chat.running import Running
from parlour.chat.tab import Tab
from parlour.chat.till import Till
from parlour.domain import Principal, ThreadId, TurnId, Usage
from parlour.errors import LimitsUnavailable, StoreUnavailable
from parlour.events.types import Event
from parlour.limits.levels import Amount, Done
from parlour.models.port import ChatMessage, ModelRequest
from parlour.models.routed import Router
from parlour.store.ledger import Ledger

log = structlog.get_logger("parlour.aside")

AT_ONCE = 16  # asides of one process under way; others wait, within their limit
SECONDS_MAX = 60.0


class Aside(Protocol):
    """Ask a model: `await aside(prompt, max_tokens=50, purpose="verifier")`."""

    async def __call__(self, prompt: list[ChatMessage], *, max_tokens: int, purpose: str) -> str:
        """The reply's text. Raises `errors.Upstream`, `RouteUnavailable` and `TimeoutError`."""
        ...


@dataclass(frozen=True, slots=True)
class For:
    """Whose aside it is, and what it belongs to."""

    principal: Principal
    thread: ThreadId
    turn: TurnId


class Asides:
    """Asks on behalf of turns. One for the process."""

    def __init__(
        self, *, router: Router, till: Till, ledger: Ledger, seconds_max: float = SECONDS_MAX
    ) -> None:
        self._router = router
        self._till = till
        self._ledger = ledger
        self._seconds_max = seconds_max
        self._room = asyncio.Semaphore(AT_ONCE)

    def during(self, running: Running) -> Aside:
        """For a turn that runs: what is asked stands on its tab, and is written with its end."""
        whose = For(running.principal, running.thread, running.turn)

        async def aside(prompt: list[ChatMessage], *, max_tokens: int, purpose: str) -> str:
            return await self._ask(whose, running.tab, prompt, max_tokens, purpose)

        return aside

    def after(self, whose: For) -> Aside:
        """For a turn that has ended: what is asked is booked at once."""

        async def aside(prompt: list[ChatMessage], *, max_tokens: int, purpose: str) -> str:
            tab = Tab(self._till, whose.principal, whose.turn, _Unheard())
            try:
                return await self._ask(whose, tab, prompt, max_tokens, purpose)
            finally:
                await self._book(whose, tab)

        return aside

    def model_name(self, principal: Principal) -> str:
        """`provider:model` of what is asked for this user."""
        return self._router.first(principal.workspace).label

    async def _ask(
        self, whose: For, tab: Tab, prompt: list[ChatMessage], max_tokens: int, purpose: str
    ) -> str:
        model = self._router.model(
            whose.principal.workspace, turn=whose.turn, meter=tab.meter(purpose)
        )
        request = ModelRequest(messages=prompt, max_tokens=max_tokens)
        async with asyncio.timeout(self._seconds_max), self._room:
            reply = await model.stream(request, _Unheard())
        return reply.text

    async def _book(self, whose: For, tab: Tab) -> None:
        if not tab.calls:
            return
        workspace, user = whose.principal.workspace, whose.principal.user
        spent = Amount(
            sum(call.usage.total for call in tab.calls),
            sum(call.cost_nanos or 0 for call in tab.calls),
        )
        try:
            await self._ledger.book(
                workspace, user, tab.calls, thread=whose.thread, turn=whose.turn
            )
            if self._till.quotas.limited(whose.principal) is not None:
                await self._till.quotas.add(workspace, user, Done(whose.turn, spent=spent))
        except (StoreUnavailable, LimitsUnavailable) as error:
            log.warning("aside_not_booked", calls=len(tab.calls), error=str(error))


class _Unheard:
    """A sink and a report that nobody listens to; the reply has it all."""

    def text(self, text: str) -> None:
        """Not shown."""

    def reasoning(self, text: str) -> None:
        """Not shown."""

    def flush(self) -> None:
        """Nobody waits."""

    def used(self, usage: Usage, cost_micros: int | None = None) -> None:
        """Booked from the tab."""

    def event(self, event: Event) -> None:
        """Nobody is told."""
