"""Arguments are checked before a server sees them, and put right where the meaning is plain."""

from __future__ import annotations

from typing import Any

import pytest

from parlour.tools.arguments import ArgumentCheck

SEARCH = {
    "type": "object",
    "properties": {
        "query": {"type": "string"},
        "limit": {"type": "integer", "minimum": 1, "maximum": 100},
        "tags": {"type": "array", "items": {"type": "string"}},
        "deep": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
    },
    "required": ["query"],
    "additionalProperties": False,
}
WRAPPED = {
    "type": "object",
    "properties": {"request": {"$ref": "#/$defs/Request"}},
    "required": ["request"],
    "$defs": {
        "Request": {
            "type": "object",
            "properties": {"page": {"type": "integer", "minimum": 1}, "search": {"type": "string"}},
        }
    },
}


def test_good_arguments_pass_unchanged() -> None:
    arguments = {"query": "x", "limit": 5, "deep": None}
    assert ArgumentCheck(SEARCH).check(arguments) == (arguments, "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "'query' is a required property"),
        ({"query": "x", "limit": 0}, "limit: 0 is less than the minimum of 1"),
        ({"query": "x", "other": 1}, "'other' was unexpected"),
        ({"query": ["x"]}, "query: ['x'] is not of type 'string'"),
    ],
)
def test_the_model_hears_the_checkers_words(arguments: dict[str, Any], words: str) -> None:
    sent, wrong = ArgumentCheck(SEARCH).check(arguments)

    assert sent == arguments
    assert words in wrong
    assert "It takes: query, limit, tags, deep." in wrong


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ({"query": "x", "limit": "5"}, {"query": "x", "limit": 5}),
        ({"query": "x", "tags": '["a", "b"]'}, {"query": "x", "tags": ["a", "b"]}),
        ({"query": "x", "limit": None}, {"query": "x"}),
        ({"query": 12}, {"query": "12"}),
        ({"query": "x", "deep": "true"}, {"query": "x", "deep": True}),
    ],
)
def test_what_is_plainly_meant_is_put_right(
    arguments: dict[str, Any], meant: dict[str, Any]
) -> None:
    assert ArgumentCheck(SEARCH).check(arguments) == (meant, "")


@pytest.mark.parametrize(
    "arguments",
    [
        {"page": 2, "search": "x"},
        {"request": {"page": 2, "search": "x"}},
        {"request": '{"page": 2, "search": "x"}'},
        {"page": "2", "search": "x"},
    ],
)
def test_a_missing_wrapper_is_put_around(arguments: dict[str, Any]) -> None:
    assert ArgumentCheck(WRAPPED).check(arguments) == ({"request": {"page": 2, "search": "x"}}, "")


def test_a_wrapped_mistake_is_told_by_its_own_field() -> None:
    _, wrong = ArgumentCheck(WRAPPED).check({"page": 0})

    assert "request.page: 0 is less than the minimum of 1" in wrong
    assert "It takes: page, search." in wrong


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"type": "object", "properties": {"a": {"$ref": "https://example.com/schema.json"}}},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/missing"}}},
    ],
)
def test_a_schema_that_cannot_be_used_checks_nothing(schema: dict[str, Any]) -> None:
    assert ArgumentCheck(schema).check({"a": 1}) == ({"a": 1}, "")


def test_a_long_value_is_not_repeated_to_the_model() -> None:
    _, wrong = ArgumentCheck(SEARCH).check({"query": "x", "limit": "y" * 50_000})
    assert len(wrong) < 1_000
