"""How often does the topic check refuse ordinary questions, and let others pass?

    python evals/topics.py [openai:gpt-5.1 | anthropic:... | local:] [set ...]

Needs a real model: PARLOUR_MODEL or the argument names it, keys come from the environment. The sets
(all of them unless named) are in evals/topic_sets.py, small talk and half sentences included: every
refusal of an ordinary question is a false one, and a check that lets nobody else pass refuses
everybody. What it got wrong is printed; of the set that is held out only how many.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from evals.topic_sets import SETS, Asked, Product
from parlour import parts
from parlour.models.port import Model, ModelRequest, Unheard
from parlour.safety import topics
from parlour.settings import read_settings


async def main() -> None:
    """Ask them all, one after the other."""
    name, sets = "".join(sys.argv[1:2]), sys.argv[2:] or list(SETS)
    settings = read_settings(**({"model": name} if name else {}))
    ((route, model), *_) = parts.routes(settings, settings.policies()).values()
    for chosen in sets:
        for product in SETS[chosen]:
            for kind, asked in (("ordinary", product.ordinary), ("others", product.others)):
                came = await ask(model, product, kind, asked, tell=chosen != "held_out")
                print(f"{route.label}: {product.name}, {kind}: {came}", flush=True)
    await model.close()


async def ask(
    model: Model, product: Product, kind: str, questions: Sequence[Asked], *, tell: bool
) -> str:
    """What came of them, in a line; what the check got wrong is printed as it comes."""
    wrong, unsure, took = 0, 0, 0.0
    for asked in questions:
        if topics.passes(asked.text):
            wrong += kind == "others"
            continue
        request = ModelRequest(
            messages=list(topics.question(product.allow, asked.text, asked.before)),
            max_tokens=topics.TOKENS_MAX,
            temperature=0,
        )
        began = time.monotonic()
        said = topics.verdict((await model.stream(request, Unheard())).text)
        took += time.monotonic() - began
        unsure += said is None
        if said is not None and said == (kind == "others"):
            wrong += 1
            if tell:
                print(f"{'let through' if said else 'refused'}: {asked.text}", flush=True)
    verdict = "refused" if kind == "ordinary" else "let through"
    each = took / len(questions) * 1000
    return f"{wrong} of {len(questions)} {verdict}, {unsure} without a verdict, {each:.0f} ms each"


if __name__ == "__main__":
    asyncio.run(main())
