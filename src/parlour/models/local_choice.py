"""What a small model is asked: which step comes next, and then the answer.

Small models write tool calls in every shape but the agreed one, so they are never asked for one.
They choose from a JSON schema that the server enforces token by token: one object for each tool,
with its arguments, and one that says `reply`. What is asked is short, because a small machine reads
only about 100 tokens a second, and begins the same every time, so that the server has read most of
it before. Everything here is a pure function.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from typing import Any, cast

from parlour.domain import ToolRequest, ToolSpec
from parlour.models.port import ChatMessage

REPLY = "reply"
DESCRIPTION_CHARS_MAX = 160  # what a tool is for stands in its first words
CONTEXT_CHARS_MAX = 300
RESULT_CHARS_MAX = 4_000  # about 1,000 tokens: 10 s of reading on two cores
# A calculator's expression as arithmetic: without words, thousands commas or percent signs, a small
# model has to write 2340 * 17.5 / 100, which every calculator understands the same way.
_ARITHMETIC = "^[-+*/^(). 0-9]+$"
_SCHEMA_DEPTH_MAX = 6
_KEPT = ("type", "enum", "const", "minItems", "maxItems")
_SEVERAL = re.compile(r"\b(?:then|also|both|as well as|and (?:what|how|when|who|where))\b|;|\?.*\?")

_RULES = """\
You choose the next step of an assistant and write it as JSON.
Step "reply": for greetings, thanks, general knowledge, writing, translating, explaining, code.
A tool: only when the message asks for what that tool does.

