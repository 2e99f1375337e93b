"""TypeScript types from JSON Schemas: as much of the language as our two contracts use.

Objects become interfaces, everything else a type. What a schema leaves open is `unknown`, never
`any`, and a keyword that is not understood is an error, so that nothing is silently left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

# Validation and prose; types cannot say them.
SILENT = {
    "title", "description", "default", "examples", "example", "format", "pattern", "minimum",
    "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "minItems",
    "maxItems", "uniqueItems", "minProperties", "maxProperties", "multipleOf", "discriminator",
    "deprecated", "readOnly", "writeOnly", "contentMediaType", "propertyNames", "$schema",
}  # fmt: skip
SPEAKING = {
    "$ref", "const", "enum", "anyOf", "oneOf", "allOf", "type", "items", "prefixItems",
    "properties", "required", "additionalProperties",
}  # fmt: skip
SIMPLE = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}


def declarations(schemas: Mapping[str, Schema], *, source: str) -> str:
    """One exported declaration for each schema, in the order of their names."""
    head = [
        "// biome-ignore-all lint: generated",
        "// biome-ignore-all format: generated",
        "// biome-ignore-all assist: generated",
        f"// Generated from {source} by `make docs`; change the server's types instead.",
    ]
    return "\n".join([*head, *(_declaration(*item) for item in sorted(schemas.items())), ""])


def _declaration(name: str, schema: Schema) -> str:
    comment = _comment(schema, indent="")
    if schema.get("type") == "object" and "properties" in schema:
        return f"\n{comment}export interface {_name(name)} {_object(schema, indent='')}"
    return f"\n{comment}export type {_name(name)} = {type_of(schema)};"


def type_of(schema: Any, indent: str = "") -> str:
    """The type of one schema. Raises `ValueError` for a keyword that is not understood."""
    if schema is True or not schema:
        return "unknown"
    if unknown := set(schema) - SILENT - SPEAKING:
        raise ValueError(f"no TypeScript for the keywords {sorted(unknown)}")
    if "$ref" in schema:
        return _name(schema["$ref"].rsplit("/", 1)[1])
    if "const" in schema:
        return json.dumps(schema["const"], ensure_ascii=False)
    if "enum" in schema:
        return " | ".join(json.dumps(value, ensure_ascii=False) for value in schema["enum"])
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " | ".join(dict.fromkeys(type_of(choice, indent) for choice in choices))
    if parts := schema.get("allOf"):
        return " & ".join(type_of(part, indent) for part in parts)
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(type_of({**schema, "type": one}, indent) for one in kind)
    if kind == "array":
        return _array(schema, indent)
    if kind == "object" or "properties" in schema:
        return _object(schema, indent)
    return SIMPLE[kind] if kind else "unknown"


def _array(schema: Schema, indent: str) -> str:
    if "prefixItems" in schema:
        return "[" + ", ".join(type_of(item, indent) for item in schema["prefixItems"]) + "]"
    item = type_of(schema.get("items", True), indent)
    return f"({item})[]" if re.search(r"[|&]", item) else f"{item}[]"


def _object(schema: Schema, indent: str) -> str:
    properties: Mapping[str, Any] = schema.get("properties", {})
    if not properties:
        values = schema.get("additionalProperties", True)
        return f"Record<string, {'never' if values is False else type_of(values, indent)}>"
    inner = indent + "  "
    lines: list[str] = []
    for name, field in properties.items():
        mark = "" if name in schema.get("required", ()) else "?"
        key = name if re.fullmatch(r"[A-Za-z_$][\w$]*", name) else json.dumps(name)
        lines.append(f"{_comment(field, indent=inner)}{inner}{key}{mark}: {type_of(field, inner)};")
    if schema.get("additionalProperties") is True:
        lines.append(f"{inner}[key: string]: unknown;")
    return "{\n" + "\n".join(lines) + f"\n{indent}}}"


def _comment(schema: Any, *, indent: str) -> str:
    text = schema.get("description", "") if isinstance(schema, Mapping) else ""
    lines = [line.strip().replace("*/", "* /") for line in text.strip().splitlines()]
    if not lines:
        return ""
    if len(lines) == 1:
        return f"{indent}/** {lines[0]} */\n"
    return "\n".join([f"{indent}/**", *(f"{indent} * {line}".rstrip() for line in lines), ""]) + (
        f"{indent} */\n"
    )


def _name(name: str) -> str:
    return re.sub(r"\W+", "_", name)
