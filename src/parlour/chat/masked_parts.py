"""Texts of a conversation changed: hidden from the model, clear to the owner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

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
