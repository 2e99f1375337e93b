"""What a model call costs, in whole nano-dollars, and by which list of prices.

Prices are US dollars per million tokens, so one dollar per million is 1,000 nano-dollars a token
and most prices come out whole. The buckets of a call are priced exactly and their sum is rounded
once, half up, to a nano-dollar; sums of calls are sums of integers. A model that no list knows is
unpriced: its cost is None, never 0. The order: the workspace's own prices, what runs on this
machine (free), then genai-prices, by the provider that the name or the address of the call means.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from fnmatch import fnmatchcase
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from parlour.domain import Usage
from parlour.policy import ModelPrices

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, ModelPrice

log = structlog.get_logger("parlour.prices")

NANOS_PER_DOLLAR = 1_000_000_000
FREE = ("local", "scripted", "obedient")  # run on this machine: nobody is paid for a token
OWN = "this machine"
LOOKUPS_MAX = 1_000  # names are upstream's to choose; a flood of them begins anew

Price = Decimal | tuple[Decimal, tuple[tuple[int, Decimal], ...]]  # flat, or base and tiers


@dataclass(frozen=True, slots=True)
class Cost:
    """`nanos` is None when the model is unpriced; `prices` says which list was used."""

    nanos: int | None
    prices: str


UNPRICED = Cost(None, "")


@dataclass(frozen=True, slots=True)
class Rates:
    """Dollars per million tokens of one model; reasoning is paid as output."""

    input: Price
    cache_read: Price
    cache_write: Price
    output: Price

    def nanos(self, usage: Usage) -> int:
        """The cost of some usage. Tiers go by all that was read, as the providers bill it."""
        read = usage.input + usage.cache_read + usage.cache_write
        dollars_of_million = (
            _at(self.input, read) * usage.input
            + _at(self.cache_read, read) * usage.cache_read
            + _at(self.cache_write, read) * usage.cache_write
            + _at(self.output, read) * (usage.output + usage.reasoning)
        )
        return int((dollars_of_million * 1000).quantize(Decimal(1), ROUND_HALF_UP))


def _at(price: Price, read: int) -> Decimal:
    if isinstance(price, Decimal):
        return price
    base, tiers = price
    return next((tier for start, tier in reversed(tiers) if read > start), base)


class Prices:
    """The lists of prices. One for the process."""

    def __init__(self) -> None:
        self._snapshot: DataSnapshot | None = None
        self._version = ""
        self._found: dict[tuple[str, str, str], ModelInfo | None] = {}
        self._loading: asyncio.Lock = asyncio.Lock()

    @property
    def version(self) -> str:
        """Which list is in use; empty before it is loaded."""
        return self._version

    async def load(self) -> None:
        """Read the list that came with the package, once, off the event loop (half a second)."""
        async with self._loading:
            if self._snapshot is None:
                await asyncio.to_thread(self._bundled)

    def use(self, snapshot: DataSnapshot, name: str) -> None:
        """From now on, price by this list."""
        self._snapshot, self._version = snapshot, name
        self._found.clear()

    def needs_list(self, model: str) -> bool:
        """Whether this model's price could stand in the list only."""
        return model.partition(":")[0] not in FREE

    def cost(
        self,
        model: str,
        usage: Usage,
        *,
        served_by: str = "",
        address: str = "",
        own: Mapping[str, ModelPrices] | None = None,
    ) -> Cost:
        """What `usage` of `model` (`provider:name`) costs.

        `served_by` is what upstream said it was. `address` is the base URL that was called: the
        same API is spoken by many, and it tells who is paid. `own` are the workspace's prices.
        """
        for name in (model, served_by):
            if name and own and (found := _own_price(own, name)):
                return Cost(_own_rates(found).nanos(usage), _own_version(found))
        provider, _, name = model.partition(":")
        if provider in FREE:
            return Cost(0, OWN)
        prefix = f"{name.partition(':')[0]}:" if provider == "langchain" else ""
        info = self._find(provider, address, prefix + served_by) if served_by else None
        info = info or self._find(provider, address, name)
        rates = _rates(info.get_prices(datetime.now(UTC))) if info else None
        return UNPRICED if rates is None else Cost(rates.nanos(usage), self._version)

    def _bundled(self) -> None:
        module: Any = import_module("genai_prices.data_snapshot")
        self.use(module.get_snapshot(), f"genai-prices {version('genai-prices')}")

    def _find(self, provider: str, address: str, name: str) -> ModelInfo | None:
        key = (provider, address, name)
        if key in self._found:
            return self._found[key]
        if not name:
            return None
        if self._snapshot is None:
            self._bundled()
        if len(self._found) >= LOOKUPS_MAX:
            self._found.clear()
        found = self._found[key] = self._look_up(provider, address, name)
        return found

    def _look_up(self, provider: str, address: str, name: str) -> ModelInfo | None:
        assert self._snapshot is not None  # noqa: S101  # loaded by the caller
        if provider == "langchain":  # langchain:<provider>:<model>, in words that the list knows
            provider, _, name = name.partition(":")
        try:
            found = self._snapshot.find_provider_model(
                name, None, None if address else provider, address or None
            )
        except LookupError:
            return None
        return found[1]


def _rates(price: ModelPrice) -> Rates | None:
    """None for a model whose words have no price, only its searches, say."""
    into, out = _price(price.input_mtok), _price(price.output_mtok)
    if into is None or out is None:
        return None
    # A provider without a price for cached tokens bills them like others.
    read, write = _price(price.cache_read_mtok), _price(price.cache_write_mtok)
    return Rates(into, into if read is None else read, into if write is None else write, out)


def _price(value: Any) -> Price | None:  # Any: a Decimal, their TieredPrices, or None
    if value is None or isinstance(value, Decimal):
        return value
    return value.base, tuple((tier.start, tier.price) for tier in value.tiers)


def _own_price(own: Mapping[str, ModelPrices], name: str) -> ModelPrices | None:
    if name in own:
        return own[name]
    return next((price for pattern, price in own.items() if fnmatchcase(name, pattern)), None)


def _own_rates(own: ModelPrices) -> Rates:
    return Rates(
        own.input,
        own.input if own.cache_read is None else own.cache_read,
        own.input if own.cache_write is None else own.cache_write,
        own.output,
    )


def _own_version(own: ModelPrices) -> str:
    """The same words always give the same version."""
    words = msgspec.json.encode({k: str(v) for k, v in own.model_dump().items()})
    return f"own {hashlib.sha256(words).hexdigest()[:12]}"
