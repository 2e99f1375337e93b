"""Whole turns over HTTP, with the scripted model and a real Postgres."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from parlour.safety.disclosures.engine import Now, utc_now
from parlour.settings import Settings
from tests.house import House, house

Script = list[dict[str, Any]]
OpenHouse = Callable[..., AbstractAsyncContextManager[House]]


@pytest.fixture
def open_house(tmp_path: Path, database_url: str) -> OpenHouse:
    """`async with open_house(script, **settings)`: a Parlour that plays `script`."""

    def opened(
        script: Script | None = None, token: str = "", clock: Now = utc_now, **settings: Any
    ) -> AbstractAsyncContextManager[House]:
        file = tmp_path / "script.json"
        file.write_text(json.dumps(script or []))
        given: dict[str, Any] = {
            "model": f"scripted:{file}",
            "database_url": database_url,
            "data_dir": tmp_path,
            "shutdown_s": 5,
            **settings,
        }
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return house(Settings(**given), clock=clock, **headers)

    return opened


HELLO: Script = [
    {
        "when": "calculate",
        "needs": ["parlour__calculator"],
        "rounds": [
            [
                {"reasoning": "Arithmetic. I use the calculator."},
                {"text": "Let me calculate. "},
                {
                    "calls": [
                        {
                            "name": "parlour__calculator",
                            "arguments": {"expression": "17.5 / 100 * 2340"},
                        }
                    ]
                },
            ],
            [{"text": "It is 409.5."}, {"usage": {"input": 20, "output": 5}}],
        ],
    },
    {"when": "gate", "steps": [{"text": "Before. "}, {"gate": "middle"}, {"text": "After."}]},
    {"when": "fail", "steps": [{"text": "Half an ans"}, {"cut": True}]},
    {"when": "hello", "steps": [{"text": "Hello there, friend."}]},
]


@pytest.fixture
async def hello(open_house: OpenHouse) -> AsyncIterator[House]:
    """A Parlour that knows a few words."""
    async with open_house(HELLO) as it:
        yield it
