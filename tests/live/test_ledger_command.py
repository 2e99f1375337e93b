"""`parlour ledger` and `parlour limits` on a real database, and providers' own exports."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from parlour.domain import ModelCall, Usage
from parlour.store.database import Database
from parlour.store.ledger import Ledger
from tests.live.process import run

DAY_S = 86_400


@pytest.fixture
async def booked(database_url: str) -> AsyncIterator[str]:
    """A ledger with a few calls of two users, all at noon of 2026-11-20; its address."""
    database = await Database.open(database_url)
    calls = [
        ModelCall(
            "answer",
            "openai:gpt-5.1",
            Usage(100, 900, 0, 40, 10),
            route="default",
            served_by="gpt-5.1-2025-11-13",
            cost_nanos=1_234_567,
            prices="genai-prices 0.2.3",
            request_id="chatcmpl-1",
        ),
        ModelCall(
            "summary",
            "openai:gpt-5.1",
            Usage(50, 0, 0, 5, 0, estimated=True),
            served_by="gpt-5.1-2025-11-13",
            cost_nanos=100_000_000,
            request_id="chatcmpl-2",
        ),
        ModelCall("answer", "anthropic:claude-x", Usage(10, 20, 30, 40, 0), served_by="claude-x"),
    ]
    try:
        await Ledger(database).book("acme", "ann", calls[:2])
        await Ledger(database).book("acme", "bob", calls[2:])
        await database.fetch("UPDATE model_calls SET at = '2026-11-20 12:00+00' RETURNING id")
        yield database_url
    finally:
        await database.close()


async def parlour(folder: Path, url: str, *arguments: str) -> tuple[int | None, str]:
    code, said, errors = await run(*arguments, folder=folder, PARLOUR_DATABASE_URL=url)
    return code, said + errors


async def test_the_ledger_is_shown_by_user_model_and_day(tmp_path: Path, booked: str) -> None:
    code, said = await parlour(tmp_path, booked, "ledger", "show", "--by", "user", "--days", "400")
    assert code == 0
    ann = next(line for line in said.splitlines() if line.startswith("acme/ann"))
    assert ann.split() == [
        *("acme/ann", "2", "150", "900", "0", "45", "10", "0.101234567"),
        *("estimated", "in", "part"),
    ]
    bob = next(line for line in said.splitlines() if line.startswith("acme/bob"))
    assert bob.split()[-3:] == ["-", "1", "unpriced"]
    assert "total" in said
    _, days = await parlour(tmp_path, booked, "ledger", "day", "--days", "400")
    assert "2026-11-20" in days
    _, none = await parlour(tmp_path, booked, "ledger", "--days", "400", "--user", "nobody")
    assert none.strip() == "Nothing was spent."


def write(folder: Path, name: str, content: Any) -> str:
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_text(text)
    return name


OPENAI_API = {
    "object": "page",
    "data": [
        {
            "object": "bucket",
            "start_time": 1_795_132_800,  # 2026-11-20
            "end_time": 1_795_219_200,
            "results": [
                {
                    "object": "organization.usage.completions.result",
                    "input_tokens": 1_000,
                    "input_cached_tokens": 900,
                    "output_tokens": 50,
                    "num_model_requests": 1,
                    "model": "gpt-5.1-2025-11-13",
                },
                {
                    "input_tokens": 50,
                    "input_cached_tokens": 0,
                    "output_tokens": 5,
                    "num_model_requests": 1,
                    "model": "gpt-5.1-2025-11-13",
                },
            ],
        }
    ],
}
ANTHROPIC_API = {
    "data": [
        {
            "starting_at": "2026-11-20T00:00:00Z",
            "ending_at": "2026-11-21T00:00:00Z",
            "results": [
                {
                    "model": "claude-x",
                    "uncached_input_tokens": 10,
                    "cache_creation": {
                        "ephemeral_5m_input_tokens": 30,
                        "ephemeral_1h_input_tokens": 0,
                    },
                    "cache_read_input_tokens": 20,
                    "output_tokens": 40,
                }
            ],
        }
    ],
    "has_more": False,
}
OPENAI_CSV = """start_time,start_time_iso,model,\
input_tokens,input_cached_tokens,output_tokens,num_model_requests
1795132800,2026-11-20T00:00:00+00:00,gpt-5.1-2025-11-13,1050,900,55,2
"""
ANTHROPIC_CSV = """usage_date_utc,model_version,usage_input_tokens_no_cache,\
usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,\
usage_input_tokens_cache_read,usage_output_tokens
2026-11-20,claude-x,10,30,0,20,40
"""
BY_REQUEST = """request_id,input,cache_read,output,reasoning,cost
chatcmpl-1,100,900,40,10,0.001234567
"""


@pytest.mark.promise("P16")
@pytest.mark.parametrize(
    "content", [OPENAI_API, OPENAI_CSV, ANTHROPIC_API, ANTHROPIC_CSV, BY_REQUEST]
)
async def test_an_export_that_agrees_says_so(tmp_path: Path, booked: str, content: Any) -> None:
    file = write(tmp_path, "usage", content)
    code, said = await parlour(tmp_path, booked, "ledger", "reconcile", file)
    assert code == 0, said
    assert "exactly" in said


@pytest.mark.promise("P16")
async def test_every_difference_is_listed(tmp_path: Path, booked: str) -> None:
    export = (
        "day,model,input,cache_read,cache_write,output,calls\n"
        "2026-11-20,gpt-5.1-2025-11-13,149,900,0,60,2\n"
        "2026-11-20,gpt-elsewhere,7,0,0,0,1\n"
    )
    file = write(tmp_path, "usage.csv", export)
    code, said = await parlour(tmp_path, booked, "ledger", "reconcile", file)
    assert code == 1
    lines = said.splitlines()
    name = "2026-11-20 gpt-5.1-2025-11-13"
    assert f"{name}: input 149 in the export, 150 here (1 more)" in lines
    assert f"{name}: output 60 in the export, 55 here (5 less)" in lines
    assert "  1 of these calls were stopped or broke and are estimated." in lines
    assert "2026-11-20 gpt-elsewhere: not in the ledger (input 7)" in lines
    assert any(line.startswith("2026-11-20 claude-x: not in the export") for line in lines)
    assert lines[-1] == "0 of 2 lines of usage.csv agree."


@pytest.mark.parametrize("content", ["", "{", "[]", "a,b\n1,2\n", '{"data": 1}', "day\n\x00\n"])
async def test_what_is_no_export_is_refused_in_a_sentence(
    tmp_path: Path, booked: str, content: str
) -> None:
    file = write(tmp_path, "usage", content)
    code, said = await parlour(tmp_path, booked, "ledger", "reconcile", file)
    assert code == 1
    assert len(said.strip().splitlines()) == 1, said
    assert said.startswith("parlour: ")


async def test_limits_are_shown_to_whoever_has_no_console(tmp_path: Path, booked: str) -> None:
    (tmp_path / "parlour.toml").write_text(
        "[policy.limits.tiers.free]\ntokens_per_day = 1000\n"
        "[workspaces.acme.limits.workspace]\ndollars_per_month = 2.5\n"
    )
    code, said = await parlour(tmp_path, booked, "limits", "ann", "--workspace", "acme")
    assert code == 0
    assert "user: 0 tokens of 1,000 tokens a day, more from" in said
    assert "user: 0 questions of 50 questions an hour" in said
    assert "workspace: $0." in said
    assert "of $2.50 a month" in said
