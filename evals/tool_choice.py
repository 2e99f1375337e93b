"""How often does an embedded model choose the right tool? Prints each prompt and the share.

    make eval ARGS="tools 1.5b"

None of these prompts stands in what the model is shown as examples. A choice is right when the tool
is right and, for sums, when the expression it wrote has the right value.
"""

from __future__ import annotations

import ast
import asyncio
import operator
import os
import sys
import time
from pathlib import Path

from parlour.domain import ToolSpec
from parlour.models.local import build_local
from parlour.models.port import ModelRequest


def _tool(name: str, description: str, *required: str, optional: str = "") -> ToolSpec:
    properties = {name: {"type": "string"} for name in (*required, optional) if name}
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return ToolSpec(name, description, schema)


TOOLS = (
    _tool(
        "parlour__calculator",
        "Work out arithmetic exactly. Use it for every calculation, also simple ones. "
        "Knows + - * / ^ ( ), percent (17.5 % of 2340), sqrt, round(x, decimals), min, max.",
        "expression",
    ),
    _tool(
        "parlour__current_time",
        "The date and time now. Use it whenever today's date or the time matters.",
        optional="timezone",
    ),
    _tool(
        "parlour__get_user_data",
        "Who the user is: name, workspace, roles and language, as they signed in.",
    ),
    _tool("docs__search", "Search the product's documentation and help pages.", "query"),
    _tool("weather__forecast", "The weather in a city, now and in the next days.", "city"),
    _tool("tickets__create", "Create a support ticket about a problem of the user.", "summary"),
)

# Prompt, the last part of the right tool's name ("reply" = words), the value of a right sum.
PROMPTS: tuple[tuple[str, str, float | None], ...] = (
    ("hi", "reply", None),
    ("How are you today?", "reply", None),
    ("What is the capital of France?", "reply", None),
    ("Tell me a joke about cats", "reply", None),
    ("Explain what recursion is", "reply", None),
    ("Translate 'good morning' to Spanish", "reply", None),
    ("ok great, bye", "reply", None),
    ("What is 17.5 % of 2,340?", "calculator", 409.5),
    ("12 * 7", "calculator", 84),
    ("How much is 1,499 divided by 12?", "calculator", 1499 / 12),
    ("Add 19 % tax to 250", "calculator", 297.5),
    ("I bought 3 books for 12.99 each. What do I pay?", "calculator", 38.97),
    ("What is (45 + 55) squared?", "calculator", 10_000),
    ("Will I need an umbrella in London?", "forecast", None),
    ("How hot will it be in Madrid tomorrow?", "forecast", None),
    ("What time is it in Tokyo?", "current_time", None),
    ("Which day of the week is it today?", "current_time", None),
    ("How do I export a dashboard as PDF?", "search", None),
    ("Where in the docs is single sign-on explained?", "search", None),
    ("The app crashes when I log in, please report it", "create", None),
    ("Which roles do I have here?", "get_user_data", None),
)

_OPERATIONS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


class Quiet:
    """A sink that keeps nothing."""

    def text(self, text: str) -> None:
        """Some of the answer."""

    def reasoning(self, text: str) -> None:
        """Some of the thinking."""

    def flush(self) -> None:
        """All of one read has been said."""


def value(expression: str) -> float | None:
    """The value of a sum, or None when it is not one."""

    def of(node: ast.expr) -> float:
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.BinOp(left=left, op=op, right=right):
                return _OPERATIONS[type(op)](of(left), of(right))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -of(operand)
            case _:
                raise ValueError(expression)

    try:
        return of(ast.parse(expression, mode="eval").body)
    except (SyntaxError, ValueError, KeyError, ZeroDivisionError, OverflowError):
        return None


async def main(which: str) -> int:
    """Ask every prompt once, at temperature 0."""
    cache_dir = Path(os.environ.get("PARLOUR_CACHE_DIR", "~/.cache/parlour"))
    model = build_local(which, data_dir=cache_dir, cache_dir=cache_dir)
    right = 0
    seconds: list[float] = []
    try:
        await model.warm(TOOLS)
        for prompt, wanted, result in PROMPTS:
            started = time.perf_counter()
            request = ModelRequest([{"role": "user", "content": prompt}], TOOLS, max_tokens=1)
            reply = await model.stream(request, Quiet())
            seconds.append(time.perf_counter() - started)
            call = reply.tool_calls[0] if reply.tool_calls else None
            chosen = call.name.rpartition("__")[2] if call else "reply"
            arguments = (call.arguments if call else None) or {}
            good = chosen == wanted
            if good and result is not None:
                got = value(str(arguments.get("expression", "")))
                good = got is not None and abs(got - result) < 0.01
            right += good
            print(f"{'right' if good else 'WRONG':6}{prompt[:52]:54}{chosen} {arguments or ''}")
    finally:
        await model.close()
    median = sorted(seconds)[len(seconds) // 2]
    print(f"{model.name}: {right} of {len(PROMPTS)} right, median {median:.2f} s a choice")
    return right


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else ""))
