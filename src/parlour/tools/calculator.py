"""Exact arithmetic on what people and models type, without `eval`.

Every value is a `Fraction`; only roots that do not come out even are rounded, and the result says
so. Lenient where the meaning is plain (`17.5 % of $2,340`, `**`, signs from a word processor, a
trailing `=`), strict where a guess could be wrong (`1,5`, `10 % 3`): then `CalculatorError` says
what to write instead.

Grammar, loosest first:

    sum     = product (("+" | "-") product)*          a + b % means a raised by b percent of a
    product = unary (("*" | "/" | "of") unary)*
    unary   = ("+" | "-") unary | power               -2^2 = -4
    power   = postfix ("^" unary)?                    2^3^2 = 2^9
    postfix = atom "%"*
    atom    = number | "(" sum ")" | name "(" sum ("," sum)* ")"
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from parlour.tools.arithmetic import (
    BITS_MAX,
    FUNCTIONS,
    CalculatorError,
    Value,
    bounded,
    power,
    shown,
)

EXPRESSION_CHARS_MAX = 1_000  # A page of arithmetic is a mistake; the parser stays far below 1 ms.
DEPTH_MAX = 50  # Nested brackets; Python's own stack allows about 150 of our levels.


@dataclass(frozen=True, slots=True)
class Answer:
    """A result: `text` is a plain decimal, `note` is empty when it is exact.

    `expression` is the input as it was understood.
    """

    expression: str
    text: str
    exact: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # "number", "name", "op" or "end"
    text: str
    start: int


def calculate(expression: str) -> Answer:
    """Work out one expression.

    Raises `CalculatorError` when it cannot be read, has no value (division by zero, root of a
    negative number) or is out of bounds (length, nesting, digits).
    """
    if len(expression) > EXPRESSION_CHARS_MAX:
        raise CalculatorError(
            f"The expression has {len(expression):,} characters; at most "
            f"{EXPRESSION_CHARS_MAX:,} are read. Split it into steps."
        )
    parser = _Parser(_tokens(_plain(expression)))
    value = parser.parse()
    text, rounding = shown(value)
    notes = [*parser.notes, *([rounding] if rounding else [])]
    return Answer(parser.understood, text, value.exact and not rounding, " ".join(notes))


_SIGNS = str.maketrans(
    {
        **dict.fromkeys("\u00d7\u00b7\u2219\u22c5", "*"),  # multiplication sign and dots
        **dict.fromkeys("\u00f7\u2215", "/"),
        **dict.fromkeys("\u2212\u2013\u2014", "-"),  # minus sign, dashes
        **dict.fromkeys("\u00a0\u2009\u202f\t\n\r", " "),
        **dict.fromkeys("$\u20ac\u00a3\u00a5", " "),  # a currency does not change the figure
        "\u2019": "'",
        "\uff05": "%",
        "[": "(",
        "]": ")",
    }
)


def _plain(expression: str) -> str:
    text = expression.translate(_SIGNS).replace("**", "^").strip()
    text = re.sub(r"^(what is|what's|calculate|compute)\s+", "", text, flags=re.IGNORECASE)
    return text.rstrip(" =?.") if text.rstrip(" =?.") else text


_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d[\d'_]*|(?=\.\d))(?:\.\d*)?(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z]+)|(?P<op>[-+*/^%(),;]))"
)


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            bad = text[at:].strip()[0]
            raise CalculatorError(
                f"`{bad}` is not part of arithmetic here. Use numbers, + - * / ^ ( ) % and "
                f"{', '.join(FUNCTIONS)}."
            )
        kind = found.lastgroup or ""
        tokens.append(_Token(kind, found.group(kind), found.start(kind)))
        at = found.end()
    return [*tokens, _Token("end", "", len(text))]


def _number(text: str, *, in_function: bool) -> Fraction:
    """Read one number, with `,` `'` or `_` between groups of three digits."""
    body, _, exponent = text.lower().partition("e")
    whole, point, decimals = body.partition(".")
    if "," in whole and in_function:
        raise CalculatorError(
            f"`{text}` inside a function can be one number or two. Write "
            f"{text.replace(',', '')} for one, or a space after the comma for two."
        )
    if exponent and abs(int(exponent)) > BITS_MAX // 4:
        raise CalculatorError(f"The exponent of `{text}` is too large to work with exactly.")
    digits = re.sub(r"[,'_]", "", whole)
    scale = Fraction(10) ** int(exponent or 0)
    return Fraction(f"{digits or '0'}{point}{decimals or ('0' if point else '')}") * scale


class _Parser:
    """Recursive descent over the tokens; works the value out on the way."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._functions = 0
        self.notes: list[str] = []
        self._read: list[str] = []

    @property
    def understood(self) -> str:
        """The expression as it was read, for people to check."""
        text = " ".join(self._read).replace("\b ", "").replace("( ", "(")
        text = re.sub(r" ([),;%])", r"\1", text)
        return re.sub(r"\b(sqrt|round|min|max|abs|mod) \(", r"\1(", text)

    def parse(self) -> Value:
        if self._peek.kind == "end":
            raise CalculatorError("There is nothing to work out: the expression is empty.")
        value = self._sum()
        if self._peek.kind != "end":
            raise CalculatorError(self._unexpected())
        return value

    @property
    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _accept(self, *texts: str) -> str:
        token = self._peek
        if token.kind in {"op", "name"} and token.text.lower() in texts:
            self._take()
            self._read.append("*" if token.text in {"x", "X"} else token.text.lower())
            return token.text.lower()
        return ""

    def _expect(self, text: str, sentence: str) -> None:
        if not self._accept(text):
            raise CalculatorError(sentence)

    def _unexpected(self) -> str:
        token = self._peek
        before = self._read[-1] if self._read else ""
        if before == "%" and (token.kind in {"number", "name"} or token.text == "("):
            return (
                "`%` means percent here. Write `10 % of 200` for a share, or mod(10, 3) "
                "for the remainder of a division."
            )
        if token.text in {",", ";"}:
            return (
                "Use a point for decimals (1.5) and commas only between groups of three digits "
                "(1,500) or between the values of min, max, round and mod."
            )
        if token.kind == "end":
            return f"The expression ends after `{before}`, where a number was expected."
        place = f"after `{before}`" if before else "at the start"
        return f"`{token.text}` was not expected {place}; is an operator missing?"

    def _sum(self) -> Value:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise CalculatorError(f"More than {DEPTH_MAX} nested brackets. Split it into steps.")
        left = self._product()
        while sign := self._accept("+", "-"):
            right = self._product()
            if right.percent and not left.percent:
                self.notes.append("The percentage was taken of what stands to its left.")
                share = left.number * right.number
                right = Value(share, left.exact and right.exact)
            total = left.number + right.number if sign == "+" else left.number - right.number
            left = bounded(total, left.exact and right.exact, left.percent and right.percent)
        self._depth -= 1
        return left

    def _product(self) -> Value:
        left = self._unary()
        while sign := self._accept("*", "/", "of", "x"):
            right = self._unary()
            exact = left.exact and right.exact
            if sign != "/":
                left = bounded(left.number * right.number, exact)
            elif right.number == 0:
                raise CalculatorError("Division by zero has no value.")
            else:
                left = bounded(left.number / right.number, exact)
        return left

    def _unary(self) -> Value:
        negative = False
        while sign := self._accept("+", "-"):
            negative ^= sign == "-"
            self._read[-1] = f"{sign}\b"  # stands close to what follows
        value = self._power()
        return Value(-value.number, value.exact, value.percent) if negative else value

    def _power(self) -> Value:
        base = self._postfix()
        if not self._accept("^"):
            return base
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise CalculatorError(f"More than {DEPTH_MAX} powers of powers. Split it into steps.")
        value = power(base, self._unary())
        self._depth -= 1
        return value

    def _postfix(self) -> Value:
        value = self._atom()
        while self._accept("%"):
            value = bounded(value.number / 100, value.exact, percent=True)
        return value

    def _atom(self) -> Value:
        token = self._peek
        if token.kind == "number":
            self._take()
            number = _number(token.text, in_function=self._functions > 0)
            self._read.append(re.sub(r"[,'_]", "", token.text))
            return bounded(number, True)
        if self._accept("("):
            value = self._sum()
            self._expect(")", "A closing bracket `)` is missing.")
            return Value(value.number, value.exact)
        if token.kind == "name" and token.text.lower() not in {"of", "x"}:
            return self._call()
        raise CalculatorError(self._unexpected())

    def _call(self) -> Value:
        name = self._take().text.lower()
        if name not in FUNCTIONS:
            raise CalculatorError(
                f"`{name}` is not known here. Use numbers and these functions: "
                f"{', '.join(FUNCTIONS)}."
            )
        self._read.append(name)
        self._expect("(", f"Write {name} with brackets, e.g. {name}(2).")
        self._functions += 1
        values = [self._sum()]
        while self._accept(",", ";"):
            values.append(self._sum())
        self._functions -= 1
        self._expect(")", f"The closing bracket `)` of {name}(…) is missing.")
        return FUNCTIONS[name](values)
