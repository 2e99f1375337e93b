"""The topic check of an embedded model has read its examples before anybody asks."""

from __future__ import annotations

import asyncio
from pathlib import Path

from parlour.app import running
from parlour.models import weights
from parlour.models.local import LocalModel
from parlour.models.port import ModelRequest
from parlour.safety import topics
from parlour.settings import Settings
from tests.live.test_local_model import CACHE, Heard

ALLOW = ["gardening", "delivery"]
WARM_S = 120


async def test_the_first_verdict_after_a_start_reads_little_more_than_its_message(
    tmp_path: Path, database_url: str
) -> None:
    settings = Settings(
        model=f"local:{weights.fetch('135m', CACHE)}",
        database_url=database_url,
        data_dir=tmp_path,
        policy={"topics": {"allow": ALLOW}},
    )
    async with running(settings) as services:
        (warming,) = [task for task in asyncio.all_tasks() if task.get_name() == "warm up"]
        await asyncio.wait_for(warming, WARM_S)
        model = services.model
        assert isinstance(model, LocalModel)
        asked = list(topics.question(ALLOW, "Why are my ferns brown?"))
        reply = await model.stream(ModelRequest(asked, max_tokens=topics.TOKENS_MAX), Heard())
        read = reply.usage.input + reply.usage.cache_read
        assert read > 500
        assert reply.usage.cache_read > read - 40
