"""Asking a model beside the answer: summaries, verdicts, follow-ups. Never in an answer's way.

An aside goes the same approved route as the workspace's answers, says nothing to anybody but its
caller, and has a limit in seconds. It is paid with its turn while that runs (the turn's tab), and
booked by itself afterwards.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import Protocol

import structlog

from parlour.chat.privacy import Privacy
from parlour.chat.tab import Tab
from parlour.chat.till import Till
from parlour.domain import Principal, ThreadId, TurnId, Usage
from parlour.errors import StoreUnavailable
from parlour.events.types import Event
from parlour.models.port import ChatMessage, ModelRequest, Unheard
from parlour.models.routed import Router
from parlour.store.ledger import Ledger

log = structlog.get_logger("parlour.aside")

AT_ONCE = 16  # asides of one process under way; others wait, within their limit
SECONDS_MAX = 60.0


class Aside(Protocol):
    """Ask a model: `await aside(prompt, max_tokens=50, purpose="verifier")`."""

    async def __call__(self, prompt: list[ChatMessage], *, max_tokens: int, purpose: str) -> str:
        """The reply's text. Raises `errors.Upstream`, `RouteUnavailable`, `TimeoutError`, and what
        limits say (`errors.TooMany`, `LimitsUnavailable`)."""
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
        self,
        *,
        router: Router,
        till: Till,
        ledger: Ledger,
        privacy: Privacy,
        seconds_max: float = SECONDS_MAX,
    ) -> None:
        self._router = router
        self._till = till
        self._ledger = ledger
        self._privacy = privacy
        self._seconds_max = seconds_max
        self._room = asyncio.Semaphore(AT_ONCE)

    def after(self, whose: For) -> Aside:
        """For a turn that has ended: what is asked is reserved for itself and booked at once."""

        async def aside(prompt: list[ChatMessage], *, max_tokens: int, purpose: str) -> str:
            entry = self._till.beside(whose.principal)
            # A name of its own: the reservations of the turn itself are given back by name.
            name = TurnId(f"{whose.turn}+{secrets.token_hex(4)}")
            tab = Tab(self._till, whose.principal, name, _Untold(), entry)
            try:
                return await self._ask(whose, tab, prompt, max_tokens, purpose)
            finally:
                await tab.close(kept=True)
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
        prompt = await self._privacy.hide(whose.principal, whose.thread, prompt)
        request = ModelRequest(messages=prompt, max_tokens=max_tokens)
        async with asyncio.timeout(self._seconds_max), self._room:
            reply = await model.stream(request, Unheard())
        return reply.text

    async def _book(self, whose: For, tab: Tab) -> None:
        if not tab.calls:
            return
        workspace, user = whose.principal.workspace, whose.principal.user
        try:
            await self._ledger.book(
                workspace, user, tab.calls, thread=whose.thread, turn=whose.turn
            )
        except StoreUnavailable as error:
            log.warning("aside_not_booked", calls=len(tab.calls), error=str(error))


class _Untold:
    """A report that nobody listens to."""

    def used(self, usage: Usage, cost_micros: int | None = None) -> None:
        """Booked from the tab."""

    def event(self, event: Event) -> None:
        """Nobody is told."""
