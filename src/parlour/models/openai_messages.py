"""Messages and tools as OpenAI-compatible requests have them."""

from __future__ import annotations

from typing import Any

import msgspec

from parlour.domain import ToolSpec
from parlour.models.port import ChatMessage


def message_json(message: ChatMessage) -> dict[str, Any]:
    """One message."""
    role = message["role"]
    if role == "tool":
        return {
            "role": "tool",
            "tool_call_id": message["call_id"],
            "content": message["content"],
        }
    calls = message.get("tool_calls")
    if role != "assistant" or not calls:
        return {"role": role, "content": message["content"]}
    return {
        "role": "assistant",
        "content": message["content"] or None,
        "tool_calls": [
            {
                "id": call["id"],
                "type": "function",
                "function": {
                    "name": call["name"],
                    "arguments": msgspec.json.encode(call["arguments"] or {}).decode(),
                },
            }
            for call in calls
        ],
    }


def tool_json(tool: ToolSpec) -> dict[str, Any]:
    """One tool that the model may ask for."""
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters or {"type": "object", "properties": {}},
        },
    }
