"""Which words of the conversation the model sees, and in what shape.

A tool call and its result are never parted, and a call that never got a result (its turn was
stopped or its process died) gets a plain one, so that every history is valid for every provider.
"""

from __future__ import annotations

from itertools import groupby

from parlour.domain import Message, Part, Role, TextPart, ToolPart
from parlour.models.port import ChatMessage


def to_prompt(system: str, history: tuple[Message, ...]) -> list[ChatMessage]:
    """The system message and the conversation, oldest first, in the neutral shape of models."""
    messages: list[ChatMessage] = [{"role": "system", "content": system}]
    for message in history:
        if message.role is Role.USER:
            messages.append({"role": "user", "content": _text(message.parts)})
        else:
            messages += _answer(message.parts)
    return messages


def _answer(parts: tuple[Part, ...]) -> list[ChatMessage]:
    """An assistant message as the rounds it was made in; reasoning and errors are left out."""
    messages: list[ChatMessage] = []
    said = [part for part in parts if isinstance(part, TextPart | ToolPart)]
    for _, group in groupby(said, key=lambda part: part.round):
        members = list(group)
        calls = [part for part in members if isinstance(part, ToolPart)]
        message: ChatMessage = {"role": "assistant", "content": _text(members)}
        if calls:
            message["tool_calls"] = [_call(part) for part in calls]
        if calls or message["content"]:
            messages.append(message)
        messages += [
            {
                "role": "tool",
                "call_id": part.call_id,
                "name": part.name,
                "content": part.text or "No result: the call was interrupted.",
            }
            for part in calls
        ]
    return messages


def _call(part: ToolPart) -> dict[str, object]:
    arguments: object = part.arguments if isinstance(part.arguments, dict) else {}  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return {"id": part.call_id, "name": part.name, "arguments": arguments}


def _text(parts: tuple[Part, ...] | list[TextPart | ToolPart]) -> str:
    return "".join(part.text for part in parts if isinstance(part, TextPart))
