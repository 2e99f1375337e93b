"""What a server answered, made one thing: text for the model and a widget for people.

Servers report failure in five ways; all become `ok=False`. What is over the caps is cut and says
so, with counts; the whole is the caller's to keep. Tables, images, links and structured content are
kept for people as one JSON widget:

    {"kind": "table", "title", "columns": [...], "rows": [[...]], "total"}
    {"kind": "image", "mime", "data" (base64), "bytes"}        data is empty when it is too large
    {"kind": "links", "links": [{"url", "title", "mime"}]}
    {"kind": "json", "data"}
    {"kind": "text", "text", "bytes"}                          the beginning of what was cut
    {"kind": "group", "items": [widget, ...], "total"}         when there are several

A widget that is not all of the result has `"kept"`, the handle under which all of it is kept.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from mcp import types

from parlour.domain import ToolOutcome
from parlour.tools.shapes import as_list, as_object
from parlour.tools.tables import Table, find_table, fitting
from parlour.tools.text import clean, cut, head_of

ERROR_CHARS_MAX = 4_000  # A longer text that begins with "Error:" is a document, not an error.
LINKS_MAX = 100
GROUP_MAX = 20
NOTICE_BYTES = 250  # Of the words that say what was cut.
NOTICE_TOKENS = 90
READ_ON = "parlour__read_result"  # the tool that reads on, by the model's name
JSON_BYTES_MAX = 16_777_216  # Larger text is not looked into.

# Words before "error" that make it a failure; "Standard error: 0.2" is none.
_OF_WHAT = (
    "access|api|authentication|authorization|command|configuration|connection|database|execution|"
    "fatal|http|input|internal|io|network|parse|parsing|permission|query|request|runtime|server|"
    "sql|syntax|timeout|tool|type|unexpected|unknown|validation|value"
)
_ERROR_TEXT = re.compile(
    rf"\s*(?:(?i:(?:(?:{_OF_WHAT}) ){{0,2}}error\b\s*(?:\(\w+\))?\s*:)"
    r"|[A-Z]\w*(?:Error|Exception):)"
)


@dataclass(frozen=True, slots=True)
class Caps:
    """How much of one result reaches the model (both hold), and how much its widget may have."""

    text_bytes: int
    text_tokens: int
    widget_bytes: int


@dataclass(frozen=True, slots=True)
class Whole:
    """A result that was cut, as it was. `widget` is None when people were shown all of it."""

    text: str
    widget: Any


def outcome_of(
    result: types.CallToolResult, caps: Caps, *, handle: str = ""
) -> tuple[ToolOutcome, Whole | None]:
    """Normalise one result; with `handle`, what is cut says that the whole is kept under it.

    `elapsed_ms` is left to the caller. The second value is what would have to be kept.
    """
    text = clean("\n".join(filter(None, map(_text_of, result.content))))
    data = _data(result.structured_content, text)
    error = _error_in(result, text, data)
    if error is not None:
        return failed(error or "The tool failed without saying why.", caps), None
    if not text:
        text = clean(_as_json(data)) if data is not None else "(The tool returned nothing.)"
    table = find_table(data)
    shown, whole = _cut(text, table, caps, handle)
    items = _widgets(result.content)
    if table is not None:
        items.insert(0, table.as_widget())
    elif isinstance(data, dict | list) and data:
        items.insert(0, {"kind": "json", "data": data})
    elif whole is not None:
        items.insert(0, _text_widget(whole, sys.maxsize))
    full: dict[str, Any] | None = _safe(_grouped(items))
    widget: dict[str, Any] | None = _bounded(full, caps.widget_bytes)
    partial = widget is not full
    if whole is None and not partial:
        return ToolOutcome(ok=True, text=shown, widget=widget), None
    if full is not None and full["kind"] == "text":
        partial, full = True, None  # the text is kept anyway
    if partial and handle:
        widget = {**(widget or {}), "kept": handle}
    outcome = ToolOutcome(ok=True, text=shown, widget=widget)
    return outcome, Whole(text if whole is None else whole, full if partial else None)


def _cut(text: str, table: Table | None, caps: Caps, handle: str) -> tuple[str, str | None]:
    """What the model sees, and the whole that it can read on in when this is not all."""
    head = head_of(text, caps.text_bytes, caps.text_tokens)
    if head is text:
        return text, None
    if table is None or (shown := _cut_rows(text, table, caps, handle)) is None:
        sizes = [len(part.encode(errors="replace")) for part in (head, text)]
        counts = f"Cut here: the first {sizes[0]:,} of {sizes[1]:,} bytes are shown."
        return f"{head.rstrip()}\n[{counts} {_rest(handle, len(head))}]", text
    return shown


def _cut_rows(text: str, table: Table, caps: Caps, handle: str) -> tuple[str, str] | None:
    """Whole rows under their columns: worth more than half a document. None when none fits."""
    above, rows = map(clean, table.as_text())
    whole, total = above + rows, len(table.items)
    # The rows leave room for the notice, so that all of it is within the cap.
    head = head_of(whole, caps.text_bytes - NOTICE_BYTES, caps.text_tokens - NOTICE_TOKENS)
    if head is whole:
        counts = f"All {total:,} rows are shown, without what stood beside them."
        return f"{whole}\n[{counts} {_rest(handle, 0)}]", text
    head = head[: head.rfind("\n") + 1]
    count = head.count("\n", len(above))
    if not count:
        return None
    counts = f"Cut here: the first {count:,} of {total:,} rows are shown."
    return f"{head.rstrip()}\n[{counts} {_rest(handle, len(head))}]", whole


def _rest(handle: str, offset: int) -> str:
    """How to see what was cut off."""
    less = "sk for less, e.g. with a filter, a limit or an aggregate"
    if not handle:
        return f"A{less}, to see the rest."
    return f'To read on, call {READ_ON} with handle "{handle}" and offset {offset}; or a{less}.'


def size_of(result: types.CallToolResult) -> int:
    """About how many bytes a result has; exact for text."""
    size = 0
    for block in result.content:
        match block:
            case types.TextContent():
                size += len(block.text)
            case types.EmbeddedResource(resource=types.TextResourceContents() as resource):
                size += len(resource.text)
            case _:
                pass  # links are short, images are passed on as they are
    return size + (len(_as_json(result.structured_content)) if result.structured_content else 0)


def failed(sentence: str, caps: Caps | None = None) -> ToolOutcome:
    """A failed call; `sentence` tells the model why."""
    caps = caps or Caps(65_536, 8_000, 0)
    return ToolOutcome(ok=False, text=cut(clean(sentence), caps.text_bytes, caps.text_tokens))


def _text_of(block: types.ContentBlock) -> str:
    match block:
        case types.TextContent():
            return block.text
        case types.ImageContent():
            return f"[image {block.mime_type}, {_size(block.data)}, shown to the user]"
        case types.AudioContent():
            return f"[audio {block.mime_type}, {_size(block.data)}, not shown]"
        case types.ResourceLink():
            about = f" ({block.description})" if block.description else ""
            return f"[link {block.title or block.name}: {block.uri}{about}]"
        case types.EmbeddedResource(resource=types.TextResourceContents() as resource):
            return f"[{resource.uri}]\n{resource.text}"
        case types.EmbeddedResource(resource=resource):
            return f"[file {resource.uri}, {resource.mime_type or 'of unknown type'}]"


def _size(base64: str) -> str:
    return f"{len(base64) * 3 // 4:,} bytes"


def _data(structured: Any, text: str) -> Any:
    """Structured content, else the JSON that the text is, else None.

    `{"result": x}` is how some servers wrap any value; it is unwrapped.
    """
    if structured is None and text.lstrip()[:1] in {"{", "["} and len(text) <= JSON_BYTES_MAX:
        try:
            structured = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return None
    fields = as_object(structured)
    if fields is not None and len(fields) == 1 and "result" in fields:
        return fields["result"]
    return structured


def _safe(value: Any, depth: int = 0) -> Any:
    """Without the characters that stores and screens cannot take, and not deeper than 50."""
    if isinstance(value, str):
        return clean(value)
    if depth > 50:
        return None
    if (fields := as_object(value)) is not None:
        return {clean(str(key)): _safe(inner, depth + 1) for key, inner in fields.items()}
    if (items := as_list(value)) is not None:
        return [_safe(item, depth + 1) for item in items]
    return value


def _error_in(result: types.CallToolResult, text: str, data: Any) -> str | None:
    """The words of an error in any dialect, or None when the call went well."""
    if result.is_error:
        return text or (_as_json(data) if data is not None else "")
    if (fields := as_object(data)) is not None:
        error = fields.get("error")
        if fields.get("success") is False:
            words = _error_words(error) or _error_words(fields.get("message"))
            return words or text or _as_json(data)
        if error and fields.get("success") is not True and _only_error(fields):
            return _error_words(error) or text
    words = data if isinstance(data, str) else text
    alone = len(result.content) <= 1
    if alone and len(words) <= ERROR_CHARS_MAX and _ERROR_TEXT.match(words):
        return words
    return None


def _only_error(data: dict[str, Any]) -> bool:
    """Whether everything besides the error's own words is empty."""
    about = {"error", "error_type", "error_code", "code", "message", "details", "detail", "status",
             "suggestions", "hint", "timestamp", "request_id", "success"}  # fmt: skip
    return all(not value for key, value in data.items() if key not in about)


