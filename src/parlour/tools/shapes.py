"""Looks at values of unknown shape: what came as JSON is a dict, a list or neither."""

from __future__ import annotations

from typing import Any, cast


def as_object(value: Any) -> dict[str, Any] | None:
    """The value when it is a JSON object, else None."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def as_list(value: Any) -> list[Any] | None:
    """The value when it is a JSON array, else None."""
    return cast("list[Any]", value) if isinstance(value, list) else None
