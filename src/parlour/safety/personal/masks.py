"""What stands for personal data in one conversation: `[EMAIL_1]` for the model, the value for its
owner.

A value keeps its placeholder for the whole conversation, so the model can still tell one person
from another. Everything inside (prompt, log, store, traces) has placeholders only; the values come
back where the owner's own reader is served, and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
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
        self._known: re.Pattern[str] | None = None
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
        self._known = None

    def mask(self, text: str, kinds: Iterable[str], more: Iterable[Found] = ()) -> str:
        """The text with every value of these kinds replaced, and every value known already."""
        return self.replaced(text, find(text, kinds, more))

    def replaced(self, text: str, hits: Iterable[Found]) -> str:
        """The text with what was found in it replaced, and every value known already."""
        pieces: list[str] = []
        at = 0
        for found in hits:
            pieces += (self._hide(text[at : found.start]), self._name(found, text))
            at = found.end
        pieces.append(self._hide(text[at:]))
        return "".join(pieces)

    def mask_all(self, value: Any, kinds: Iterable[str]) -> Any:
        """The same for all that is written in a JSON value."""
        kinds = tuple(kinds)
        return self.replaced_all(value, lambda text: find(text, kinds))

    def replaced_all(self, value: Any, finds: Find, label: str = "") -> Any:
        """What `finds` finds in a JSON value replaced: in texts, names of fields and whole numbers.

        `label` is the name of the field that the value stands in.
        """
        if isinstance(value, str):
            return self.replaced(value, _found(value, finds, label))
        if isinstance(value, dict):
            fields = cast("dict[str, Any]", value)
            return {
                self.replaced(name, finds(name)): self.replaced_all(inner, finds, name)
                for name, inner in fields.items()
            }
        if isinstance(value, list):
            items = cast("list[Any]", value)
            return [self.replaced_all(inner, finds, label) for inner in items]
        if isinstance(value, int) and value >= NUMBER_MIN:
            written = str(value)
            hidden = self.replaced(written, _found(written, finds, label))
            return value if hidden == written else hidden
        return value

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
                for name, value in self.values.items()
            }
        for name, value in self._escaped.items():
            payload = payload.replace(name, value)
        return payload

    def _hide(self, text: str) -> str:
        """Values that are known, where no pattern would find them."""
        if not self.values or not text:
            return text
        if self._known is None:
            longest_first = sorted(self._names, key=len, reverse=True)
            known = "|".join(re.escape(value) for value in longest_first)
            self._known = re.compile(rf"(?<![\w@.+-])(?:{known})(?![\w@]|[.-]\w)")
        return self._known.sub(lambda m: self._names[m[0]], text)

    def _name(self, found: Found, text: str) -> str:
        value = text[found.start : found.end]
        name = self._names.get(value)
        if name is None:
            word = WORDS[found.kind]
            number = 1
            # What somebody typed that looks like a placeholder must not become one.
            while (name := f"[{word}_{number}]") in self.values or name in self._taken | {
                *_written(text)
            }:
                number += 1
            self.values[name] = value
            self._names[value] = name
            self._known = None
            self.fresh.append(Masked(name, value))
        return name


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
