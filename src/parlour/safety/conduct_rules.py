"""The rules of conduct: fifteen of them, as data (`rules.toml`).

The prompt says them, code enforces what code can, and each is counted and tested; the table says
which is which. docs/reference/rules.md is generated from it.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict, Field

SMALL_TALK, FAILURES, FIGURES, ONCE = "small_talk", "failures", "figures", "once"
LIMITS, LOOPS, LANGUAGE = "limits", "loops", "language"


class ConductRule(BaseModel):
    """One rule. `code` is what code does about it, `trust` what is left to the prompt."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z_]+$")
    title: str = Field(min_length=1)
    prompt: str = Field(min_length=1)
    code: str
    trust: str
    metric: str
    tests: tuple[str, ...]


@cache
def conduct_rules() -> tuple[ConductRule, ...]:
    """All rules, in the order of the prompt. Raises `pydantic.ValidationError`."""
    text = resources.files("parlour.safety").joinpath("rules.toml").read_text("utf-8")
    return tuple(ConductRule.model_validate(rule) for rule in tomllib.loads(text)["rule"])


def as_prompt() -> str:
    """The rules as the model reads them."""
    return "\n".join(f"- {rule.prompt}" for rule in conduct_rules())
