"""Whether a tool call may run, waits for a person, or is refused: plain rules over plain values.

What a server says of its tools (annotations) is a claim that the settings may overrule. What is not
known is taken for the worst: a tool without a hint changes things. Judged is the real tool with the
arguments that it would get, not the door it was called through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal, Protocol

from parlour.tools.shapes import as_object
from parlour.tools.statements import only_reads

Answer = Literal["allow", "ask", "deny"]
# Why it asks, a stable word each; the page has a sentence for each of them.
Reason = Literal[
    "", "listed", "destructive", "unknown", "writes", "statement", "untrusted", "refused"
]

NOT_HERE = "Not done: this workspace allows tools to read and not to change anything. Say so."


class Tool(Protocol):
    """What is known of a tool (`CatalogTool`): hints are the server's claims, None = none."""

    @property
    def real_name(self) -> str:
        """The server's own name for it."""
        ...

    @property
    def read_only(self) -> bool | None:
        """It changes nothing."""
        ...

    @property
    def destructive(self) -> bool | None:
        """It may destroy something."""
        ...

    @property
    def open_world(self) -> bool | None:
        """It reaches out of the house."""
        ...


@dataclass(frozen=True, slots=True)
class ToolRules:
    """What the settings say of one server's tools, by name or pattern (`delete_*`).

    `approve`: always ask. `no_approve`: need no approval, but are still known to change things.
    `reads`: only read, whatever the server says. `sends`: send what they are given out of the
    house, though they only read. `undoable`: what they do can be undone. `statements`: tool ->
    dotted path of the argument that holds SQL, which decides.
    """

    approve: Sequence[str] = ()
    no_approve: Sequence[str] = ()
    reads: Sequence[str] = ()
    sends: Sequence[str] = ()
    undoable: Sequence[str] = ()
    statements: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Ruling:
    """What is to be done with a call. `effects`: it may change or send something."""

    answer: Answer
    reason: Reason = ""
    effects: bool = True
    undoable: bool = False


def judge(
    tool: Tool,
    arguments: Mapping[str, Any],
    rules: ToolRules,
    *,
    tainted: bool = False,
    writes: Literal["ask", "refuse"] = "ask",
) -> Ruling:
    """Judge one call. `tainted`: text that others wrote has been read in this turn.

    `writes` is what a workspace does with calls that change something: ask a person, or refuse.
    """
    name = tool.real_name
    undoable = matches(name, rules.undoable)
    reads = _reads(tool, arguments, rules)
    sends = tool.open_world is True or matches(name, rules.sends)
    if reads and not matches(name, rules.approve):
        if sends and tainted:
            return Ruling("ask", "untrusted", undoable=undoable)
        return Ruling("allow", effects=sends)
    if not reads and writes == "refuse":
        return Ruling("deny", "refused")
    reason = _reason(tool, rules, tainted=tainted)
    return Ruling("ask" if reason else "allow", reason, undoable=undoable)


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name is one of some names or patterns."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _reads(tool: Tool, arguments: Mapping[str, Any], rules: ToolRules) -> bool:
    """Whether this very call only reads. A statement speaks louder than any hint."""
    path = _statement_path(tool.real_name, rules)
    if path:
        statement = _at(arguments, path)
        return isinstance(statement, str) and only_reads(statement)
    if matches(tool.real_name, rules.reads):
        return True
    return tool.read_only is True and tool.destructive is not True


def _reason(tool: Tool, rules: ToolRules, *, tainted: bool) -> Reason:
    """Why a person is asked about a call that changes something (or is listed); empty = not."""
    name = tool.real_name
    if matches(name, rules.approve):
        return "listed"
    if matches(name, rules.no_approve):
        return "untrusted" if tainted else ""
    if _statement_path(name, rules):
        return "statement"
    if tool.destructive is True:
        return "destructive"
    return "writes" if tool.read_only is False or tool.destructive is False else "unknown"


def _statement_path(name: str, rules: ToolRules) -> str:
    found = (rules.statements or {}).items()
    return next((path for pattern, path in found if fnmatchcase(name, pattern)), "")


def _at(arguments: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; None when it is not there."""
    value: Any = arguments
    for step in path.split("."):
        fields = as_object(value)
        if fields is None:
            return None
        value = fields.get(step)
    return value
