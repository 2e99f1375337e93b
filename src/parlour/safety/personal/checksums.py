"""Checksums of numbers that identify people and accounts; which number has which is data.

Each scheme takes the number as written, without spaces and separators, in capitals, and its
parameters from the data file (national.json). A scheme that does not understand a number says no.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Scheme = Callable[[str, Mapping[str, Any]], bool]  # Any: parameters as the data file has them

_VERHOEFF_MULTIPLY = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_VERHOEFF_PERMUTE = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 5, 7, 6, 2, 8, 3, 0, 9, 4),
    (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7),
    (9, 4, 5, 3, 1, 2, 6, 8, 7, 0),
    (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5),
    (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)
# ISO-like check letter of sixteen characters: what a character counts in an odd place.
_ODD = (
    1,
    0,
    5,
    7,
    9,
    13,
    15,
    17,
    19,
    21,
    2,
    4,
    18,
    20,
    11,
    3,
    6,
    8,
    12,
    14,
    16,
    10,
    22,
    25,
    24,
    23,
)


def luhn(number: str, _: Mapping[str, Any] | None = None) -> bool:
    """Every second digit from the right doubled, the sum of all digits divisible by ten."""
    if not number.isdecimal():
        return False
    total = 0
    for place, digit in enumerate(map(int, reversed(number))):
        total += digit if place % 2 == 0 else digit * 2 - 9 * (digit > 4)
    return total % 10 == 0


def mod97(account: str) -> bool:
    """ISO 13616: the first four characters moved to the end, letters as 10 to 35, 1 modulo 97."""
    turned = account[4:] + account[:4]
    try:
        return int("".join(str(int(c, 36)) for c in turned)) % 97 == 1
    except ValueError:
        return False


def weighted(number: str, how: Mapping[str, Any]) -> bool:
    """Each row of weights gives a sum divisible by `modulus`; the row ends at its check digit.

    With `ten_is_zero` a check value of ten is written as 0.
    """
    if not number.isdecimal():
        return False
    digits = list(map(int, number))
    modulus = int(how["modulus"])
    for row in how["rows"]:
        if len(row) > len(digits):
            return False
        left = sum(d * w for d, w in zip(digits, row, strict=False)) % modulus
        as_zero = how.get("ten_is_zero") and left == 1 and digits[len(row) - 1] == 0
        if left != 0 and not as_zero:
            return False
    return True


def complement97(number: str, how: Mapping[str, Any]) -> bool:
    """The last two digits are 97 minus the rest modulo 97.

    `replace` turns letters into digits first; `prefixes` are tried before the rest.
    """
    for old, new in how.get("replace", {}).items():
        number = number.replace(old, new)
    if not number.isdecimal():
        return False
    rest, check = number[:-2], int(number[-2:])
    return any(97 - int(f"{p}{rest}") % 97 == check for p in how.get("prefixes", [""]))


def iso7064_11_10(number: str, _: Mapping[str, Any] | None = None) -> bool:
    """ISO/IEC 7064, MOD 11,10."""
    if not number.isdecimal():
        return False
    product = 10
    for digit in map(int, number[:-1]):
        product = ((product + digit) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(number[-1])


def iso7064_11_2(number: str, _: Mapping[str, Any] | None = None) -> bool:
    """ISO/IEC 7064, MOD 11-2, where ten is written X."""
    if not number[:-1].isdecimal() or not (number[-1].isdecimal() or number[-1] == "X"):
        return False
    total = 0
    for digit in map(int, number[:-1]):
        total = (total + digit) * 2 % 11
    check = (12 - total) % 11
    return number[-1] == ("X" if check == 10 else str(check))


def verhoeff(number: str, _: Mapping[str, Any] | None = None) -> bool:
    """Verhoeff's scheme over the dihedral group of the pentagon."""
    if not number.isdecimal():
        return False
    check = 0
    for place, digit in enumerate(map(int, reversed(number))):
        check = _VERHOEFF_MULTIPLY[check][_VERHOEFF_PERMUTE[place % 8][digit]]
    return check == 0


def letter(number: str, how: Mapping[str, Any]) -> bool:
    """The digits modulo the length of `letters` name the last character.

    `first` turns a leading letter into a digit; other letters between the digits are left out.
    """
    letters = str(how["letters"])
    body = how.get("first", {}).get(number[0], number[0]) + number[1:-1]
    digits = re.sub(r"\D", "", body)
    return bool(digits) and letters[int(digits) % len(letters)] == number[-1]


def alternating(number: str, _: Mapping[str, Any] | None = None) -> bool:
    """Odd places by a table, even ones by their rank; the sum modulo 26 is the last letter."""
    if not number.isalnum() or not number[-1].isalpha():
        return False
    total = 0
    for place, character in enumerate(number[:-1]):
        rank = int(character) if character.isdecimal() else ord(character) - 65
        total += _ODD[rank] if place % 2 == 0 else rank
    return chr(65 + total % 26) == number[-1]


def divides(number: str, how: Mapping[str, Any]) -> bool:
    """The whole number is divisible by `by`."""
    return number.isdecimal() and int(number) % int(how["by"]) == 0


def unchecked(number: str, _: Mapping[str, Any] | None = None) -> bool:
    """A number without a checksum: its shape says all there is to say."""
    return bool(number)


SCHEMES: dict[str, Scheme] = {
    "luhn": luhn,
    "weighted": weighted,
    "complement97": complement97,
    "iso7064_11_10": iso7064_11_10,
    "iso7064_11_2": iso7064_11_2,
    "verhoeff": verhoeff,
    "letter": letter,
    "alternating": alternating,
    "divides": divides,
    "unchecked": unchecked,
}
