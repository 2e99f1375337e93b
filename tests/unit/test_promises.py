"""The list of promises and the tests hold each other to account."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.promises import PROMISES, unknown_numbers

TESTS = Path(__file__).resolve().parent.parent


def carried_numbers() -> Iterator[str]:
    """Every number in a `promise(...)` mark in the sources, whichever tests run now."""
    for file in set(TESTS.rglob("test_*.py")) - {Path(__file__)}:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.promise":
                yield from (str(ast.literal_eval(argument)) for argument in node.args)


def test_every_promise_that_is_made_has_a_test() -> None:
    carried = set(carried_numbers())
    bare = [
        f"{number}: {promise.statement}"
        for number, promise in PROMISES.items()
        if not promise.later and number not in carried
    ]
    assert not bare, "no test carries\n  " + "\n  ".join(bare)


def test_every_number_on_a_test_is_a_promise() -> None:
    assert set(carried_numbers()) <= set(PROMISES)


def test_an_unknown_number_is_found(request: pytest.FixtureRequest) -> None:
    item = request.node
    item.add_marker(pytest.mark.promise("P1", "P999"))
    assert unknown_numbers(item) == ["P999"]
