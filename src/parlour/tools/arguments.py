"""Checks a model's arguments against a tool's schema before the server sees them.

Servers answer bad arguments in words that help nobody, so the model is told ours. What is plainly
meant is put right: a missing wrapper object, JSON sent as a string, null for "left out".
"""

from __future__ import annotations

import json
from typing import Any, cast

from jsonschema import SchemaError, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from parlour.tools.shapes import as_list, as_object

ERRORS_TOLD_MAX = 5
VALUE_CHARS_MAX = 120

Arguments = dict[str, Any]
Schema = dict[str, Any]


class ArgumentCheck:
    """The check of one tool's arguments; made once per schema (compiling costs a millisecond)."""

    def __init__(self, schema: Schema) -> None:
        """A schema that is no valid JSON Schema checks nothing: the server has the last word."""
        self._schema = schema
        self._validator: Validator | None = None
        kind = validator_for(schema)
        try:
            kind.check_schema(schema)
        except (SchemaError, RecursionError):
            return
        # An empty registry: `$ref` reaches into the schema itself and never over the network.
        self._validator = kind(schema, registry=Registry())

    def check(self, arguments: Arguments) -> tuple[Arguments, str]:
        """The arguments to send, and what is wrong with them: empty when they may be sent."""
        if self._validator is None:
            return arguments, ""
        try:
            wrong = self._wrong(arguments)
            if not wrong:
                return arguments, ""
            for candidate in self._readings(arguments):
                still = self._wrong(candidate)
                if not still:
                    return candidate, ""
                if self._wraps(arguments):
                    wrong = still  # the words about the wrapped fields are those that help
        except (Unresolvable, RecursionError):
            return arguments, ""
        return arguments, self._words(wrong)

    def _wrong(self, arguments: Arguments) -> list[ValidationError]:
        validator = cast("Validator", self._validator)
        return list(validator.iter_errors(arguments))

    def _wrapper(self) -> str:
        """The name of the one argument, when it is an object that holds all others."""
        properties = as_object(self._schema.get("properties")) or {}
        if len(properties) != 1:
            return ""
        name, inner = next(iter(properties.items()))
        return name if self._fields(inner) else ""

    def _wraps(self, arguments: Arguments) -> bool:
        name = self._wrapper()
        return bool(name) and name not in arguments

    def _readings(self, arguments: Arguments) -> list[Arguments]:
        """Other ways to read what the model sent, the plainest first."""
        wrapper = self._wrapper()
        if not wrapper:
            return [_mended(arguments, self._schema, self)]
        inner = self._schema["properties"][wrapper]
        inside: Any = arguments.get(wrapper, arguments)
        if isinstance(inside, str):
            inside = _decoded(inside)
        fields = as_object(inside)
        if fields is None:
            return []
        return [{wrapper: fields}, {wrapper: _mended(fields, self.resolved(inner), self)}]

    def _fields(self, schema: Any) -> Schema:
        return as_object(self.resolved(schema).get("properties")) or {}

    def resolved(self, schema: Any) -> Schema:
        """Follow local `$ref`s, and the object branch of `anyOf: [object, null]`."""
        for _ in range(10):
            known = as_object(schema)
            if known is None:
                return {}
            ref = known.get("$ref")
            if isinstance(ref, str) and ref.startswith("#/"):
                schema = self._schema
                for step in ref[2:].split("/"):
                    schema = (as_object(schema) or {}).get(step)
                continue
            branches = as_list(known.get("anyOf"))
            if "type" not in known and branches is not None:
                real = [b for b in branches if b != {"type": "null"}]
                if len(real) == 1:
                    schema = real[0]
                    continue
            return known
        return {}

    def _words(self, wrong: list[ValidationError]) -> str:
        told = [_sentence(error) for error in wrong[:ERRORS_TOLD_MAX]]
        more = len(wrong) - len(told)
        if more > 0:
            told.append(f"and {more} more.")
        wrapper = self._wrapper()
        fields = self._fields(self._schema["properties"][wrapper]) if wrapper else None
        known = list(fields if fields is not None else self._fields(self._schema))
        about = f" It takes: {', '.join(known[:40])}." if known else " It takes no arguments."
        return f"The arguments do not fit the tool. {' '.join(told)}{about}"


def _mended(arguments: Arguments, schema: Schema, check: ArgumentCheck) -> Arguments:
    """Decodes strings that stand for another type; leaves out null for an optional argument."""
    fields = as_object(schema.get("properties"))
    if fields is None:
        return arguments
    required = as_list(schema.get("required")) or []
    mended: Arguments = {}
    for name, value in arguments.items():
        wanted = check.resolved(fields.get(name)).get("type")
        if value is None and name not in required and wanted not in (None, "null"):
            continue
        if isinstance(value, str) and wanted in ("object", "array", "integer", "number", "boolean"):
            value = _decoded(value)
        elif wanted == "string" and isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        mended[name] = value
    return mended


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {"true": True, "false": False}.get(text.strip().lower(), text)


def _sentence(error: ValidationError) -> str:
    where = ".".join(str(step) for step in error.absolute_path)
    words = error.message
    if len(words) > VALUE_CHARS_MAX * 2:
        words = f"{words[:VALUE_CHARS_MAX]} … {words[-VALUE_CHARS_MAX:]}"
    return f"{where}: {words}." if where else f"{words}."
