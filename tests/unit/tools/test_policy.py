"""Which calls run, which wait for a person, which are refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from parlour.tools.policy import Ruling, ToolRules, judge


@dataclass
class Tool:
    real_name: str = "tool"
    read_only: bool | None = None
    destructive: bool | None = None
    open_world: bool | None = None


SQL = ToolRules(statements={"execute_*": "request.sql"})


def asked(tool: Tool, rules: ToolRules | None = None, **more: Any) -> tuple[str, str]:
    arguments = more.pop("arguments", {})
    ruling = judge(tool, arguments, rules or ToolRules(), **more)
    return ruling.answer, ruling.reason


@pytest.mark.parametrize(
    ("tool", "answer", "reason"),
    [
        (Tool(read_only=True), "allow", ""),
        (Tool(read_only=True, destructive=False), "allow", ""),
        (Tool(), "ask", "unknown"),
        (Tool(destructive=True), "ask", "destructive"),
        (Tool(read_only=False, destructive=False), "ask", "writes"),
        (Tool(read_only=False), "ask", "writes"),
        (Tool(read_only=True, destructive=True), "ask", "destructive"),  # it contradicts itself
    ],
)
def test_what_a_tool_says_of_itself_decides(tool: Tool, answer: str, reason: str) -> None:
    assert asked(tool) == (answer, reason)


def test_settings_overrule_what_a_tool_says() -> None:
    assert asked(Tool(read_only=True), ToolRules(approve=["to*"])) == ("ask", "listed")
    assert asked(Tool(destructive=True), ToolRules(reads=["tool"])) == ("allow", "")
    assert asked(Tool(destructive=True), ToolRules(no_approve=["tool"])) == ("allow", "")
    both = ToolRules(approve=["tool"], no_approve=["tool"])
    assert asked(Tool(), both) == ("ask", "listed")
    assert judge(Tool(), {}, ToolRules(undoable=["tool"])).undoable


def test_after_reading_what_others_wrote_what_writes_or_sends_asks() -> None:
    trusted = ToolRules(no_approve=["tool"])
    assert asked(Tool(), trusted, tainted=True) == ("ask", "untrusted")
    assert asked(Tool(read_only=True), tainted=True) == ("allow", "")
    sender = Tool(read_only=True, open_world=True)
    assert asked(sender) == ("allow", "")
    assert asked(sender, tainted=True) == ("ask", "untrusted")
    listed = ToolRules(sends=["tool"])
    assert asked(Tool(read_only=True), listed, tainted=True) == ("ask", "untrusted")


@pytest.mark.parametrize("hints", [{"destructive": True}, {"read_only": True}, {}])
def test_a_statement_speaks_louder_than_any_hint(hints: dict[str, bool]) -> None:
    tool = Tool("execute_sql", **hints)
    select = {"request": {"sql": "select 1"}}
    update = {"request": {"sql": "update t set a = 1"}}
    assert asked(tool, SQL, arguments=select) == ("allow", "")
    assert asked(tool, SQL, arguments=update) == ("ask", "statement")
    assert asked(tool, SQL, arguments=select, tainted=True) == ("allow", "")


@pytest.mark.parametrize(
    "arguments",
    [{}, {"request": "select 1"}, {"sql": "select 1"}, {"request": {"sql": ["select 1"]}}],
)
def test_a_statement_that_is_not_found_asks(arguments: dict[str, Any]) -> None:
    assert asked(Tool("execute_sql"), SQL, arguments=arguments) == ("ask", "statement")


def test_a_workspace_may_refuse_every_change() -> None:
    assert asked(Tool(), writes="refuse") == ("deny", "refused")
    trusted = ToolRules(no_approve=["tool"])
    assert asked(Tool(), trusted, writes="refuse") == ("deny", "refused")
    assert asked(Tool(read_only=True), writes="refuse") == ("allow", "")
    assert asked(Tool("execute_sql"), SQL, writes="refuse", arguments={}) == ("deny", "refused")


def test_what_only_reads_has_no_effects() -> None:
    assert judge(Tool(read_only=True), {}, ToolRules()) == Ruling("allow", effects=False)
    assert judge(Tool(read_only=True, open_world=True), {}, ToolRules()).effects
    assert judge(Tool(), {}, ToolRules(no_approve=["*"])).effects
