"""Write the contract: OpenAPI, the event schema and the page's TypeScript types.

contract/openapi.json comes from the application, contract/events.schema.json from
`parlour.events.types`; the types in ui/app/src/contract/ come from both. All are committed, so that
a change of the contract is seen in review. `--check` compares instead of writing.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from generated import publish
from typescript import declarations

from parlour.app import build
from parlour.events import types
from parlour.settings import read_settings
from parlour.web import create_api

ROOT = Path(__file__).resolve().parent.parent
TYPES = "ui/app/src/contract"
Schema = dict[str, Any]


def event_schema() -> Schema:
    """JSON Schema of one event on the wire (its JSON, without the sequence number)."""
    (union,), components = msgspec.json.schema_components(
        [types.Event], ref_template="#/$defs/{name}"
    )
    for schema in components.values():
        for name, field in schema.get("properties", {}).items():
            schema["properties"][name] = _absent_instead_of_null(field)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Event",
        "description": "One event of a turn. New event types may be added: ignore those unknown.",
        **union,
        "$defs": dict(sorted(components.items())),
    }


def _absent_instead_of_null(field: Schema) -> Schema:
    # A field that is None by default is left out on the wire, so null is not part of the contract.
    if "default" not in field or field["default"] is not None:
        return field
    others = [choice for choice in field.get("anyOf", []) if choice != {"type": "null"}]
    if not others:
        return {name: value for name, value in field.items() if name != "default"}
    return others[0] if len(others) == 1 else {"anyOf": others}


def openapi() -> Schema:
    """The OpenAPI document of the whole application; nothing is started for it."""
    # Nobody listens there: the routes are described without asking the database anything.
    settings = read_settings(model="scripted:", database_url="postgresql://nobody@127.0.0.1:1/none")

    async def document() -> Schema:
        services = await build(settings)
        try:
            return create_api(services).openapi()
        finally:
            await services.database.close()

    return asyncio.run(document())


def as_json(schema: Schema) -> str:
    """Readable JSON that ends with a newline."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def contents() -> dict[str, str]:
    """Every generated file by its path from the root."""
    events, document = event_schema(), openapi()
    return {
        "contract/events.schema.json": as_json(events),
        "contract/openapi.json": as_json(document),
        f"{TYPES}/events.ts": declarations(
            {**events["$defs"], "Event": {"anyOf": events["anyOf"]}},
            source="contract/events.schema.json",
        ),
        f"{TYPES}/api.ts": declarations(
            document["components"]["schemas"], source="contract/openapi.json"
        ),
    }


def main(arguments: list[str], write: Callable[..., int] = publish) -> int:
    """Write or compare; 1 when something differs."""
    return write(contents(), ROOT, check="--check" in arguments, word="make docs")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
