"""Prices: integers, versions, tiers as the providers bill them, and never a 0 for the unknown."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from aiohttp import web
from genai_prices import Usage as TheirUsage
from genai_prices import calc_price, update_prices
from hypothesis import given, settings
from hypothesis import strategies as st

from parlour.domain import Usage
from parlour.models.price_list import BadList, PriceList, address_of
from parlour.models.prices import FREE, OWN, Prices
from parlour.policy import ModelPrices

OPENAI = "https://api.openai.com/v1"
PRICES = Prices()
TOKENS = st.integers(min_value=0, max_value=400_000)


def test_cached_tokens_cost_what_cached_tokens_cost() -> None:
    usage = Usage(input=86, cache_read=1920, output=44, reasoning=256)
    cost = PRICES.cost("openai:gpt-5.1", usage)
    # 86 x $1.25 + 1,920 x $0.125 + 300 x $10, each by the million
    assert cost.nanos == 86 * 1250 + 1920 * 125 + 300 * 10_000
    assert cost.prices.startswith("genai-prices ")


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gpt-5.1", "openai"),
        ("gpt-4o-mini", "openai"),
        ("claude-sonnet-4-5", "anthropic"),
        ("claude-haiku-4-5", "anthropic"),
    ],
)
@settings(max_examples=50, deadline=None)
@given(st.tuples(TOKENS, TOKENS, TOKENS, TOKENS, TOKENS))
def test_it_is_the_librarys_price_to_the_nano_dollar(
    model: str, provider: str, counts: tuple[int, int, int, int, int]
) -> None:
    usage = Usage(*counts)
    theirs = calc_price(
        TheirUsage(
            input_tokens=usage.input + usage.cache_read + usage.cache_write,
            cache_read_tokens=usage.cache_read,
            cache_write_tokens=usage.cache_write,
            output_tokens=usage.output + usage.reasoning,
        ),
        model,
        provider_id=provider,
    )
    nanos = PRICES.cost(f"{provider}:{model}", usage).nanos
    assert nanos is not None
    assert abs(Decimal(nanos) - theirs.total_price * 10**9) <= Decimal("0.5")


def test_a_model_that_no_list_knows_is_unpriced_and_not_free() -> None:
    assert PRICES.cost("openai:acme-7", Usage(input=10)).nanos is None
    # The same name elsewhere is another model: who is paid is told by the address.
    here = PRICES.cost("openai:gpt-5.1", Usage(input=10), address=OPENAI)
    elsewhere = PRICES.cost("openai:gpt-5.1", Usage(input=10), address="http://127.0.0.1:11434/v1")
    assert (here.nanos, elsewhere.nanos) == (12_500, None)


def test_what_runs_on_this_machine_costs_nothing_and_says_why() -> None:
    for provider in FREE:
        cost = PRICES.cost(f"{provider}:anything", Usage(input=10, output=10))
        assert (cost.nanos, cost.prices) == (0, OWN)


def test_who_really_answered_is_priced() -> None:
    asked = PRICES.cost("openai:gpt-5.1", Usage(output=1000))
    served = PRICES.cost("openai:gpt-5.1", Usage(output=1000), served_by="gpt-4o-mini-2024-07-18")
    assert (asked.nanos, served.nanos) == (10_000_000, 600_000)


def test_langchains_names_find_their_provider() -> None:
    cost = PRICES.cost("langchain:google_genai:gemini-2.5-flash", Usage(output=1))
    assert cost.nanos is not None


def test_a_workspaces_own_price_wins_and_has_a_version_of_its_own() -> None:
    own = {"openai:acme-*": ModelPrices(input=Decimal("0.0375"), output=Decimal(2))}
    cost = PRICES.cost("openai:acme-7", Usage(input=3, cache_read=1, output=5), own=own)
    assert cost.nanos == 150 + 10_000  # 4 x 37.5 nano-dollars; the sum is rounded, once
    assert cost.prices.startswith("own ")
    same = PRICES.cost("openai:acme-8", Usage(input=1), own=own)
    assert same.nanos == 38  # 37.5, half up
    assert same.prices == cost.prices


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[tuple[str, Path]]:
    """An address that serves what stands in a file."""
    file = tmp_path / "prices.json"

    async def serve(_: web.Request) -> web.Response:
        return web.Response(body=file.read_bytes())

    app = web.Application()
    app.router.add_get("/prices.json", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}/prices.json", file
    await runner.cleanup()


LIST = [
    {
        "id": "openai",
        "name": "OpenAI",
        "api_pattern": "https://api\\.openai\\.com",
        "models": [
            {
                "id": "acme-7",
                "match": {"equals": "acme-7"},
                "prices": {"input_mtok": 3, "output_mtok": 15},
            }
        ],
    }
]


async def test_a_fetched_list_is_used_and_named(shop: tuple[str, Path]) -> None:
    url, file = shop
    file.write_text(json.dumps(LIST))
    prices = Prices()
    assert prices.cost("openai:acme-7", Usage(input=1)).nanos is None
    await PriceList(prices, url=url, every_s=60).fetch()
    cost = prices.cost("openai:acme-7", Usage(input=1))
    assert (cost.nanos, cost.prices) == (3_000, prices.version)
    assert prices.version.startswith("list ")


@pytest.mark.parametrize("garbage", ["", "<html>", "{}", "[]", '[{"id": 1}]'])
async def test_a_list_that_is_none_changes_nothing(shop: tuple[str, Path], garbage: str) -> None:
    url, file = shop
    file.write_text(garbage)
    prices = Prices()
    await prices.load()
    before = prices.version
    with pytest.raises((BadList, ValueError)):
        await PriceList(prices, url=url, every_s=60).fetch()
    assert prices.version == before
    assert prices.cost("openai:gpt-5.1", Usage(input=1)).nanos == 1250


def test_the_librarys_own_list_is_where_the_library_fetches_it() -> None:
    assert address_of("genai-prices") == update_prices.DEFAULT_UPDATE_URL
    assert address_of("https://example.org/list.json") == "https://example.org/list.json"
