"""Every way a model can fail ends in a code, a sentence, a reference, and the words so far."""

from __future__ import annotations

import pytest

from parlour.models.failures import all_failures
from tests.house import House, final, parse_frames, said
from tests.journey.conftest import OpenHouse

FAILURES = {failure.code: failure for failure in all_failures()}
SCRIPT = [
    {"when": code, "steps": [{"text": "Half an answer"}, {"fail": code}]} for code in FAILURES
]


@pytest.mark.promise("P8", "P19", "P20")
async def test_every_failure_upstream_has_its_own_end_and_keeps_what_was_said(
    open_house: OpenHouse,
):
    # The breaker would stand between the failures and the test.
    async with open_house(SCRIPT, models={"breaker_failures": 1_000}) as house:
        for code, failure in FAILURES.items():
            await check(house, code, retryable=failure.retryable, sentence=failure.sentence)


async def check(house: House, code: str, *, retryable: bool, sentence: str) -> None:
    thread = f"t-{code}"
    async with house.start(thread, f"<{code}>", {"x-request-id": f"r-{code}"}) as response:
        frames = parse_frames(await response.text())
    end = final(frames)
    assert (end.status, end.finish_reason) == ("failed", "")
    assert end.error is not None
    assert (end.error.code, end.error.message) == (code, sentence)
    assert end.error.retryable == retryable
    assert end.error.reference == f"r-{code}"
    assert said(frames) == "Half an answer"
    _, body = await house.get(f"/api/threads/{thread}")
    answer = body["messages"][1]
    assert answer["status"] == "failed"
    assert [part["type"] for part in answer["parts"]] == ["text", "error"]
    assert answer["parts"][1]["reference"] == f"r-{code}"
