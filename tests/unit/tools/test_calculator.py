"""The calculator against fractions, and its words when it cannot help."""

from __future__ import annotations

import contextlib
import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parlour.tools.arithmetic import DIGITS_SHOWN
from parlour.tools.calculator import CalculatorError, calculate

Node = tuple[str, Fraction | None]


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("17.5 % of 2,340", "409.5"),
        ("What is 17.5 % of 2,340?", "409.5"),
        ("$2,340 \u00d7 17.5%", "409.5"),
        ("0.1 + 0.2", "0.3"),
        ("-2^2", "-4"),
        ("2^3^2", "512"),
        ("2 ** -1", "0.5"),
        ("8^(1/3)", "2"),
        ("sqrt(1/4)", "0.5"),
        ("round(2.345, 2)", "2.35"),
        ("round(-2.5)", "-3"),
        ("round(1234, -2)", "1200"),
        ("min(3, 1, 2) + max(1, 2)", "3"),
        ("mod(10,3)", "1"),
        ("abs(-7/2)", "3.5"),
        ("1_000 * 2", "2000"),
        ("12,345,678 + 1", "12345679"),
        ("2^100", "1267650600228229401496703205376"),
        ("50%%", "0.005"),
        ("10 \u00f7 4 =", "2.5"),
        ("1e3 + 1", "1001"),
    ],
)
def test_what_people_type_is_worked_out_exactly(expression: str, result: str) -> None:
    answer = calculate(expression)

    assert answer.text == result
    assert answer.exact


@pytest.mark.parametrize(
    ("expression", "result", "note"),
    [
        ("1/3", "0.333333333333333", "exactly 1/3"),
        ("2/3", "0.666666666666667", "exactly 2/3"),
        ("sqrt(2)", "1.4142135623731", "Rounded to 15 significant digits"),
        ("(2340/1800)^(1/5) - 1", "0.0538739520617834", "Rounded"),
    ],
)
def test_a_rounded_result_says_so(expression: str, result: str, note: str) -> None:
    answer = calculate(expression)

    assert answer.text == result
    assert not answer.exact
    assert note in answer.note


def test_a_percentage_after_plus_is_taken_of_the_left_side_and_said() -> None:
    assert calculate("200 + 10%").text == "220"
    assert calculate("200 - 10%").text == "180"
    assert calculate("10% + 5%").text == "0.15"
    assert "left" in calculate("200 + 10%").note


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("", "empty"),
        ("1/0", "Division by zero"),
        ("0^-1", "Zero to a negative power"),
        ("sqrt(-1)", "negative number"),
        ("10 % 3", "mod(10, 3)"),
        ("1,5 + 1", "point for decimals"),
        ("max(1,234, 5)", "one number or two"),
        ("(1 + 2", "closing bracket"),
        ("2 3", "operator"),
        ("5 of", "ends after `of`"),
        ("import os", "not known here"),
        ("__import__('os')", "not part of arithmetic"),
        ("9^9^9", "too many"),
        ("2^100000", "too many"),
        ("1e999999", "too large"),
        ("(" * 60, "nested"),
        ("1" * 1_001, "1,001 characters"),
        ("sqrt(1, 2)", "takes 1 value"),
        ("2^sqrt(2)", "whole number"),
    ],
)
def test_what_cannot_be_worked_out_is_explained(expression: str, words: str) -> None:
    with pytest.raises(CalculatorError) as error:
        calculate(expression)
    assert words in str(error.value)


def _numbers() -> st.SearchStrategy[Node]:
    whole = st.integers(0, 10**6)
    decimals = st.integers(0, 9999)
    return st.builds(
        lambda w, d: (f"{w:,}.{d:04}", Fraction(w) + Fraction(d, 10_000)), whole, decimals
    )


def _joined(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    def join(left: Node, sign: str, right: Node) -> Node:
        text = f"({left[0]} {sign} {right[0]})"
        a, b = left[1], right[1]
        if a is None or b is None or (sign == "/" and b == 0):
            return text, None
        return text, {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else None}[sign]

    return st.builds(join, children, st.sampled_from("+-*/"), children)


@given(st.recursive(_numbers(), _joined, max_leaves=12))
@settings(max_examples=300, deadline=None)
def test_any_expression_equals_that_of_fractions(node: Node) -> None:
    text, value = node
    if value is None:
        with pytest.raises(CalculatorError):
            calculate(text)
        return
    answer = calculate(text)
    if answer.exact:
        assert Fraction(answer.text) == value
        assert len(answer.text.replace("-", "").replace(".", "")) <= DIGITS_SHOWN + 45
    else:
        assert abs(Fraction(answer.text) - value) <= abs(value) / 10**14


@given(st.text(alphabet="0123456789.,+-*/^()% ofsqrtminax;e'_", max_size=60))
@settings(max_examples=500, deadline=None)
def test_no_text_takes_long_or_breaks_it(text: str) -> None:
    began = time.perf_counter()
    with contextlib.suppress(CalculatorError):
        calculate(text)
    assert time.perf_counter() - began < 0.5