def _error_words(error: Any) -> str:
    if isinstance(error, str):
        return error
    if (fields := as_object(error)) is not None:
        message = fields.get("message")
        rest = {k: v for k, v in fields.items() if k != "message" and v}
        if isinstance(message, str):
            return f"{message} {_as_json(rest)}" if rest else message
    return _as_json(error) if error else ""


def _as_json(data: Any) -> str:
    try:
        return msgspec.json.encode(data).decode()
    except (UnicodeEncodeError, TypeError, RecursionError):  # no JSON value; a server in process
        return repr(data)


def _widgets(content: Sequence[types.ContentBlock]) -> list[dict[str, Any]]:
    """Images and links; texts stand in the outcome already."""
    items: list[dict[str, Any]] = []
    links: list[dict[str, str]] = []
    for block in content:
        if isinstance(block, types.ImageContent):
            items.append(_image(block.mime_type, block.data))
        elif isinstance(block, types.ResourceLink):
            links.append(_link(block.uri, block.title or block.name, block.mime_type))
        elif isinstance(block, types.EmbeddedResource):
            resource = block.resource
            mime = resource.mime_type or ""
            if isinstance(resource, types.BlobResourceContents) and mime.startswith("image/"):
                items.append(_image(mime, resource.blob))
            else:
                links.append(_link(resource.uri, "", mime))
    if links:
        items.append({"kind": "links", "links": links[:LINKS_MAX]})
    return items


