"""Everything public is in the reference, and what is committed is what would be written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import reference
from generated import publish
from pydantic import BaseModel
from typescript import declarations, type_of

import contract
from parlour.errors import Problem
from parlour.events import types as events
from parlour.settings import Settings
from parlour.telemetry.metrics import Metrics

ROOT = Path(__file__).resolve().parent.parent.parent


def committed(name: str) -> str:
    """A committed file, as text."""
    return (ROOT / name).read_text(encoding="utf-8")


def setting_names(model: type[BaseModel]) -> list[str]:
    """The names of all settings, without their sections."""
    names: list[str] = []
    for name, field in model.model_fields.items():
        section = reference.section_of(field)
        names += setting_names(section) if section else [name]
    return names


def test_the_generated_files_are_up_to_date() -> None:
    files = reference.contents() | contract.contents()
    stale = [name for name, text in files.items() if committed(name) != text]
    assert not stale, "out of date; run `make docs`"


@pytest.mark.parametrize("name", setting_names(Settings))
def test_a_setting_is_in_the_reference(name: str) -> None:
    page = committed("docs/reference/settings.md")
    assert f"`{name}` |" in page or f".{name}` |" in page


@pytest.mark.parametrize("code", sorted({kind.code for kind in reference.problems()}))
def test_an_error_code_is_in_the_reference(code: str) -> None:
    assert f"\n| `{code}` | " in committed("docs/reference/errors.md")


@pytest.mark.parametrize("kind", reference.event_types())
def test_an_event_is_in_the_reference_and_in_the_schema(kind: type[msgspec.Struct]) -> None:
    tag = kind.__struct_config__.tag
    assert f"\n## `{tag}`\n" in committed("docs/reference/events.md")
    assert {"$ref": f"#/$defs/{kind.__name__}"} in contract.event_schema()["anyOf"]


def test_every_metric_is_in_the_reference() -> None:
    page = committed("docs/reference/metrics.md")
    lines = Metrics().render().decode().splitlines()
    names = {line.split()[2] for line in lines if line.startswith("# TYPE parlour_")}
    created = {name for name in names if name.endswith("_created")}
    assert {name for name in names - created if f"| `{name}` |" not in page} == set()


def test_every_command_is_in_the_reference() -> None:
    page = committed("docs/reference/cli.md")
    words = ("serve", "worker", "migrate", "doctor", "chat", "token", "fetch-model")
    assert [word for word in words if f"\n## `parlour {word}" not in page] == []


def test_no_two_errors_share_a_code() -> None:
    codes = [kind.code for kind in reference.problems()]
    assert len(codes) == len(set(codes))


def test_an_error_without_words_stops_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bare(Problem):
        code = "bare"

    monkeypatch.setattr(reference, "problems", lambda: [Bare])
    with pytest.raises(SystemExit, match="Bare has no docstring"):
        reference.errors_page()


def test_the_schema_accepts_what_is_sent_and_nothing_of_another_type() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(contract.event_schema())
    sent = [
        events.Token(text="Hello"),
        events.ToolResult(call_id="c", name="a__b", status="ok", text="4", widget={"rows": [1]}),
        events.Finalize(status="failed", error=events.Failure(code="internal", message="Sorry.")),
        events.UsageReport(input=3, cost_micros=12),
    ]
    for event in sent:
        validator.validate(msgspec.json.decode(events.encode(event)))
    assert not validator.is_valid({"type": "finalize", "status": "perhaps"})
    assert not validator.is_valid({"type": "telegram", "text": "stop"})


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, "unknown"),
        ({"type": "array", "items": {"enum": ["a", 1]}}, '("a" | 1)[]'),
        ({"anyOf": [{"type": "integer"}, {"type": "number"}, {"type": "null"}]}, "number | null"),
        ({"type": ["string", "null"]}, "string | null"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "Record<string, string>"),
        ({"allOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}]}, "A & B"),
        (
            {"type": "object", "properties": {"a-b": {"const": True}}, "required": ["a-b"]},
            '{\n  "a-b": true;\n}',
        ),
    ],
)
def test_a_schema_becomes_a_type(schema: dict[str, Any], expected: str) -> None:
    assert type_of(schema) == expected


def test_a_keyword_that_types_cannot_say_is_refused() -> None:
    with pytest.raises(ValueError, match="if"):
        declarations({"A": {"if": {}}}, source="a test")


def test_a_stale_file_is_named_and_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "old.md").write_text("old", encoding="utf-8")
    assert publish({"old.md": "new"}, tmp_path, check=True, word="make docs") == 1
    assert "old.md is out of date; run `make docs`" in capsys.readouterr().err
    assert (tmp_path / "old.md").read_text(encoding="utf-8") == "old"
    assert publish({"old.md": "new"}, tmp_path, check=False, word="make docs") == 0
    assert publish({"old.md": "new"}, tmp_path, check=True, word="make docs") == 0
