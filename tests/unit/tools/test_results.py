"""Every dialect of failure, the cap, and what people are shown."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import types

from parlour import tokens
from parlour.domain import ToolOutcome
from parlour.tools.results import Caps, outcome_of
from parlour.tools.text import clean, clean_description, cut, head_of


def _outcome(
    *content: types.ContentBlock | str,
    structured: Any = None,
    error: bool = False,
    cap: int = 65_536,
    tokens: int = 8_000,
) -> ToolOutcome:
    blocks = [types.TextContent(type="text", text=c) if isinstance(c, str) else c for c in content]
    result = types.CallToolResult(content=blocks, structured_content=structured, is_error=error)
    return outcome_of(result, Caps(cap, tokens, 10_000))[0]


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (_outcome("Path is outside", error=True), "Path is outside"),
        (_outcome(error=True), "failed without saying why"),
        (_outcome("Error: no such chart"), "no such chart"),
        (_outcome("Internal error: Error ID 7"), "Error ID 7"),
        (_outcome("Database error: no such table: t"), "no such table"),
        (_outcome("Internal server error: 500"), "500"),
        (_outcome("ValueError: not a date"), "not a date"),
        (_outcome('{"success": false, "error": "denied"}'), "denied"),
        (_outcome('{"success": false, "message": "denied"}'), "denied"),
        (_outcome('{"error": "not found", "charts": null, "count": 0}'), "not found"),
        (_outcome('{"error": {"message": "bad", "code": 7}}'), 'bad {"code":7}'),
        (_outcome(structured={"error": "not found", "rows": []}), "not found"),
        (_outcome("x", structured={"result": "Error: sql"}), "Error: sql"),
    ],
)
def test_every_dialect_of_failure_is_one_failed_outcome(outcome: ToolOutcome, words: str) -> None:
    assert not outcome.ok
    assert words in outcome.text
    assert outcome.widget is None


@pytest.mark.parametrize(
    "outcome",
    [
        _outcome("All errors: none"),
        _outcome("Standard error: 0.2"),
        _outcome("Margin of error: 3 %"),
        _outcome("Mean squared error: 0.12"),
        _outcome("Error handling is explained below."),
        _outcome("Error: first line of a log\n" * 1_000),
        _outcome('{"success": true, "error": "one row skipped", "rows": [{"a": 1}]}'),
        _outcome('{"error": "", "rows": [{"a": 1}]}'),
        _outcome('{"error": null, "value": 1}'),
        _outcome('{"error": "a column", "value": 1}'),
        _outcome("{not json"),
    ],
)
def test_talk_of_errors_is_no_failure(outcome: ToolOutcome) -> None:
    assert outcome.ok


def test_an_empty_result_is_said() -> None:
    assert _outcome() == ToolOutcome(ok=True, text="(The tool returned nothing.)")


def test_plain_text_needs_no_widget() -> None:
    assert _outcome("hello") == ToolOutcome(ok=True, text="hello")


def test_structured_content_is_text_for_the_model_when_there_is_no_other() -> None:
    outcome = _outcome(structured={"a": {"b": [1]}})

    assert json.loads(outcome.text) == {"a": {"b": [1]}}
    assert outcome.widget == {"kind": "json", "data": {"a": {"b": [1]}}}


@pytest.mark.parametrize(
    ("data", "title"),
    [
        ([{"id": 1, "name": "a"}, {"id": 2, "name": None}], ""),
        (
            {"charts": [{"id": 1, "name": "a"}, {"id": 2, "name": None}], "total": 2, "x": []},
            "charts",
        ),
        ({"columns": ["id", "name"], "rows": [[1, "a"], [2, None]]}, ""),
        ({"columns": [{"name": "id"}, {"name": "name"}], "rows": [[1, "a"], [2, None]]}, ""),
        ({"result": [{"id": 1, "name": "a"}, {"id": 2, "name": None}]}, ""),
    ],
)
def test_rows_are_a_table(data: Any, title: str) -> None:
    table = {
        "kind": "table",
        "title": title,
        "columns": ["id", "name"],
        "rows": [[1, "a"], [2, None]],
        "total": 2,
    }
    assert _outcome(structured=data).widget == table
    assert _outcome(json.dumps(data)).widget == table


def test_nested_objects_are_no_table() -> None:
    assert _outcome(structured=[{"id": 1, "more": {"a": 1}}]).widget["kind"] == "json"


def test_a_cut_table_keeps_whole_rows_and_says_how_many() -> None:
    rows = [{"id": n, "name": f"row {n}"} for n in range(1_000)]
    outcome = _outcome(structured={"rows": rows, "database": "sales"}, cap=2_000)

    head, _, notice = outcome.text.rpartition("\n")
    lines = head.split("\n")
    assert lines[0] == '{"database":"sales"}'
    assert lines[1] == 'rows: ["id","name"]'
    assert json.loads(lines[2]) == [0, "row 0"]
    assert json.loads(lines[-1]) == [len(lines) - 3, f"row {len(lines) - 3}"]
    assert f"the first {len(lines) - 2} of 1,000 rows" in notice
    assert len(outcome.text.encode()) <= 2_000
    assert outcome.widget["total"] == 1_000


def test_a_cut_text_is_kept_longer_for_people() -> None:
    outcome = _outcome("line\n" * 1_000, cap=100)

    assert "the first 100 of 5,000 bytes" in outcome.text
    assert outcome.widget["kind"] == "text"
    assert outcome.widget["bytes"] == 5_000


def test_images_links_and_files_are_kept_for_people() -> None:
    outcome = _outcome(
        "here",
        types.ImageContent(type="image", data="aGk=", mime_type="image/png"),
        types.ResourceLink(type="resource_link", uri="file:///a", name="a", mime_type="text/plain"),
        types.EmbeddedResource(
            type="resource", resource=types.TextResourceContents(uri="file:///b", text="inside")
        ),
    )

    assert outcome.text == (
        "here\n[image image/png, 3 bytes, shown to the user]\n[link a: file:///a]\n"
        "[file:///b]\ninside"
    )
    assert outcome.widget["kind"] == "group"
    image, links = outcome.widget["items"]
    assert image == {"kind": "image", "mime": "image/png", "data": "aGk=", "bytes": 3}
    assert [link["url"] for link in links["links"]] == ["file:///a", "file:///b"]


def test_an_image_over_the_bound_is_named_but_not_carried() -> None:
    image = types.ImageContent(type="image", data="A" * 20_000, mime_type="image/png")
    widget = _outcome(image).widget

    assert widget == {"kind": "image", "mime": "image/png", "data": "", "bytes": 15_000}


def test_characters_that_cannot_be_stored_or_that_hide_words_are_gone() -> None:
    outcome = _outcome("a\x00b\u202ec\U000e0041d", structured={"k\x00": "v\x00"})

    assert outcome.text == "abcd"
    assert outcome.widget["data"] == {"k": "v"}


@given(st.text(max_size=500), st.integers(10, 600))
def test_a_cut_is_never_longer_than_the_cap_and_never_breaks_a_character(
    text: str, cap: int
) -> None:
    shown = cut(text, cap)
    head = shown.rpartition("\n[Cut here: ")[0] if shown != text else shown

    assert len(head.encode(errors="replace")) <= cap
    assert text.encode(errors="replace").decode().startswith(head.encode(errors="replace").decode())


@given(st.text())
def test_cleaned_text_can_be_stored(text: str) -> None:
    assert "\x00" not in clean(text)
    clean(text).encode()


def test_a_description_has_no_invisible_character() -> None:
    hidden = "".join(chr(0xE0000 + ord(c)) for c in "obey")
    assert (
        clean_description(f"Adds{hidden} two\u200b\u202e numbers\ufe0f.\n", 100)
        == "Adds two numbers."
    )
    assert clean_description("x" * 50, 10) == "xxxxxxxxx\u2026"


def _whole(*content: str, structured: Any = None, widget: int = 10_000, **caps: int) -> Any:
    blocks = [types.TextContent(type="text", text=text) for text in content]
    result = types.CallToolResult(content=blocks, structured_content=structured)
    limits = Caps(caps.get("bytes", 65_536), caps.get("tokens", 8_000), widget)
    return outcome_of(result, limits, handle="r_1")


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("word " * 7_999 + "word", True),  # 8,000 tokens
        ("word " * 8_000 + "word", False),
        ("x" * 50_000, True),  # 6,250 tokens
        ("x" * 65_536, False),  # 8,192 tokens, though only just 64 KB
        ("\u6c49" * 7_000, True),
        ("\u6c49" * 10_000, False),  # 30 KB, but a token each
    ],
)
def test_a_result_of_eight_thousand_tokens_is_shown_whole_and_more_is_cut(
    text: str, whole: bool
) -> None:
    outcome, kept = _whole(text)
    assert (outcome.text == text) is whole
    assert (kept is None) is whole
    head = outcome.text.partition("\n[Cut here")[0]
    assert sum(tokens.count(head[at : at + 8_000]) for at in range(0, len(head), 8_000)) < 8_020


def test_a_cut_says_how_to_read_on_and_the_whole_is_what_it_begins() -> None:
    text = "".join(f"line {number}\n" for number in range(1_000))
    outcome, kept = _whole(text, bytes=1_000)
    head, _, notice = outcome.text.partition("\n[Cut here: ")
    offset = int(re.search(r"offset (\d+)", notice)[1])  # type: ignore[index]

    assert 'parlour__read_result with handle "r_1"' in notice
    assert kept.text == text
    assert text[:offset].rstrip() == head
    assert text[offset:].startswith("line ")
    assert outcome.widget["kept"] == "r_1"
    assert kept.widget is None  # people read the text


def test_rows_read_on_where_they_were_cut_and_people_get_them_all() -> None:
    rows = [{"id": n, "name": f"row {n}"} for n in range(1_000)]
    outcome, kept = _whole(structured={"rows": rows}, bytes=2_000)
    offset = int(re.search(r"offset (\d+)", outcome.text)[1])  # type: ignore[index]
    shown = outcome.text.count('"row ')

    assert json.loads(kept.text[offset:].split("\n", 1)[0]) == [shown, f"row {shown}"]
    assert len(kept.widget["rows"]) == 1_000
    assert len(outcome.widget["rows"]) < 1_000
    assert outcome.widget["kept"] == "r_1"


def test_rows_that_come_twice_are_shown_once_and_nothing_is_lost() -> None:
    rows = [[number, f"name {number}"] for number in range(40)]
    data = {"columns": ["id", "name"], "rows": rows, "again": [{"data": {"rows": rows}}]}
    outcome, kept = _whole(json.dumps(data), bytes=1_200)

    assert outcome.text.count("name 39") == 1
    assert "All 40 rows are shown" in outcome.text
    assert json.loads(kept.text) == data


def test_what_people_are_shown_whole_is_not_kept_twice() -> None:
    rows = [{"id": n, "name": f"row {n}"} for n in range(100)]
    outcome, kept = _whole(structured={"rows": rows}, bytes=1_000, widget=100_000)

    assert kept.widget is None
    assert "kept" not in outcome.widget
    assert len(outcome.widget["rows"]) == 100


def test_an_image_over_the_bound_is_kept_for_people() -> None:
    image = types.ImageContent(type="image", data="A" * 20_000, mime_type="image/png")
    result = types.CallToolResult(content=[image])
    outcome, kept = outcome_of(result, Caps(65_536, 8_000, 10_000), handle="r_1")

    assert outcome.widget == {
        "kind": "image", "mime": "image/png", "data": "", "bytes": 15_000, "kept": "r_1",
    }  # fmt: skip
    assert kept is not None
    assert kept.widget["data"] == image.data


@given(st.text(max_size=3_000), st.integers(50, 400), st.integers(20, 200))
def test_reading_on_from_cut_to_cut_gives_the_whole(text: str, size: int, most: int) -> None:
    text = clean(text)
    read = ""
    while len(read) < len(text):
        page = head_of(text[len(read) :], size, most)
        assert page
        read += page
    assert read == text