def _link(url: str, title: str, mime: str | None) -> dict[str, str]:
    return {"url": clean(str(url)), "title": clean(title), "mime": mime or ""}


def _image(mime: str, data: str) -> dict[str, Any]:
    return {"kind": "image", "mime": mime, "data": data, "bytes": len(data) * 3 // 4}


def _text_widget(text: str, bytes_max: int) -> dict[str, Any]:
    shown = head_of(text, bytes_max, sys.maxsize)
    return {"kind": "text", "text": shown, "bytes": len(text.encode(errors="replace"))}


def _grouped(items: list[dict[str, Any]]) -> dict[str, Any] | None:
    """None, the one widget, or all of them."""
    if len(items) < 2:
        return items[0] if items else None
    return {"kind": "group", "items": items[:GROUP_MAX], "total": len(items)}


def _bounded(widget: Any, bytes_max: int) -> Any:
    """The widget itself when it fits into an event, else as much of it as does."""
    if widget is None or len(_as_json(widget)) <= bytes_max:
        return widget
    match widget["kind"]:
        case "table":
            return {**widget, "rows": fitting(widget["rows"], bytes_max)}
        case "image":
            return {**widget, "data": ""}
        case "json":
            return _text_widget(_as_json(widget["data"]), bytes_max)
        case "text":
            return {**widget, "text": head_of(widget["text"], bytes_max, sys.maxsize)}
        case "group":
            kept: list[Any] = []
            for item in widget["items"]:
                kept.append(_bounded(item, max(0, bytes_max)))
                bytes_max -= len(_as_json(kept[-1]))
            return {**widget, "items": kept}
        case _:
            return widget  # links: a hundred at most
