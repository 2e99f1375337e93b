"""Newer prices while Parlour runs: fetched in the background, bounded, and only where asked for.

A list that cannot be fetched or read changes nothing: the one in use stays, and the log says so.
"""

from __future__ import annotations

import asyncio
import hashlib
from importlib import import_module
from typing import Any

import aiohttp
import msgspec
import structlog

from parlour.models.prices import Prices

log = structlog.get_logger("parlour.prices")

FETCH_S = 30.0
BYTES_MAX = 32_000_000  # the list has 2 MB
PROVIDERS_MIN = 1
LIBRARYS_OWN = "genai-prices"  # instead of an address: wherever the library fetches from


class BadList(Exception):
    """What was fetched is no list of prices."""


class PriceList:
    """The task that fetches. One for the process; without an address it does nothing."""

    def __init__(self, prices: Prices, *, url: str, every_s: float) -> None:
        self._prices = prices
        self._url = url
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Fetch now and then, in the background."""
        if self._url:
            self._task = asyncio.create_task(self._repeat(), name="price list")

    async def close(self) -> None:
        """Stop; the list in use stays."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def fetch(self) -> None:
        """Fetch and use one list. Raises what the network raises, and `BadList`."""
        address = await asyncio.to_thread(address_of, self._url)
        timeout = aiohttp.ClientTimeout(total=FETCH_S)
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=True) as http,
            http.get(address) as response,
        ):
            response.raise_for_status()
            data = bytearray()
            async for piece in response.content.iter_chunked(65_536):
                data += piece
                if len(data) > BYTES_MAX:
                    raise BadList(f"it has more than {BYTES_MAX} bytes")
        snapshot = await asyncio.to_thread(_read, bytes(data))
        self._prices.use(snapshot, f"list {hashlib.sha256(data).hexdigest()[:12]}")

    async def _repeat(self) -> None:
        while True:
            try:
                await self.fetch()
                log.info("prices_fetched", prices=self._prices.version)
            except Exception as error:  # noqa: BLE001  # whatever it is, the old list goes on
                log.warning("prices_not_fetched", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(self._every_s)


def address_of(url: str) -> str:
    """Where a list is fetched from."""
    if url != LIBRARYS_OWN:
        return url
    return str(import_module("genai_prices.update_prices").DEFAULT_UPDATE_URL)


def _read(data: bytes) -> Any:  # a snapshot of the library's
    try:
        raw = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadList(f"it is not JSON: {error}") from None
    if not isinstance(raw, list) or len(raw) < PROVIDERS_MIN:  # pyright: ignore[reportUnknownArgumentType]
        raise BadList("it is not a list of providers")
    # The library reads its format in a private function only; its version is bounded.
    types: Any = import_module("genai_prices.types")
    snapshots: Any = import_module("genai_prices.data_snapshot")
    providers = types._providers_from_raw(raw)
    return snapshots.DataSnapshot(providers, from_auto_update=True)
