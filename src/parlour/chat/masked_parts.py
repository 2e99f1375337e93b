"""Texts of a conversation changed: hidden from the model, clear to the owner."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

import msgspec

from parlour.domain import Message, Part, ReasoningPart, TextPart, ToolPart
from parlour.safety.personal.masks import Masks


def texts_of(history: Sequence[Message]) -> list[str]:
    """What was written in a conversation."""
    return [p.text for m in history for p in m.parts if isinstance(p, TextPart)]


def with_texts(message: Message, change: Callable[[str], str]) -> Message:
    """The message with each text changed."""
    parts = tuple(
        msgspec.structs.replace(part, text=change(part.text))
        if isinstance(part, TextPart)
        else part
        for part in message.parts
    )
    return replace(message, parts=parts)


def strings_in(value: Any) -> Iterator[str]:
    """Every text in a JSON value, without the names of fields."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in cast("dict[str, Any]", value).values():
            yield from strings_in(inner)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from strings_in(inner)


def restored(part: Part, masks: Masks, trusted: Sequence[str]) -> Part:
    """A part as its owner reads it. `trusted` are the servers that get the values themselves."""
    if isinstance(part, ToolPart):
        approval = part.approval
        if approval is not None and approval.server in trusted:
            clear = masks.restore_all(approval.arguments)
            approval = msgspec.structs.replace(approval, arguments=clear)
        return msgspec.structs.replace(
            part,
            arguments=masks.restore_all(part.arguments),
            text=masks.restore(part.text),
            widget=masks.restore_all(part.widget),
            approval=approval,
        )
    if isinstance(part, TextPart | ReasoningPart):
        return msgspec.structs.replace(part, text=masks.restore(part.text))
    return part
