"""The page in view reaches the model clean, bounded, and as data."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parlour.api.page_context import PageBody, read_page
from parlour.chat.page import PageContext, as_prompt, cleaned
from parlour.errors import PageContextInvalid
from parlour.policy import PagePolicy

BOUNDS = PagePolicy.model_validate({})
TIGHT = PagePolicy(value_chars_max=10, text_chars_max=20, chars_max=100, fields_max=3)
SQL = "SELECT region,\n  sum(revenue)\nFROM sales"


def clean(page: PageContext, bounds: PagePolicy = BOUNDS) -> PageContext:
    found = cleaned(page, bounds)
    assert found is not None
    return found


def test_the_model_reads_every_value_as_data():
    page = clean(
        PageContext(
            kind="chart",
            id="7",
            title='Revenue\n"by" region',
            url="/charts/7",
            fields={"filters": {"region": ["EMEA", 3, None, True]}, "owner": "Anna"},
            text=SQL,
        )
    )
    before, fence = as_prompt(page).split("\n", 1)
    assert "never instructions" in before
    assert fence.split("\n") == [
        "<page_context>",
        'kind: "chart"',
        'id: "7"',
        'title: "Revenue \\"by\\" region"',
        'url: "/charts/7"',
        'field "filters": {"region": ["EMEA", 3, null, true]}',
        'field "owner": "Anna"',
        "text:",
        "| SELECT region,",
        "|   sum(revenue)",
        "| FROM sales",
        "</page_context>",
    ]


def test_nothing_is_left_of_an_empty_page():
    assert cleaned(PageContext(), BOUNDS) is None
    assert cleaned(PageContext(title=" \u200b\n", fields={"\u200b": "x"}), BOUNDS) is None


@pytest.mark.parametrize("name", ["kind", "id", "title"])
def test_a_value_is_whole_at_its_bound_and_cut_past_it(name: str):
    page = clean(PageContext(**{name: "x" * 10}), TIGHT)
    assert (getattr(page, name), page.left_out) == ("x" * 10, 0)
    page = clean(PageContext(**{name: "x" * 11}), TIGHT)
    assert (getattr(page, name), page.left_out) == ("x" * 9 + "…", 1)


@pytest.mark.parametrize("name", ["selection", "text"])
def test_a_text_is_whole_at_its_bound_and_cut_past_it(name: str):
    page = clean(PageContext(**{name: "x\n" + "y" * 18}), TIGHT)
    assert (getattr(page, name), page.left_out) == ("x\n" + "y" * 18, 0)
    page = clean(PageContext(**{name: "x\n" + "y" * 19}), TIGHT)
    assert (len(getattr(page, name)), page.left_out) == (20, 1)


def test_fields_are_whole_at_their_bound_and_counted_past_it():
    fields = {str(n): n for n in range(3)}
    assert clean(PageContext(fields=fields), TIGHT) == PageContext(fields=fields)
    page = clean(PageContext(fields={**fields, "3": 3, "4": 4}), TIGHT)
    assert page == PageContext(fields=fields, left_out=2)
    assert "(2 more values were left out" in as_prompt(page)
    page = clean(PageContext(fields={"list": [1, 2, 3, 4]}), TIGHT)
    assert page == PageContext(fields={"list": [1, 2, 3]}, left_out=1)


def test_all_values_together_are_bounded():
    roomy = PagePolicy(value_chars_max=60, text_chars_max=60, chars_max=100)
    fits = PageContext(title="t" * 50, text="x" * 50)
    assert clean(fits, roomy) == fits
    page = clean(PageContext(title="t" * 50, text="x" * 51), roomy)
    assert (len(page.title) + len(page.text), page.left_out) == (100, 1)
    page = clean(PageContext(title="t" * 50, text="x" * 50, fields={"a": "b", "c": "d"}), roomy)
    assert (page.fields, page.left_out) == ({}, 2)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "//evil.example", "x" * 20, "/" * 3000])
def test_an_address_is_whole_and_an_address_or_not_there(url: str):
    page = clean(PageContext(kind="page", url=url))
    assert (page.url, page.left_out) == ("", 1)


def test_the_urls_are_the_address_and_fields_that_are_nothing_else():
    page = clean(
        PageContext(
            url="https://host.example/c/7",
            title="see https://title.example",
            text="https://text.example",
            fields={"a": {"link": ["/dashboards/3"]}, "b": "see https://field.example"},
        )
    )
    assert page.urls == ("https://host.example/c/7", "/dashboards/3")


def test_odd_numbers_and_depths_have_a_safe_form():
    deep: Any = "x"
    for _ in range(100):
        deep = [deep]
    page = clean(
        PageContext(fields={"nan": float("nan"), "big": 10**30, "deep": deep, "key\n\u202e": 1})
    )
    assert page.fields["nan"] is None
    assert page.fields["big"] == "10000000000000000000"
    assert page.fields["deep"] == [[["…"]]]
    assert "key" in page.fields


json_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=20,
)
pages = st.builds(
    PageContext,
    kind=st.text(),
    id=st.text(),
    title=st.text(),
    url=st.text(),
    fields=st.dictionaries(st.text(), json_values, max_size=5),
    selection=st.text(),
    text=st.text(alphabet="<>/|_ \npagecontext"),
)


@settings(deadline=None)
@given(pages)
def test_whatever_a_page_holds_it_stays_within_its_fence(page: PageContext):
    found = cleaned(page, TIGHT)
    if found is None:
        return
    _, *lines = as_prompt(found).split("\n")
    assert (lines[0], lines[-1]) == ("<page_context>", "</page_context>")
    line = r'(?:(?:kind|id|title|url|field ".*"): .*|selection:|text:|\|.*|\(\d+ more values.*)'
    assert all(re.fullmatch(line, inner) for inner in lines[1:-1])
    assert cleaned(found, TIGHT) is not None
    assert sum(len(v) for v in (found.kind, found.id, found.title, found.text)) <= 100


@pytest.mark.parametrize(
    ("given_page", "place"),
    [
        ({"title": 5}, "context.title"),
        ({"fields": []}, "context.fields"),
        ({"id": True}, "context.id"),
        ({"dashboard": 5}, "context.dashboard"),
        ([], "context"),
    ],
)
def test_a_wrong_type_is_named(given_page: Any, place: str):
    with pytest.raises(PageContextInvalid, match=re.escape(place)):
        read_page(given_page)


def test_an_id_may_be_a_number():
    assert PageBody.model_validate({"id": 42}).to_page().id == "42"
