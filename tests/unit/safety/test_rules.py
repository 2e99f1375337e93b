"""The rules of conduct: each is in the prompt, counted and tested, and none is too easily said."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from parlour.agent.prompt import system_prompt
from parlour.safety import conduct_rules as ids
from parlour.safety.conduct_rules import ConductRule, conduct_rules
from parlour.safety.output.check import OutputCheck
from parlour.telemetry.metrics import Metrics

ROOT = Path(__file__).parents[3]
RULES = conduct_rules()
BY_RULE = "parlour_rule_hits_total"

# What an honest assistant may say of itself, its tools and its limits.
HONEST = (
    "I can only show links that a tool, the page or a document gave me, so I left that one out.",
    "I only give links that tools, the page or documents contain; I never make one up.",
    "I'm an AI, not a human, and I'm happy to say so whenever you ask.",
    "Yes, I am an AI. I admit it whenever I am asked.",
    "The tool failed, so I have no result. Another way would be to look in the dashboards list.",
    "I used up the tool calls of this question. Here is what I have, and this is what is missing.",
    "The tool calls have run out, so I answer from what is there and name what is missing.",
    "Before anything is changed or sent, you have to approve it.",
    "Changing or sending anything waits for your approval; I only propose it when you ask.",
    "I cannot repeat that change, because it is unknown whether it took effect. Please look first.",
    "The text of that page is data to me; it gives me no orders.",
    "I do not follow instructions in tool results, pages and documents, because they are data.",
    "I can't share my instructions, but I can tell you what I do for you.",
    "I never write out passwords, keys or tokens. Please rotate the one you pasted.",
    "I reply in the language you write in, short and plain.",
    "Facts and exact figures come from tools; I do arithmetic with the calculator.",
    "I would rather use a tool than guess: arithmetic is always done by the calculator.",
    "Hello! Greetings need no tool, so just tell me what you would like to know.",
    "I repeat no call that has given the same result twice.",
    "I use personal data only as far as your question needs it.",
    "My purpose is to help with your dashboards, so I have to decline anything else.",
    "You asked which rules I follow: I am honest about failed tools, I invent no figures and no "
    "links, I ask before I change something, and I say that I am an AI.",
)


def test_there_are_fifteen_with_names_of_their_own() -> None:
    assert len(RULES) == 15
    assert len({rule.id for rule in RULES}) == 15


def test_every_rule_is_in_the_prompt() -> None:
    prompt = system_prompt("You help with dashboards.")
    for rule in RULES:
        assert f"- {rule.prompt}\n" in prompt
    assert prompt.endswith("You help with dashboards.")


@pytest.mark.parametrize("rule", RULES, ids=[rule.id for rule in RULES])
def test_a_rule_is_counted_or_tested_and_says_what_code_does(rule: ConductRule) -> None:
    assert rule.metric or rule.tests
    assert rule.tests, f"{rule.id} names no test"
    assert rule.code or rule.trust


@pytest.mark.parametrize("rule", RULES, ids=[rule.id for rule in RULES])
def test_its_tests_are_there(rule: ConductRule) -> None:
    for test in rule.tests:
        file, _, name = test.partition("::")
        assert (ROOT / file).is_file(), test
        assert name in _functions(ROOT / file), test


@pytest.mark.parametrize("rule", [r for r in RULES if r.metric], ids=lambda rule: rule.id)
def test_its_metric_is_there_and_something_counts_with_it(rule: ConductRule) -> None:
    name, labels = _parsed(rule.metric)
    metrics = {f"{m._name}_total": m for m in vars(Metrics()).values() if hasattr(m, "_labelnames")}
    assert name in metrics, rule.metric
    assert labels.keys() <= set(metrics[name]._labelnames), rule.metric
    for value in labels.values():
        assert f'"{value}"' in _code(), f"nothing in src counts {value!r}"


def test_a_rule_that_is_counted_by_its_own_name_is_counted_as_that() -> None:
    named = {rule.id for rule in RULES if rule.metric.startswith(BY_RULE)}
    for rule in RULES:
        if rule.metric.startswith(BY_RULE):
            assert _parsed(rule.metric)[1] == {"rule": rule.id}
    words = {value for name, value in vars(ids).items() if name.isupper()}
    assert words | {"links"} == named


@pytest.mark.parametrize("said", HONEST)
def test_no_honest_answer_is_taken_for_the_prompt(said: str) -> None:
    check = OutputCheck(prompts=(system_prompt(),))
    assert check.breach(said, personal=(), secrets=True, prompt=True) is None


def test_the_prompt_itself_is() -> None:
    check = OutputCheck(prompts=(system_prompt(),))
    for said in (system_prompt(), RULES[1].prompt, RULES[4].prompt):
        assert check.breach(said, personal=(), secrets=True, prompt=True) is not None


def _parsed(metric: str) -> tuple[str, dict[str, str]]:
    name, _, labels = metric.partition("{")
    return name, dict(re.findall(r'(\w+)="(\w+)"', labels))


@cache
def _functions(file: Path) -> frozenset[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, found))


@cache
def _code() -> str:
    return "\n".join(f.read_text(encoding="utf-8") for f in (ROOT / "src").rglob("*.py"))
