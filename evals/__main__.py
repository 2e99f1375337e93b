"""`make eval`: plays attacks with a model that follows every order, and ordinary conversations.

python -m evals                  everything; the end is 1 when a zero is not zero
python -m evals page user        only classes whose names have one of these words in them
python -m evals ordinary         only the ordinary conversations
python -m evals --every 20       each 20th case
python -m evals --write          put the tables into docs/evals.md
python -m evals tools 1.5b       how often an embedded model chooses the right tool
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import time
from pathlib import Path

import structlog

from evals.injection import allowed, attacked
from evals.injection.attacks import KINDS, attacks
from evals.injection.ordinary import ordinary

DOCS = Path(__file__).parents[1] / "docs" / "evals.md"
BEGIN, END = "<!-- figures -->", "<!-- /figures -->"


def main() -> int:
    """Parse, play, print."""
    parser = argparse.ArgumentParser(prog="make eval", description=__doc__)
    parser.add_argument("words", nargs="*", help="classes to play; `tools <model>` is another")
    parser.add_argument("--every", type=int, default=1, help="each so-many-th case alone")
    parser.add_argument("--write", action="store_true", help="write the tables to docs/evals.md")
    given = parser.parse_args()
    if given.words[:1] == ["tools"]:
        from evals.tool_choice import main as tool_choice  # noqa: PLC0415  # needs an extra

        return asyncio.run(tool_choice("".join(given.words[1:2])))
    for name in [name for name in os.environ if name.startswith(("PARLOUR_", "OPENAI_"))]:
        if name != "PARLOUR_TEST_DATABASE_URL":
            del os.environ[name]
    logging.disable(logging.CRITICAL)
    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=quiet, cache_logger_on_first_use=False)
    return asyncio.run(_play(given.words, given.every, write=given.write))


async def _play(words: list[str], every: int, *, write: bool) -> int:
    began = time.monotonic()
    kinds = [kind for kind in KINDS if not words or any(word in kind for word in words)]
    cases = [case for case in attacks() if case.kind in kinds][::every]
    tables: list[str] = []
    failures: list[str] = []
    if cases:
        outcomes = await attacked.attacked(cases)
        tables += [*attacked.lines(outcomes), ""]
        failures = attacked.broken(outcomes)
    blocked: list[str] = []
    if not words or "ordinary" in words:
        untouched = await allowed.allowed(ordinary()[::every])
        tables += [*allowed.lines(untouched), ""]
        blocked = allowed.broken(untouched)
    print("\n".join((*tables, *failures, *blocked)))
    print(f"{time.monotonic() - began:.0f} s")
    if write:
        _write(tables, blocked)
    return 1 if failures else 0


def _write(tables: list[str], blocked: list[str]) -> None:
    before, _, rest = DOCS.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    notes = [f"- {line}" for line in blocked]
    body = "\n".join((BEGIN, "", *tables, *notes, END))
    DOCS.write_text(f"{before}{body}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
