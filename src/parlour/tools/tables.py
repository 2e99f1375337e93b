"""Finds the table in a tool's data: rows that people can read and a model can be given in part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from parlour.tools.shapes import as_list, as_object

COLUMNS_MAX = 50
_SCALARS = frozenset({str, int, float, bool, type(None)})


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns. `title` is the key it stood under; `rest` what stood beside it.

    `items` are the rows as they came, objects or arrays: 100,000 rows are not copied to show 500.
    """

    title: str
    columns: tuple[str, ...]
    items: Sequence[Any]
    rest: dict[str, Any]

    def as_widget(self) -> dict[str, Any]:
        """For people: all rows."""
        return {
            "kind": "table",
            "title": self.title,
            "columns": list(self.columns),
            "rows": [self._row(item) for item in self.items],
            "total": len(self.items),
        }

    def as_text(self) -> tuple[str, str]:
        """For a model: what stands beside the table and its columns, then one JSON array a row."""
        small = {key: value for key, value in self.rest.items() if type(value) in _SCALARS}
        head = f"{_json(small)}\n" if small else ""
        head += f"{self.title or 'rows'}: {_json(self.columns)}\n"
        return head, "\n".join(_json(self._row(item)) for item in self.items)

    def _row(self, item: Any) -> Any:
        fields = as_object(item)
        return item if fields is None else [fields.get(name) for name in self.columns]


def fitting(rows: Sequence[Any], bytes_max: int) -> list[Any]:
    """As many rows from the beginning as have no more bytes in JSON."""
    kept: list[Any] = []
    left = bytes_max
    for row in rows:
        left -= len(msgspec.json.encode(row)) + 1
        if left < 0:
            break
        kept.append(row)
    return kept


def find_table(data: Any) -> Table | None:
    """The table that `data` is or holds: a list of flat objects, or columns and rows.

    Of several the longest.
    """
    if (items := as_list(data)) is not None:
        return _from_objects("", items, {})
    fields = as_object(data)
    if fields is None:
        return None
    columns, rows = as_list(fields.get("columns")), as_list(fields.get("rows"))
    if columns and rows:
        rest = {k: v for k, v in fields.items() if k not in {"columns", "rows"}}
        named = _from_arrays(columns, rows, rest)
        if named is not None:
            return named
    best: Table | None = None
    for key, value in fields.items():
        if (items := as_list(value)) is not None:
            rest = {k: v for k, v in fields.items() if k != key}
            found = _from_objects(str(key), items, rest)
            if found is not None and (best is None or len(found.items) > len(best.items)):
                best = found
    return best


def _from_objects(title: str, items: list[Any], rest: dict[str, Any]) -> Table | None:
    columns: dict[str, None] = {}
    for item in items:
        row = as_object(item)
        if not row or not _SCALARS.issuperset(map(type, row.values())):
            return None
        if not row.keys() <= columns.keys():
            columns.update(dict.fromkeys(row))
            if len(columns) > COLUMNS_MAX:
                return None
    return Table(title, tuple(columns), items, rest) if columns else None


def _from_arrays(columns: list[Any], rows: list[Any], rest: dict[str, Any]) -> Table | None:
    named = [as_object(column) for column in columns]
    names = tuple(
        str(column if about is None else about.get("name", ""))
        for column, about in zip(columns, named, strict=True)
    )
    if len(names) > COLUMNS_MAX:
        return None
    for row in rows:
        cells = as_list(row)
        if cells is None or len(cells) != len(names):
            return None
        if not _SCALARS.issuperset(map(type, cells)):
            return None
    return Table("", names, rows, rest)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
