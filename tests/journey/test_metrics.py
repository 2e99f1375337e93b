"""What /metrics says after a turn."""

from __future__ import annotations

import asyncio

from tests.house import WAIT_S, House, final
from tests.journey.conftest import HELLO, OpenHouse


async def scraped(house: House) -> dict[str, float]:
    """Every sample by its name with labels."""
    async with house.http.get(f"{house.url}/metrics") as response:
        assert response.status == 200
        text = await response.text()
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


async def test_a_turn_with_a_tool_is_counted(hello: House):
    await hello.ask("c1", "please calculate")
    samples = await scraped(hello)
    assert samples['parlour_turns_total{code="",status="done"}'] == 1
    assert samples["parlour_turns_running"] == 0
    assert samples["parlour_turn_seconds_count"] == 1
    assert samples["parlour_first_token_seconds_count"] == 1
    assert samples['parlour_tool_calls_total{server="parlour",status="ok"}'] == 1
    assert samples['parlour_tool_call_seconds_count{server="parlour"}'] == 1
    assert samples['parlour_tokens_total{bucket="input"}'] >= 20
    assert samples['parlour_tokens_total{bucket="output"}'] >= 5
    assert samples['parlour_postgres_connections{state="open"}'] >= 1
    assert samples['parlour_postgres_connections{state="waiting"}'] == 0
    assert samples["parlour_loop_lag_seconds"] < 5
    assert [name for name in samples if name.startswith("parlour_build_info{")]
    assert not [name for name in samples if name.startswith("parlour_redis_log")]


async def test_a_failure_upstream_is_counted_by_its_code(hello: House):
    assert final(await hello.ask("c1", "fail")).status == "failed"
    samples = await scraped(hello)
    assert samples['parlour_upstream_failures_total{code="upstream_cut"}'] == 1
    assert samples['parlour_turns_total{code="upstream_cut",status="failed"}'] == 1


async def test_a_tool_that_a_model_invents_makes_no_series_of_its_own(open_house: OpenHouse):
    call = {"calls": [{"name": "made__up", "arguments": {}}]}
    script = [{"when": "invent", "rounds": [[call], [{"text": "No."}]]}]
    async with open_house(script) as house:
        await house.ask("c1", "invent")
        samples = await scraped(house)
        assert samples['parlour_tool_calls_total{server="unknown",status="failed"}'] == 1
        assert "made" not in str(samples)


async def test_the_log_in_redis_is_counted(open_house: OpenHouse, redis_url: str):
    async with open_house(HELLO, redis_url=redis_url) as house:
        await house.ask("c1", "hello")
        async with asyncio.timeout(WAIT_S):
            while not (await scraped(house))['parlour_redis_log{count="rounds"}']:
                pass  # asking takes a round trip
        assert (await scraped(house))['parlour_redis_log{count="write_failures"}'] == 0
