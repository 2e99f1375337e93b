"""The page for the night names what there is, and forgets no failure of ours."""

from __future__ import annotations

import re
from pathlib import Path

import reference

from parlour.telemetry.metrics import Metrics

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs/howto/when-it-breaks.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([a-z_]+)`", PAGE.partition("## From a code")[2]))


def test_every_failure_that_is_not_the_askers_has_its_action() -> None:
    codes = {kind.code for kind in reference.problems() if kind.status >= 500}
    assert {code for code in codes - NAMED if not code.startswith("upstream_")} == set()


def test_no_code_is_named_that_is_not_there() -> None:
    codes = {kind.code for kind in reference.problems()}
    assert {name for name in NAMED if name.startswith("upstream_")} <= codes
    first_cells = re.findall(r"^\| ([^|]*) \|", PAGE.partition("## From a code")[2], re.MULTILINE)
    named = {code for cell in first_cells for code in re.findall(r"`([a-z_]+)`", cell)}
    assert named <= codes


def test_every_metric_that_is_named_is_there() -> None:
    text = Metrics().render().decode()
    for name in set(re.findall(r"parlour_[a-z_]+", PAGE)):
        assert f"# TYPE {name.removesuffix('_bucket')} " in text, name


def test_every_line_of_the_log_that_is_named_is_said() -> None:
    source = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "src").rglob("*.py"))
    named = {"turn_ended", "exit_forced", "unhandled", "route_failed", "approval_void"}
    named |= {"audit_notes_lost", "calls_lost", "The embedded Postgres does not start"}
    assert [name for name in named if f"`{name}`" not in PAGE or f'"{name}' not in source] == []
