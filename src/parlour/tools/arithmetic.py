"""Exact numbers for the calculator: powers, roots, functions, and how a result is written.

Every operation is bounded in digits, so no expression can hold the event loop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from math import isqrt

BITS_MAX = 16_384  # About 4,900 digits in numerator or denominator: one product stays below 1 ms.
ROOT_MAX = 1_000  # Largest n of an n-th root.
DIGITS_SHOWN = 34  # Significant digits of an exact result, as in IEEE decimal128.
DIGITS_ROUNDED = 15  # Significant digits of a rounded result, as spreadsheets show.
_ROOT_DIGITS = 60  # Working precision of roots; far beyond what is shown.


class CalculatorError(Exception):
    """The expression has no value. The sentence says why and what to write instead."""


@dataclass(frozen=True, slots=True)
class Value:
    """A number on the way. `percent`: written with a trailing %, and nothing done to it yet."""

    number: Fraction
    exact: bool = True
    percent: bool = False


def bounded(number: Fraction, exact: bool, percent: bool = False) -> Value:
    """A value, when its digits are within bounds; else raises `CalculatorError`."""
    if max(number.numerator.bit_length(), number.denominator.bit_length()) > BITS_MAX:
        raise CalculatorError("A number on the way has more than 4,900 digits; that is too many.")
    return Value(number, exact, percent)


def power(base: Value, exponent: Value) -> Value:
    """Raise to a whole or fractional power; a fraction with denominator n is an n-th root."""
    exact = base.exact and exponent.exact
    if not exponent.exact:
        raise CalculatorError("An exponent must be a whole number or a fraction such as 1/2.")
    root, power = exponent.number.denominator, exponent.number.numerator
    if base.number == 0 and power < 0:
        raise CalculatorError("Zero to a negative power has no value.")
    size = max(base.number.numerator.bit_length(), base.number.denominator.bit_length())
    if abs(power) * max(size - 1, 0) > BITS_MAX or abs(power) > 10 * BITS_MAX:
        raise CalculatorError("That power has more than 4,900 digits; that is too many.")
    if root > ROOT_MAX:
        raise CalculatorError(f"Roots above the {ROOT_MAX}th are not worked out.")
    raised = bounded(base.number**power, exact)
    return raised if root == 1 else _root(raised, root)


def _root(value: Value, degree: int) -> Value:
    """The positive `degree`-th root; exact when it is a fraction."""
    number = value.number
    if number < 0:
        raise CalculatorError("The root of a negative number is not a real number.")
    top = _whole_root(number.numerator, degree)
    bottom = _whole_root(number.denominator, degree)
    if top**degree == number.numerator and bottom**degree == number.denominator:
        return bounded(Fraction(top, bottom), value.exact)
    context = Context(prec=_ROOT_DIGITS)
    ratio = context.divide(Decimal(number.numerator), Decimal(number.denominator))
    root = (
        context.sqrt(ratio)
        if degree == 2
        else context.power(ratio, context.divide(Decimal(1), Decimal(degree)))
    )
    return bounded(Fraction(root), False)


def _whole_root(number: int, degree: int) -> int:
    """The largest whole r with r**degree <= number.

    Newton's steps from above need about `degree` rounds, bisection as many as the root has bits.
    """
    if degree == 2:
        return isqrt(number)
    low, high = 0, 1 << (number.bit_length() // degree + 1)
    if high.bit_length() > degree:
        while (lower := ((degree - 1) * high + number // high ** (degree - 1)) // degree) < high:
            high = lower
        return high
    while low < high:
        middle = (low + high + 1) // 2
        if middle**degree <= number:
            low = middle
        else:
            high = middle - 1
    return low


def _sqrt(values: list[Value]) -> Value:
    _count("sqrt", values, 1, 1)
    return _root(values[0], 2)


def _abs(values: list[Value]) -> Value:
    _count("abs", values, 1, 1)
    return Value(abs(values[0].number), values[0].exact)


def _round(values: list[Value]) -> Value:
    """Half away from zero, as people and spreadsheets do."""
    _count("round", values, 1, 2)
    digits = values[1].number if len(values) == 2 else Fraction(0)
    if digits.denominator != 1 or abs(digits) > 100:
        raise CalculatorError(
            "round takes a number and how many decimals to keep, from -100 to 100."
        )
    scale = Fraction(10) ** int(digits)
    scaled = abs(values[0].number) * scale
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return Value((whole if values[0].number >= 0 else -whole) / scale)


def _mod(values: list[Value]) -> Value:
    _count("mod", values, 2, 2)
    if values[1].number == 0:
        raise CalculatorError("Division by zero has no remainder.")
    return bounded(values[0].number % values[1].number, all(v.exact for v in values))


def _min(values: list[Value]) -> Value:
    return min(values, key=lambda value: value.number)


def _max(values: list[Value]) -> Value:
    return max(values, key=lambda value: value.number)


def _count(name: str, values: list[Value], low: int, high: int) -> None:
    if not low <= len(values) <= high:
        wanted = f"{low}" if low == high else f"{low} or {high}"
        raise CalculatorError(
            f"{name} takes {wanted} value{'s' if high > 1 else ''}, but {len(values)} were given. "
            "Write numbers inside functions without thousands separators."
        )


FUNCTIONS: dict[str, Callable[[list[Value]], Value]] = {
    "sqrt": _sqrt,
    "round": _round,
    "min": _min,
    "max": _max,
    "abs": _abs,
    "mod": _mod,
}


def shown(value: Value) -> tuple[str, str]:
    """The decimal for people, and a note when it is not the whole truth."""
    number = value.number
    if value.exact:
        exact = _terminating(number)
        if exact is not None:
            return exact, ""
    context = Context(prec=DIGITS_ROUNDED, rounding=ROUND_HALF_UP, Emax=99_999, Emin=-99_999)
    ratio = context.divide(Decimal(number.numerator), Decimal(number.denominator))
    text = _decimal_text(ratio)
    note = f"Rounded to {DIGITS_ROUNDED} significant digits"
    if value.exact and number.denominator < 10**9 and abs(number.numerator) < 10**12:
        return text, f"{note}; exactly {number.numerator}/{number.denominator}."
    return text, f"{note}."


def _terminating(number: Fraction) -> str | None:
    """All digits of a fraction whose decimals end within `DIGITS_SHOWN`, else None."""
    rest, twos, fives = number.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        return None
    places = max(twos, fives)
    digits = abs(number.numerator) * 10**places // number.denominator
    if digits.bit_length() > BITS_MAX or len(str(digits).rstrip("0")) > DIGITS_SHOWN:
        return None
    # Built from its digits: arithmetic on a Decimal would round to the context's 28.
    negative = 1 if number < 0 else 0
    return _decimal_text(Decimal((negative, tuple(map(int, str(digits))), -places)))


def _decimal_text(number: Decimal) -> str:
    """Plain digits where that stays readable, else scientific."""
    if number == 0:
        return "0"
    number = number.normalize(Context(prec=DIGITS_SHOWN, Emax=99_999, Emin=-99_999))
    if -7 <= number.adjusted() <= 40:
        return format(number, "f")
    return format(number, "e").replace("e+", "e")