Tools:
"""

# Steps with tools that are known by the last part of their name; only those on offer are shown.
_EXAMPLES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("hello", REPLY, {}),
    ("Who painted the Mona Lisa?", REPLY, {}),
    ("What time is it in Rome?", "current_time", {"timezone": "Europe/Rome"}),
    ("How do I add a new user?", "search", {"query": "add a new user"}),
    ("How high is Mount Everest?", REPLY, {}),
    ("A 60 dollar jacket is 15% off. Price?", "calculator", {"expression": "60 - 60 * 15 / 100"}),
    ("Give me a regular expression for e-mail addresses", REPLY, {}),
    ("What's my name?", "get_user_data", {}),
    ("Thanks, that helped!", REPLY, {}),
    ("What is 8 % of 1,250?", "calculator", {"expression": "1250 * 8 / 100"}),
)


def choice_messages(messages: Sequence[ChatMessage], tools: Sequence[ToolSpec]) -> list[Any]:
    """The question which step comes next, with examples, for the end of this conversation."""
    lines = [f"- {tool.name}{_signature(tool)}: {_first_words(tool)}" for tool in tools]
    asked: list[Any] = [{"role": "system", "content": _RULES + "\n".join(lines)}]
    by_kind = {tool.name.rpartition("__")[2]: tool for tool in tools}
    for said, kind, arguments in _EXAMPLES:
        if kind == REPLY:
            step = json.dumps({"step": REPLY})
        elif kind in by_kind and arguments.keys() <= _parameters(by_kind[kind]).keys():
            step = json.dumps({"step": by_kind[kind].name, "arguments": arguments})
        else:
            continue
        asked += [{"role": "user", "content": said}, {"role": "assistant", "content": step}]
    asked.append({"role": "user", "content": _situation(messages)})
    return asked


def choice_schema(tools: Sequence[ToolSpec]) -> dict[str, Any]:
    """A JSON schema with one object for each tool and one for `reply`."""
    steps: list[dict[str, Any]] = [_step(REPLY, None)]
    for tool in tools:
        arguments = plain_schema(tool.parameters, root=tool.parameters)
        if tool.name.endswith("calculator"):
            expression = arguments.get("properties", {}).get("expression")
            if expression is not None and expression.get("type") == "string":
                expression["pattern"] = _ARITHMETIC
        steps.append(_step(tool.name, arguments))
    return {"anyOf": steps}


def read_choice(text: str, tools: Sequence[ToolSpec]) -> ToolRequest | None:
    """The tool request that the model wrote; None for `reply` and for anything unfinished."""
    try:
        step = json.loads(text)
    except ValueError:
        return None
    if not isinstance(step, dict):
        return None
    chosen = cast("dict[str, Any]", step)
    arguments = chosen.get("arguments")
    if chosen.get("step") not in {tool.name for tool in tools} or not isinstance(arguments, dict):
        return None
    if arguments and any(arguments == shown for _, _, shown in _EXAMPLES):
        return None  # copied from an example, not made for this message
    return ToolRequest(
        id=f"call_{uuid.uuid4().hex[:16]}",
        name=chosen["step"],
        arguments=cast("dict[str, Any]", arguments),
    )


def may_choose(messages: Sequence[ChatMessage]) -> bool:
    """Whether a tool may come next: after the user's words, and once more after one result when
    the user clearly asked for several things. A small model left to itself would go on for ever.
    """
    results = results_of_turn(messages)
    if not results:
        return bool(messages) and messages[-1]["role"] == "user"
    return len(results) == 1 and _SEVERAL.search(_last_words(messages).lower()) is not None


def results_of_turn(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """The tool results since the user last spoke, oldest first."""
    results: list[ChatMessage] = []
    for message in reversed(messages):
        if message["role"] == "user":
            break
        if message["role"] == "tool":
            results.append(message)
    return results[::-1]


def called_before(messages: Sequence[ChatMessage], request: ToolRequest) -> bool:
    """Whether this turn made the same call already."""
    for message in reversed(messages):
        if message["role"] == "user":
            return False
        for call in message.get("tool_calls") or ():
            if call["name"] == request.name and call["arguments"] == request.arguments:
                return True
    return False


def answer_messages(messages: Sequence[ChatMessage], *, chars_max: int) -> list[Any]:
    """The conversation as plain words, so that any chat template can write it.

    Tool results stand below the user's words, as data. The oldest messages are left out until the
    rest fits into `chars_max` characters; the system's and the last message always stay.
    """
    told: list[dict[str, str]] = []
    for message in messages:
        role, content = message["role"], str(message.get("content") or "")
        if role == "tool":
            role, content = "user", _as_data(message["name"], content)
        if not content.strip():
            continue
        if told and told[-1]["role"] == role:
            told[-1]["content"] += "\n\n" + content
        else:
            told.append({"role": role, "content": content})
    system = [message for message in told if message["role"] == "system"]
    rest = [message for message in told if message["role"] != "system"]
    room = chars_max - sum(len(message["content"]) for message in system)
    while len(rest) > 1 and sum(len(message["content"]) for message in rest) > room:
        rest.pop(0)
        if len(rest) > 1 and rest[0]["role"] == "assistant":  # templates want the user first
            rest.pop(0)
    return [*system, *rest]


def plain_schema(schema: Any, *, root: Any, depth: int = 0) -> dict[str, Any]:
    """The part of a tool's schema that every grammar converter understands.

    Formats, patterns and conditions are dropped: the tool itself checks those. Local references are
    followed to a fixed depth, beyond which any value will do.
    """
    if not isinstance(schema, dict) or depth > _SCHEMA_DEPTH_MAX:
        return {}
    given = cast("dict[str, Any]", schema)
    if reference := given.get("$ref"):
        return plain_schema(_followed(reference, root), root=root, depth=depth + 1)
    plain = {key: given[key] for key in _KEPT if key in given}
    for key in ("anyOf", "oneOf"):
        if options := given.get(key):
            plain["anyOf"] = [plain_schema(one, root=root, depth=depth + 1) for one in options]
    if "items" in given:
        plain["items"] = plain_schema(given["items"], root=root, depth=depth + 1)
    if plain.get("type") == "object" or "properties" in given:
        properties = cast("dict[str, Any]", given.get("properties") or {})
        plain["type"] = "object"
        plain["properties"] = {
            name: plain_schema(one, root=root, depth=depth + 1) for name, one in properties.items()
        }
        plain["required"] = [name for name in given.get("required", ()) if name in properties]
        plain["additionalProperties"] = False
    return plain


def _followed(reference: str, root: Any) -> Any:
    found = root
    for step in reference.removeprefix("#/").split("/"):
        found = cast("dict[str, Any]", found).get(step) if isinstance(found, dict) else None
    return found


def _step(name: str, arguments: dict[str, Any] | None) -> dict[str, Any]:
    properties: dict[str, Any] = {"step": {"const": name}}
    if arguments is not None:
        properties["arguments"] = arguments
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _signature(tool: ToolSpec) -> str:
    return f"({', '.join(_parameters(tool))})"


def _parameters(tool: ToolSpec) -> dict[str, Any]:
    return cast("dict[str, Any]", tool.parameters.get("properties") or {})


def _first_words(tool: ToolSpec) -> str:
    words = " ".join(tool.description.split())
    return words if len(words) <= DESCRIPTION_CHARS_MAX else words[:DESCRIPTION_CHARS_MAX] + "…"


def _last_words(messages: Sequence[ChatMessage]) -> str:
    for message in reversed(messages):
        if message["role"] == "user":
            return str(message["content"])
    return ""


def _situation(messages: Sequence[ChatMessage]) -> str:
    """The user's last words, after one line of what came before and any result of this turn."""
    lines: list[str] = []
    said = [one for one in messages if one["role"] in ("user", "assistant") and one.get("content")]
    ends_in_results = bool(results_of_turn(messages))
    if not ends_in_results and len(said) >= 3 and said[-2]["role"] == "assistant":
        before, answer = (str(one["content"])[:CONTEXT_CHARS_MAX] for one in said[-3:-1])
        lines.append(f"(Before: {before} / {answer})")
    lines.append(_last_words(messages)[: 4 * CONTEXT_CHARS_MAX])
    lines += [
        f"(Done: {result['name']}: {str(result['content'])[:CONTEXT_CHARS_MAX]})"
        for result in results_of_turn(messages)
    ]
    return "\n".join(lines)


def _as_data(name: str, content: str) -> str:
    if len(content) > RESULT_CHARS_MAX:
        content = content[:RESULT_CHARS_MAX] + "…"
    return f"[Result of {name}, to answer with: {content}]"
