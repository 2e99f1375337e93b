"""What stands for personal data in one conversation: `[EMAIL_1]` for the model, the value for its
owner.

A value keeps its placeholder for the whole conversation, so the model can still tell one person
from another. Everything inside (prompt, log, store, traces) has placeholders only; the values come
back where the owner's own reader is served, and nowhere else.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, cast

import msgspec

from parlour.safety.personal.find import Found, find

WORDS = {  # of each kind, in its placeholder
    "email": "EMAIL",
    "iban": "IBAN",
    "card": "CARD",
    "national_id": "ID",
    "ip": "IP",
    "phone": "PHONE",
    "person": "PERSON",
    "place": "PLACE",
}
PLACEHOLDER = re.compile(r"\\?\[([A-Z]{2,6}_[1-9]\d{0,3})\\?\]")  # some models escape brackets
MARK = re.compile(rb"\[[A-Z]{2,6}_[1-9]")  # the same, roughly, in JSON bytes
NUMBER_MIN = 1_000_000  # a smaller one is nobody's
LABEL_CHARS_MAX = 40  # of a field's name, which may say what its value is

Find = Callable[[str], list[Found]]
Hide = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Masked:
    """One value and what stands for it."""

    placeholder: str
    value: str


class Masks:
    """The placeholders of one conversation. `fresh` are those that are not stored yet.

    `whole`: it has all that the store has. Before, nothing new may be named.
    """

    def __init__(
        self,
        known: Mapping[str, str] | None = None,
        taken: Iterable[str] = (),
        *,
        whole: bool = False,
    ) -> None:
        self.whole = whole
        self.values: dict[str, str] = dict(known or {})  # placeholder -> value
        self._taken = set(taken)  # placeholders whose value cannot be read any more
        self.fresh: list[Masked] = []
        self._names = {value: name for name, value in self.values.items()}
        self._last: dict[str, int] = {}  # number given to each word
        self._naming = threading.Lock()  # long texts are masked in threads, side by side
        self._escaped: dict[bytes, bytes] = {}

    def __bool__(self) -> bool:
        """Whether anything is masked in this conversation."""
        return bool(self.values)

    def learn(self, other: Masks) -> None:
        """Take in what the store has."""
        self.whole = self.whole or other.whole
        self._taken |= other._taken
        for name, value in other.values.items():
            if self.values.setdefault(name, value) == value:
                self._names.setdefault(value, name)

    def take_fresh(self) -> list[Masked]:
        """What was named since the last time; whoever cannot store it gives it back."""
        with self._naming:
            fresh, self.fresh = self.fresh, []
        return fresh

    def give_back(self, fresh: list[Masked]) -> None:
        """These were taken and not stored."""
        with self._naming:
            self.fresh = [*fresh, *self.fresh]

    def mask(self, text: str, kinds: Iterable[str], more: Iterable[Found] = ()) -> str:
        """The text with every value of these kinds replaced, and every value known already."""
        return self.replaced(text, find(text, kinds, more))

    def replaced(self, text: str, hits: Iterable[Found]) -> str:
        """The text with what was found in it replaced, and every value known already."""
        plan = self._planned(text, hits)
        return plan.written(self._known_in(plan.between))

    def mask_all(self, value: Any, kinds: Iterable[str]) -> Any:
        """The same for all that is written in a JSON value."""
        kinds = tuple(kinds)
        return self.replaced_all(value, lambda text: find(text, kinds))

    def replaced_all(self, value: Any, finds: Find) -> Any:
        """What `finds` finds in a JSON value replaced: in texts, names of fields and whole numbers.

        What a value is may be told by the name of its field, or of its column in a table.
        """
        plans: list[_Plan] = []
        shape = self._shape(value, finds, "", plans)
        hide = self._known_in(text for plan in plans for text in plan.between)
        return _filled(shape, hide)

    def restore(self, text: str) -> str:
        """The text as its owner may read it; an unknown placeholder stays as it is."""
        if "[" not in text or not self.values:
            return text
        return PLACEHOLDER.sub(lambda m: self.values.get(f"[{m[1]}]", m[0]), text)

    def restore_all(self, value: Any) -> Any:
        """The same for every string in a JSON value."""
        if isinstance(value, str):
            return self.restore(value)
        if isinstance(value, dict):
            fields = cast("dict[str, Any]", value)
            return {self.restore(key): self.restore_all(inner) for key, inner in fields.items()}
        if isinstance(value, list):
            return [self.restore_all(inner) for inner in cast("list[Any]", value)]
        return value

    def restore_json(self, payload: bytes) -> bytes:
        """JSON with the values in its strings. Placeholders are plain ASCII, so no parsing."""
        if not self.values or not MARK.search(payload):
            return payload
        if len(self._escaped) != len(self.values):
            self._escaped = {
                name.encode(): msgspec.json.encode(value)[1:-1]
                for name, value in tuple(self.values.items())  # a thread may add some
            }
        for name, value in self._escaped.items():
            payload = payload.replace(name, value)
        return payload

    def _planned(self, text: str, hits: Iterable[Found]) -> _Plan:
        """What was found gets its names; what is known besides is hidden once all have theirs."""
        between: list[str] = []
        names: list[str] = []
        written: set[str] | None = None
        at = 0
        for found in hits:
            if written is None:
                written = set(_written(text))
            between.append(text[at : found.start])
            names.append(self._name(found.kind, text[found.start : found.end], written))
            at = found.end
        return _Plan([*between, text[at:]], names)

    def _shape(self, value: Any, finds: Find, label: str, plans: list[_Plan]) -> Any:
        """The JSON value with a plan in place of whatever is to be written anew.

        `label` is the name of the field that the value stands in.
        """
        if isinstance(value, dict):
            fields = cast("dict[str, Any]", value)
            columns = _columns(fields)
            shape: dict[Any, Any] = {}
            for name, inner in fields.items():
                key = self._shape(name, finds, "", plans)
                if columns and name == "rows":
                    shape[key] = [self._row(row, columns, finds, plans) for row in inner]
                else:
                    shape[key] = self._shape(inner, finds, name, plans)
            return shape
        if isinstance(value, list):
            items = cast("list[Any]", value)
            return [self._shape(inner, finds, label, plans) for inner in items]
        number = value if isinstance(value, int) and value >= NUMBER_MIN else None
        if number is None and not isinstance(value, str):
            return value
        written = str(value)
        plan = self._planned(written, _found(written, finds, label))
        plan.number = number
        plans.append(plan)
        return plan

    def _row(self, row: Any, columns: list[str], finds: Find, plans: list[_Plan]) -> Any:
        if not isinstance(row, list):
            return self._shape(row, finds, "", plans)
        cells = zip_longest(cast("list[Any]", row), columns[: len(cast("list[Any]", row))])
        return [self._shape(cell, finds, column or "", plans) for cell, column in cells]

    def _known_in(self, texts: Iterable[str]) -> Hide:
        """What hides values that are known, in these texts, where no pattern would find them."""
        names = dict(self._names)
        text = "\0".join(texts) if names else ""
        there = [value for value in names if value in text] if text else []
        if not there:
            return _as_it_is
        longest_first = "|".join(map(re.escape, sorted(there, key=len, reverse=True)))
        known = re.compile(rf"(?<![\w@.+-])(?:{longest_first})(?![\w@]|[.-]\w)")
        return lambda text: known.sub(lambda match: names[match[0]], text)

    def _name(self, kind: str, value: str, written: set[str]) -> str:
        """The placeholder of a value; none that is `written` where the value stands becomes one."""
        with self._naming:
            name = self._names.get(value)
            if name is None:
                word = WORDS[kind]
                number = self._last.get(word, 0) + 1
                while (
                    (name := f"[{word}_{number}]") in self.values
                    or name in self._taken
                    or name in written
                ):
                    number += 1
                self._last[word] = number
                self.values[name] = value
                self._names[value] = name
                self.fresh.append(Masked(name, value))
            return name


@dataclass(eq=False, slots=True)
class _Plan:
    """A text with its placeholders, and what stands `between` them; perhaps of a number."""

    between: list[str]
    names: list[str]
    number: int | None = None

    def written(self, hide: Hide) -> str:
        """The text as it may be kept."""
        if not self.names:
            return hide(self.between[0])
        pieces = [hide(self.between[0])]
        for name, text in zip(self.names, self.between[1:], strict=True):
            pieces += (name, hide(text))
        return "".join(pieces)


def _as_it_is(text: str) -> str:
    return text


def _filled(shape: Any, hide: Hide) -> Any:
    """A JSON value again, of one with plans."""
    if isinstance(shape, _Plan):
        text = shape.written(hide)
        return shape.number if shape.number is not None and text == str(shape.number) else text
    if isinstance(shape, dict):
        fields = cast("dict[Any, Any]", shape)
        return {_filled(key, hide): _filled(inner, hide) for key, inner in fields.items()}
    if isinstance(shape, list):
        return [_filled(inner, hide) for inner in cast("list[Any]", shape)]
    return shape


def _columns(fields: dict[str, Any]) -> list[str]:
    """The names of a table's columns; empty when this is none. A column may be told by an object
    with its name."""
    columns, rows = fields.get("columns"), fields.get("rows")
    if not isinstance(columns, list) or not isinstance(rows, list):
        return []
    named: list[str] = []
    for column in cast("list[Any]", columns):
        told = isinstance(column, dict)
        named.append(str(cast("dict[str, Any]", column).get("name", "") if told else column))
    return named


def _found(text: str, finds: Find, label: str) -> list[Found]:
    """What is found in a text that may be known by what stands before it."""
    before = f"{label[-LABEL_CHARS_MAX:]}: " if label else ""
    at = len(before)
    hits = finds(f"{before}{text}") if before else finds(text)
    return [replace(hit, start=hit.start - at, end=hit.end - at) for hit in hits if hit.start >= at]


def _written(text: str) -> list[str]:
    return [f"[{match[1]}]" for match in PLACEHOLDER.finditer(text)] if "[" in text else []


def placeholders(text: str) -> bool:
    """Whether a text has anything that looks like a placeholder."""
    return "[" in text and PLACEHOLDER.search(text) is not None
