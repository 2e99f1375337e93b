"""What a turn spends: every model call goes through its tab, which counts and prices it.

A model is asked through `Tab.meter`, for the answer and for whatever else a turn wants of one.
A call that ends well is booked as upstream reported; one that was stopped or broke, as far as
upstream reported, else as counted, and marked so. Refusals, where upstream did no work, are not
booked. The rows are written with the turn's end (chat/ending.py); a heartbeat keeps what has been
spent so far, so that a killed process does not make it free.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from parlour.domain import ModelCall, Principal, TurnId, Usage
from parlour.models import failures
from parlour.models.port import Model, ModelReply, ModelRequest, ModelSink, Tally
from parlour.models.prices import Prices
from parlour.models.routed import Router
from parlour.models.routes import Route
from parlour.models.usage import broken_usage
from parlour.policy import Policies
from parlour.store.ledger import call_row, micros_of

# A call of which nothing was heard has still been worked on when it ended in one of these ways.
WORKED_ON = (
    asyncio.CancelledError,
    failures.FirstByteTimeout,
    failures.IdleTimeout,
    failures.TotalTimeout,
)


class Report(Protocol):
    """Where a turn tells what it has used (the sink)."""

    def used(self, usage: Usage, cost_micros: int | None = None) -> None:
        """A model call used so many tokens; the turn has cost so much by now."""
        ...


class Till:
    """Opens tabs. One for the process."""

    def __init__(
        self,
        *,
        prices: Prices,
        policies: Policies,
        router: Router,
        addresses: Mapping[str, str],
    ) -> None:
        """`addresses` has the base URL of a provider for routes that name none."""
        self._prices = prices
        self._policies = policies
        self._router = router
        self._addresses = dict(addresses)

    def open(self, principal: Principal, turn: TurnId, report: Report) -> Tab:
        """The tab of a turn that begins."""
        return Tab(self, principal, turn, report)

    async def ready(self, model: str) -> None:
        """Return when `model` can be priced without delay."""
        if self._prices.needs_list(model):
            await self._prices.load()

    def price(self, workspace: str, call: ModelCall) -> ModelCall:
        """The call with its cost, by the prices that hold in a workspace."""
        own = self._policies.of(workspace).ledger.prices
        cost = self._prices.cost(
            call.model,
            call.usage,
            served_by=call.served_by,
            address=self._address(call.route or self._router.first(workspace).name),
            own=own,
        )
        return dataclasses.replace(call, cost_nanos=cost.nanos, prices=cost.prices)

    def _address(self, name: str) -> str:
        route = next((route for route in self._router.routes() if route.name == name), None)
        return "" if route is None else route.base_url or self._addresses.get(route.provider, "")


class Tab:
    """What one turn spends."""

    def __init__(self, till: Till, principal: Principal, turn: TurnId, report: Report) -> None:
        self._till = till
        self._principal = principal
        self._turn = turn
        self._report = report
        self._open: dict[int, tuple[ModelCall, Tally]] = {}
        self._begun = 0
        self.calls: list[ModelCall] = []

    def meter(self, purpose: str = "answer") -> Callable[[Route, Model], Model]:
        """For `Router.model`: every call upstream is paid by this tab."""

        def metered(route: Route, client: Model) -> Model:
            return _Metered(client, route, self, purpose)

        return metered

    def so_far(self) -> str:
        """The calls by now as the ledger's JSON rows, those under way as far as they are."""
        rows = list(self.calls)
        for call, tally in self._open.values():
            spent = tally.spent()
            if spent is not None:
                usage = msgspec.structs.replace(spent, estimated=True)
                rows.append(self._price(dataclasses.replace(call, usage=usage)))
        numbered = [call_row(call, place) for place, call in enumerate(rows, 1)]
        return msgspec.json.encode(numbered).decode()

    async def begin(self, route: Route, purpose: str, request: ModelRequest) -> int:
        """A call begins; its number."""
        self._begun += 1
        call = ModelCall(purpose, route.label, Usage(), route=route.name)
        request.tally.spent = lambda: None  # of an earlier try, perhaps
        self._open[self._begun] = (call, request.tally)
        return self._begun

    async def ended(self, number: int, reply: ModelReply) -> None:
        """A call gave its whole reply."""
        call, _ = self._open.pop(number)
        await self._till.ready(call.model)
        self._book(
            dataclasses.replace(
                call,
                usage=reply.usage,
                served_by=reply.served_by,
                request_id=reply.request_id,
            )
        )

    def broke(self, number: int, request: ModelRequest, error: BaseException) -> None:
        """A call was stopped or failed. A plain call: who is cancelled has no time to wait."""
        call, tally = self._open.pop(number)
        usage = tally.spent()
        if usage is None and isinstance(error, WORKED_ON):
            usage = broken_usage(request, said="")
        if usage is not None and usage.total:
            self._book(dataclasses.replace(call, usage=usage))

    def _book(self, call: ModelCall) -> None:
        priced = self._price(call)
        self.calls.append(priced)
        self._report.used(call.usage, micros_of([call.cost_nanos for call in self.calls]))

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
        """The model belongs to the process."""
