"""Looks at a turn beside the model: whether its question wants a tool at all, and whether its
answer is honest about the tools it had and in the user's language (safety/rules.toml: small_talk,
failures, figures, language).

An answer is not withheld for it: what code can know for sure is told beside it, the rest is
counted.
"""

from __future__ import annotations

from collections.abc import Sequence

from parlour.agent.graph import Answer
from parlour.agent.loops import NOT_CALLED
from parlour.chat.humanity import question_of
from parlour.chat.running import Running
from parlour.domain import Message, TextPart, ToolPart
from parlour.events.types import Notice
from parlour.models.port import ChatMessage
from parlour.safety.conduct_rules import FAILURES, FIGURES, LANGUAGE
from parlour.safety.honest import admits, made_up
from parlour.safety.language import other_language
from parlour.safety.small_talk import is_small_talk

NAMED_MAX = 3  # tools


def wants_nothing(running: Running, history: Sequence[Message]) -> bool:
    """Whether the question is a greeting, thanks or a farewell and nothing else."""
    return is_small_talk(running.ask.text or question_of(history))


def look_at(running: Running, answer: Answer, prompt: Sequence[ChatMessage]) -> None:
    """Tell what an answer keeps quiet, and count what it seems to have made up."""
    if answer.waiting:
        return
    parts = running.sink.parts()
    said = [part for part in parts if isinstance(part, TextPart) and part.round >= answer.rounds]
    text = "".join(part.text for part in said)
    if other_language(running.ask.text, text):
        running.catch(LANGUAGE)
    tools = [part for part in parts if isinstance(part, ToolPart)]
    if not tools:
        return
    failed = _failed(tools)
    if failed and not admits(text):
        running.catch(FAILURES)
        running.hear(Notice(kind="tool_failed", text=_did_not_work(failed)))
    if any(tool.status == "ok" for tool in tools):
        sources = [str(message["content"]) for message in prompt]
        sources += [tool.text for tool in tools]
        sources += [str(tool.arguments) for tool in tools]
        if made_up(text, sources):
            running.catch(FIGURES)


def _failed(tools: Sequence[ToolPart]) -> list[str]:
    """The titles of tools whose last call failed. What a limit refused is told as that."""
    last = {tool.name: tool for tool in tools if not tool.text.startswith(NOT_CALLED)}
    titles = [tool.title for tool in last.values() if tool.status == "failed"]
    return list(dict.fromkeys(titles))


def _did_not_work(titles: Sequence[str]) -> str:
    named = ", ".join(f"«{title}»" for title in titles[:NAMED_MAX])
    more = f" and {len(titles) - NAMED_MAX} more" if len(titles) > NAMED_MAX else ""
    return f"Not everything worked: {named}{more} failed."
