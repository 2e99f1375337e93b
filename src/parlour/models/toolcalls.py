"""Put tool calls together from the pieces in which providers stream them."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from parlour.domain import ToolRequest
from parlour.models import names
from parlour.models.failures import WrongShape

CALLS_MAX = 128  # in one reply; far above what any turn may run, so that a flood ends early


class _Pending:
    __slots__ = ("id", "name", "parts")

    def __init__(self, call_id: str, name: str) -> None:
        self.id = call_id
        self.name = name
        self.parts: list[str] = []


class ToolCallPieces:
    """Calls in the order in which they began; their pieces may interleave."""

    __slots__ = ("_at", "_calls")

    def __init__(self) -> None:
        self._calls: list[_Pending] = []
        self._at: dict[int, _Pending] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def add(
        self, *, index: int | None, call_id: str | None, name: str | None, arguments: str
    ) -> None:
        """One piece. Servers leave out `index` or `call_id`, and some reuse one index for all.

        A piece begins a new call when its index is new, or when it brings both a name and an id
        other than the call's. Without index and id it continues the last call.
        """
        call = self._find(index, call_id)
        if call is None or (name and call_id and call.id and call.id != call_id):
            if len(self._calls) >= CALLS_MAX:
                raise WrongShape(f"over {CALLS_MAX} tool calls in one reply")
            call = _Pending(call_id or "", name or "")
            self._calls.append(call)
            self._at[len(self._calls) - 1 if index is None else index] = call
        else:
            call.id = call.id or call_id or ""
            call.name = call.name or name or ""
        if arguments:
            call.parts.append(arguments)

    def requests(self) -> tuple[ToolRequest, ...]:
        """The whole calls; a call without an id gets one of ours, unique in any conversation."""
        return tuple(tool_request(call.id, call.name, "".join(call.parts)) for call in self._calls)

    def said(self) -> str:
        """Names and arguments as far as they have come, for counting."""
        return "".join(call.name + "".join(call.parts) for call in self._calls)

    def _find(self, index: int | None, call_id: str | None) -> _Pending | None:
        if index is not None:
            return self._at.get(index)
        if call_id:
            return next((call for call in self._calls if call.id == call_id), None)
        return self._calls[-1] if self._calls else None


def tool_request(call_id: str, name: str, raw: str) -> ToolRequest:
    """A request from its JSON text; arguments are None when that is not a JSON object."""
    call_id, name = names.of_call(call_id), names.plain(name)
    if not raw.strip():  # a tool without parameters
        return ToolRequest(call_id, name, {}, raw)
    try:
        value: Any = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeError):
        return ToolRequest(call_id, name, None, raw)
    if isinstance(value, dict):
        return ToolRequest(call_id, name, cast("dict[str, Any]", value), raw)
    return ToolRequest(call_id, name, None, raw)
