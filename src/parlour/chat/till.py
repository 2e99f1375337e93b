"""Who pays: prices, limits, and the tabs of turns (chat/tab.py). One for the process."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from parlour import tokens
from parlour.domain import Message, ModelCall, Principal, TextPart, ToolPart, TurnId, Usage
from parlour.errors import LimitsUnavailable, ModelUnpriced, RouteNotAllowed, StoreUnavailable
from parlour.limits.levels import Amount, Done, Level, Moment, Want
from parlour.limits.quotas import Forgotten, Limited, Quotas
from parlour.models.prices import Prices
from parlour.models.routed import Router
from parlour.models.routes import Route
from parlour.policy import Policies
from parlour.store.claims import Claim
from parlour.store.lost import LostTurn
from parlour.telemetry.metrics import Metrics

# Before the prompt is put together only the conversation is known; what stands around it (our own
# words, tools) is taken to be as large as it was last time, and at first this.
AROUND_TOKENS = 1_000
Question = Literal["new", "asked", "none"]
CLAIMS_MAX = 3  # when the counters forget somebody meanwhile, the claim is made again


@dataclass(frozen=True, slots=True)
class Entry:
    """The limits of somebody whose question was let in, and what is held for its first call."""

    limited: Limited
    at: Moment
    levels: tuple[Level, ...]
    conversation: int  # tokens of what was said before, and of the question
    prompt: int  # tokens held for the whole prompt


class Till:
    """Prices calls, and lets questions in."""

    def __init__(
        self,
        *,
        prices: Prices,
        policies: Policies,
        router: Router,
        quotas: Quotas,
        metrics: Metrics,
        addresses: Mapping[str, str],
        reply_tokens_max: int,
        hold_s: float,
    ) -> None:
        """`addresses` has the base URL of a provider for routes that name none. A reservation is
        dropped after `hold_s`: its process has died."""
        self.quotas = quotas
        self.metrics = metrics
        self.hold_s = hold_s
        self.prices = prices
        self._policies = policies
        self._router = router
        self._addresses = dict(addresses)
        self._reply_tokens_max = reply_tokens_max
        self._around = AROUND_TOKENS
        self._loading: asyncio.Task[None] | None = None

    async def enter(
        self,
        principal: Principal,
        history: Sequence[Message] | None,
        claiming: Callable[[], Awaitable[Claim]],
        *,
        question: Question = "new",
    ) -> tuple[Claim, Entry | None]:
        """Claim a turn and let its question in; what is refused is not claimed.

        A turn that goes on after a decision has `none`: it was counted when it was asked. One whose
        process is gone was `asked` there, and perhaps counted nowhere else.

        After the claim, so that a message which was sent before joins its turn and is counted
        once, whatever the limits say by now. `history` stands in for the stored conversation.
        Raises what the claim raises, `RateLimited`, `QuotaExceeded`, `RouteNotAllowed`,
        `ModelUnpriced` and `LimitsUnavailable`.
        """
        limited = self.quotas.limited(principal)
        if limited is None:
            return await claiming(), None
        # The ledger is not asked while a claim holds a connection: they would wait for each other.
        await self.quotas.prepare(limited.subjects)
        for _ in range(CLAIMS_MAX):
            claim = await claiming()
            if claim.joined is not None:
                return claim, None
            try:
                said = claim.history if history is None else history
                return claim, await self._admit(principal, limited, claim.turn, said, question)
            except Forgotten:
                await claim.abandon()
                await self.quotas.prepare(limited.subjects, again=True)
            except BaseException:
                await claim.abandon()
                raise
        raise LimitsUnavailable("Limits cannot be checked at the moment. Please try again.")

    def beside(self, principal: Principal) -> Entry | None:
        """For calls that belong to no question of their own: limited, but not counted as one."""
        limited = self.quotas.limited(principal)
        return None if limited is None else Entry(limited, Moment(0), (), 0, 0)

    async def _admit(
        self,
        principal: Principal,
        limited: Limited,
        turn: TurnId,
        history: Sequence[Message],
        question: Question,
    ) -> Entry:
        """Hold what the first call may use."""
        route = self._router.first(principal.workspace)
        self.check_route(limited, route)
        conversation = sum(_size(message) for message in history)
        prompt = self._around + conversation
        sure, most = await self.amounts(
            principal.workspace, limited, route, prompt, self._reply_tokens_max
        )
        want = Want(
            turn,
            f"{turn}:1",
            sure,
            most,
            self.hold_s,
            enters=True,
            question=question != "none",
            asked=question == "asked",
        )
        at, levels = await self.quotas.take(limited.subjects, want, ask_ledger=False)
        return Entry(limited, at, levels, conversation, prompt)

    def check_route(self, limited: Limited, route: Route) -> None:
        """Raise `RouteNotAllowed` when the tier does not have the route."""
        if not limited.tier.may_use(route.name, route.label):
            raise RouteNotAllowed(f"Your plan does not have the model {route.label}.")

    async def amounts(
        self, workspace: str, limited: Limited, route: Route, prompt: int, reply: int
    ) -> tuple[Amount, Amount]:
        """What a call uses for sure, and what it may use at most, in tokens and in money."""
        if not limited.money:
            return Amount(prompt), Amount(reply)
        await self.ready(route.label)
        into = self._nanos(workspace, route, Usage(input=prompt))
        out = self._nanos(workspace, route, Usage(output=reply))
        return Amount(prompt, into), Amount(reply, out)

    def has(self, principal: Principal, feature: str) -> bool:
        """Whether the user's tier has a feature (`tools`)."""
        tier = self.quotas.rules(principal.workspace).tier(principal.tier)
        return principal.local or tier.has(feature)

    def saw_prompt(self, tokens_around: int) -> None:
        """What stood around the conversation in a first call."""
        self._around = max(0, tokens_around)

    def prepare(self, model: str) -> None:
        """See that `model` can be priced by the time that its call has ended."""
        if self._loading is None and not self.prices.version and self.prices.needs_list(model):
            self._loading = asyncio.create_task(self.prices.load(), name="price list")

    async def ready(self, model: str) -> None:
        """Return when `model` can be priced without delay."""
        if self.prices.needs_list(model):
            await self.prices.load()

    def price(self, workspace: str, call: ModelCall) -> ModelCall:
        """The call with its cost, by the prices that hold in a workspace."""
        own = self._policies.of(workspace).ledger.prices
        cost = self.prices.cost(
            call.model,
            call.usage,
            served_by=call.served_by,
            address=self._address(call.route or self._router.first(workspace).name),
            own=own,
        )
        return dataclasses.replace(call, cost_nanos=cost.nanos, prices=cost.prices)

    async def lost(self, turn: LostTurn) -> None:
        """Count what a turn has used that was lost with its process, and is not counted yet."""
        tokens, nanos = turn.spent(but_in=self.quotas.place)
        spent = Amount(tokens, nanos)
        try:
            await self.quotas.add(
                turn.workspace, turn.user, Done(turn.id, f"{turn.id}:1", spent, leave=True)
            )
        except (LimitsUnavailable, StoreUnavailable):
            return  # the ledger has it, and counters that come back ask there

    def count(self, call: ModelCall) -> None:
        """For the metrics."""
        if call.cost_nanos is None:
            self.metrics.calls_unpriced.inc()
        else:
            self.metrics.spent_dollars.labels(call.purpose).inc(call.cost_nanos / 1e9)

    def _nanos(self, workspace: str, route: Route, usage: Usage) -> int:
        call = self.price(workspace, ModelCall("", route.label, usage, route=route.name))
        if call.cost_nanos is None:
            raise ModelUnpriced(
                f"There is a limit in money here, but nobody knows what {route.label} costs. "
                "Whoever runs this server can name its price in policy.ledger.prices."
            )
        return call.cost_nanos

    def _address(self, name: str) -> str:
        route = next((route for route in self._router.routes() if route.name == name), None)
        return "" if route is None else route.base_url or self._addresses.get(route.provider, "")


def _size(message: Message) -> int:
    return sum(
        tokens.roughly(part.text) for part in message.parts if isinstance(part, TextPart | ToolPart)
    )
