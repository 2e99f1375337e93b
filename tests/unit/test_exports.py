"""Providers' own counts as their administration APIs give them; shapes and figures are invented."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parlour.commands.exports import Line, read_export
from parlour.commands.ledger import compare
from parlour.domain import Usage
from parlour.errors import ConfigurationError
from parlour.store.ledger import Counted

DAY = "2026-11-20"


def page(*results: dict[str, Any], has_more: bool = False) -> dict[str, Any]:
    bucket = {"starting_at": f"{DAY}T00:00:00Z", "ending_at": "2026-11-21T00:00:00Z"}
    return {"data": [{**bucket, "results": list(results)}], "has_more": has_more}


def read(folder: Path, content: Any) -> tuple[str, list[Line]]:
    file = folder / "export.json"
    file.write_text(json.dumps(content))
    return read_export(file)


def test_openai_counts_what_was_written_to_the_cache_among_the_input(tmp_path: Path) -> None:
    result = {
        "object": "organization.usage.completions.result",
        "input_tokens": 1_000,
        "input_cached_tokens": 600,
        "input_cache_write_tokens": 300,
        "input_uncached_tokens": 100,
        "output_tokens": 50,
        "num_model_requests": 2,
        "model": "gpt-x",
    }
    bucket = {"object": "bucket", "start_time": 1_795_132_800, "results": [result]}
    kind, lines = read(tmp_path, {"object": "page", "data": [bucket], "has_more": False})
    assert kind == "openai"
    assert lines == [Line(DAY, "gpt-x", "", 100, 600, 300, 50, 2)]


COSTS = [
    {
        "amount": "123.45",
        "currency": "USD",
        "cost_type": "tokens",
        "description": "Claude X Usage - Input Tokens",
        "model": "claude-x",
        "token_type": "uncached_input_tokens",
    },
    {"amount": "0.05", "currency": "USD", "cost_type": "tokens", "model": "claude-x"},
    {"amount": "500", "currency": "USD", "cost_type": "web_search", "model": None},
]


def test_anthropics_costs_are_cents_and_only_those_of_tokens_are_compared(tmp_path: Path) -> None:
    kind, lines = read(tmp_path, page(*COSTS))
    assert kind == "anthropic_cost"
    assert lines == [Line(DAY, "claude-x", "", None, None, None, None, None, 1_235_000_000)]

    def ours(nanos: int | None) -> list[Counted]:
        return [Counted(DAY, "claude-x", "", 3, Usage(input=9, output=9), 0, nanos)]

    assert compare(lines, ours(1_235_000_000)) == ([], 1)
    (more,), agree = compare(lines, ours(1_235_000_001))
    assert (agree, more) == (
        0,
        f"{DAY} claude-x: cost 1.235 in the export, 1.235000001 here (0.000000001 more)",
    )
    (unpriced,), _ = compare(lines, ours(None))
    assert unpriced.endswith("cost 1.235 in the export, not priced here")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (page(COSTS[0], has_more=True), "one page of several"),
        (
            page({"uncached_input_tokens": 1, "output_tokens": 1, "model": None}),
            "group it by model",
        ),
        (page({"amount": "1", "currency": "USD", "model": None}), "by description"),
    ],
)
def test_a_part_of_an_export_is_refused_rather_than_compared(
    tmp_path: Path, content: Any, sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        read(tmp_path, content)
