"""Rules of the house that no other tool checks."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60


def sources() -> Iterator[Path]:
    """Python that ships or builds."""
    yield from sorted((ROOT / "src").rglob("*.py"))
    yield from sorted((ROOT / "scripts").glob("*.py"))
    yield ROOT / "hatch_build.py"


def test_files_are_short_enough_to_read_at_once() -> None:
    long = {
        str(file.relative_to(ROOT)): lines
        for file in sources()
        if (lines := len(file.read_text(encoding="utf-8").splitlines())) > FILE_LINES_MAX
    }
    assert not long, f"files over {FILE_LINES_MAX} lines: {long}"


def test_functions_are_short_enough_to_see_whole() -> None:
    long: dict[str, int] = {}
    for file in sources():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    long[f"{file.relative_to(ROOT)}:{node.name}"] = lines
    assert not long, f"functions over {FUNCTION_LINES_MAX} lines: {long}"


@pytest.mark.parametrize("name", ["run", "dev", "mcp1"])
def test_a_python_lock_has_versions_and_hashes_and_no_address(name: str) -> None:
    lock = (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    assert not re.search(r"^-|^\S+ @", lock, re.MULTILINE), "an option or a direct reference"
    packages = re.split(r"^(?=\S)", lock, flags=re.MULTILINE)[1:]
    assert packages
    for package in packages:
        assert re.match(r"[a-z0-9.-]+==\S+ ", package), package.splitlines()[0]
        assert "--hash=sha256:" in package, package.splitlines()[0]


def test_what_runs_is_what_was_tested() -> None:
    def versions(name: str) -> dict[str, str]:
        lock = (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
        return dict(re.findall(r"^(\S+)==(\S+)", lock, re.MULTILINE))

    run, dev = versions("run"), versions("dev")
    assert {name: dev.get(name) for name in run} == run


@pytest.mark.parametrize("folder", ["ui", "tests/live/clients/ai6", "tests/live/servers"])
def test_an_npm_lock_has_hashes_and_no_address(folder: str) -> None:
    lock = json.loads((ROOT / folder / "package-lock.json").read_text(encoding="utf-8"))
    packages: dict[str, dict[str, Any]] = lock["packages"]
    for path, package in packages.items():
        assert "://" not in package.get("resolved", ""), path
        fetched = "node_modules/" in path and not package.get("link") and "inBundle" not in package
        assert not fetched or package.get("integrity", "").startswith("sha512-"), path
