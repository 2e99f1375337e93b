"""What a turn spends: every model call goes through its tab, which holds, counts and prices it.

A model is asked through `Tab.meter`, for the answer and for whatever else a turn wants of one.
Before a call its prompt and the longest reply are reserved; afterwards what it has really used is
booked. A call that ends well is booked as upstream reported; one that was stopped or broke, as far
as upstream reported, else as counted, and marked so. Refusals, where upstream did no work, are not
booked. The rows are written with the turn's end (chat/ending.py); a heartbeat keeps what has been
spent so far, so that a killed process does not make it free.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Protocol

import msgspec

from parlour.chat.till import Entry, Till
from parlour.domain import ModelCall, Principal, TurnId, Usage
from parlour.errors import TooMany
from parlour.events.types import Event, Notice
from parlour.limits.levels import Amount, Done, Level, Moment, Want
from parlour.limits.words import warnings
from parlour.models import failures
from parlour.models.port import Model, ModelReply, ModelRequest, ModelSink, Tally
from parlour.models.routes import Route
from parlour.models.usage import broken_usage, roughly_prompt
from parlour.store.ledger import call_row, micros_of

# A call of which nothing was heard has still been worked on when it ended in one of these ways.
WORKED_ON = (
    asyncio.CancelledError,
    failures.FirstByteTimeout,
    failures.IdleTimeout,
    failures.TotalTimeout,
)
ANSWER = "answer"
FIRST = 1
CLOSE_S = 2.0  # for counters that do not answer; the turn's end does not wait longer for them


class Report(Protocol):
    """Where a turn tells what it has used (the sink)."""

    def used(self, usage: Usage, cost_micros: int | None = None) -> None:
        """A model call used so many tokens; the turn has cost so much by now."""
        ...

    def event(self, event: Event) -> None:
        """Something people should know."""
        ...


class Tab:
    """What one turn spends."""

    def __init__(
        self,
        till: Till,
        principal: Principal,
        turn: TurnId,
        report: Report,
        entry: Entry | None = None,
    ) -> None:
        """`entry` is None for whoever has no limits."""
        self._till = till
        self._principal = principal
        self._turn = turn
        self._report = report
        self._entry = entry
        self._open: dict[int, tuple[ModelCall, Tally]] = {}
        self._begun = FIRST
        self._answering = False
        self._settling: list[asyncio.Task[None]] = []
        self.calls: list[ModelCall] = []

    def greet(self) -> None:
        """The turn has begun: say what its question has brought near."""
        if self._entry is not None:
            self._warn(self._entry.at, self._entry.levels, None)

    def has(self, feature: str) -> bool:
        """Whether the user's tier has a feature."""
        return self._till.has(self._principal, feature)

    def meter(self, purpose: str = ANSWER) -> Callable[[Route, Model], Model]:
        """For `Router.model`: every call upstream is paid by this tab."""

        def metered(route: Route, client: Model) -> Model:
            return _Metered(client, route, self, purpose)

        return metered

    def so_far(self) -> str:
        """The calls by now as the ledger's JSON rows, those under way as far as they are.

        Those that are over say where limits have counted them (`counted`).
        """
        rows = list(self.calls)
        for call, tally in self._open.values():
            spent = tally.spent()
            if spent is not None:
                usage = msgspec.structs.replace(spent, estimated=True)
                rows.append(self._price(dataclasses.replace(call, usage=usage)))
        numbered = [call_row(call, number) for number, call in enumerate(rows, 1)]
        for row in numbered[: len(self.calls)]:
            row["counted"] = self._till.quotas.place
        return msgspec.json.encode(numbered).decode()

    async def begin(self, route: Route, purpose: str, request: ModelRequest) -> int:
        """A call begins; its number. Raises what `Till.admit` raises."""
        number = self._number(purpose)
        if self._entry is not None:
            if purpose == ANSWER:  # what else is asked is the operator's choice, not the plan's
                self._till.check_route(self._entry.limited, route)
            await self._hold(self._entry, number, route, request)
        self._till.prepare(route.label)
        call = ModelCall(purpose, route.label, Usage(), route=route.name)
        request.tally.spent = lambda: None  # of an earlier try, perhaps
        self._open[number] = (call, request.tally)
        return number

    async def ended(self, number: int, reply: ModelReply) -> None:
        """A call gave its whole reply: booked before anything can be cancelled, then settled."""
        call, _ = self._open.pop(number)
        call = dataclasses.replace(
            call, usage=reply.usage, served_by=reply.served_by, request_id=reply.request_id
        )
        spent = self._book(call)
        if self._entry is not None:
            self._settling.append(asyncio.create_task(self._settle(number, spent)))
            await asyncio.shield(self._settling[-1])

    def broke(self, number: int, request: ModelRequest, error: BaseException) -> None:
        """A call was stopped or failed. A plain call: who is cancelled has no time to wait."""
        call, tally = self._open.pop(number)
        usage = tally.spent()
        if usage is None and isinstance(error, WORKED_ON):
            usage = broken_usage(request, said="")
        spent = Amount()
        if usage is not None and usage.total:
            spent = self._book(dataclasses.replace(call, usage=usage))
        if self._entry is not None:
            self._settling.append(asyncio.create_task(self._settle(number, spent)))

    async def close(self, *, kept: bool) -> None:
        """The turn is over: give its place back. `kept` is False when it never came to be."""
        if self._entry is None:
            return
        try:
            async with asyncio.timeout(CLOSE_S):
                if self._settling:
                    await asyncio.wait(self._settling)
                await self._tell(Done(self._turn, f"{self._turn}:1", leave=True, forget=not kept))
        except TimeoutError:
            return  # its reservation runs out by itself

    def _number(self, purpose: str) -> int:
        """The first call of the answer is 1: for it something was held with the question."""
        if purpose == ANSWER and not self._answering:
            self._answering = True
            return FIRST
        self._begun += 1
        return self._begun

    async def _hold(self, entry: Entry, number: int, route: Route, request: ModelRequest) -> None:
        till, limited = self._till, entry.limited
        prompt = roughly_prompt(request)
        if number == FIRST and entry.prompt:
            till.saw_prompt(prompt - entry.conversation)
            if prompt <= entry.prompt:
                return  # it was held when the question was let in
        sure, most = await till.amounts(
            self._principal.workspace, limited, route, prompt, request.max_tokens
        )
        want = Want(self._turn, f"{self._turn}:{number}", sure, most, till.hold_s)
        try:
            await till.quotas.take(limited.subjects, want)
        except TooMany as refusal:
            self._report.event(Notice(kind=refusal.code, text=str(refusal)))
            raise

    async def _settle(self, number: int, spent: Amount) -> None:
        if self._entry is not None:
            await self._tell(Done(self._turn, f"{self._turn}:{number}", spent))

    async def _tell(self, done: Done) -> None:
        if self._entry is None:
            return
        subjects = self._entry.limited.subjects
        settled = await self._till.quotas.settle(subjects, done)
        if settled is not None:
            self._warn(*settled, done.spent)

    def _warn(self, at: Moment, levels: tuple[Level, ...], spent: Amount | None) -> None:
        """Say once that a limit comes near; `spent` None = a question was let in."""
        assert self._entry is not None  # noqa: S101  # only whoever has limits is warned
        percent = self._till.quotas.rules(self._principal.workspace).warn_percent
        for text in warnings(self._entry.limited.subjects, levels, spent, percent, at):
            self._report.event(Notice(kind="quota_warning", text=text))

    def _book(self, call: ModelCall) -> Amount:
        priced = self._price(call)
        self.calls.append(priced)
        self._till.count(priced)
        self._report.used(call.usage, micros_of([call.cost_nanos for call in self.calls]))
        return Amount(call.usage.total, priced.cost_nanos or 0)

    def _price(self, call: ModelCall) -> ModelCall:
        return self._till.price(self._principal.workspace, call)


class _Metered:
    """A model whose calls are on a tab."""

    def __init__(self, client: Model, route: Route, tab: Tab, purpose: str) -> None:
        self._client = client
        self._route = route
        self._tab = tab
        self._purpose = purpose

    @property
    def name(self) -> str:
        return self._client.name

    async def stream(self, request: ModelRequest, sink: ModelSink) -> ModelReply:
        number = await self._tab.begin(self._route, self._purpose, request)
        try:
            reply = await self._client.stream(request, sink)
        except BaseException as error:
            self._tab.broke(number, request, error)
            raise
        await self._tab.ended(number, reply)
        return reply

    async def close(self) -> None:
        """The client belongs to the process."""
