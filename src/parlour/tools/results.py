"""What a server answered, made one thing: text for the model and a widget for people.

Servers report failure in five ways; all become `ok=False`. Text over the cap is cut and says so.
Tables, images, links and structured content are kept for people as one JSON widget:

    {"kind": "table", "title", "columns": [...], "rows": [[...]], "total"}
    {"kind": "image", "mime", "data" (base64), "bytes"}        data is empty when it is too large
    {"kind": "links", "links": [{"url", "title", "mime"}]}
    {"kind": "json", "data"}
    {"kind": "text", "text", "bytes"}                          the beginning of a cut text
    {"kind": "group", "items": [widget, ...]}                  when there are several
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from mcp import types

from parlour.domain import ToolOutcome
from parlour.tools.shapes import as_list, as_object
from parlour.tools.tables import find_table
from parlour.tools.text import clean, cut

ERROR_CHARS_MAX = 4_000  # A longer text that begins with "Error:" is a document, not an error.
LINKS_MAX = 100
GROUP_MAX = 20
JSON_BYTES_MAX = 16_777_216  # Larger text is not looked into.

_ERROR_TEXT = re.compile(r"\s*(?:unexpected |internal )?error\b\s*(?:\(\w+\))?\s*:", re.IGNORECASE)


def outcome_of(
    result: types.CallToolResult, *, text_bytes_max: int, widget_bytes_max: int
) -> ToolOutcome:
    """Normalise one result. `elapsed_ms` is left to the caller."""
    text = "\n".join(filter(None, map(_text_of, result.content)))
    data = _data(result.structured_content, text)
    error = _error_in(result, text, data)
    if error is not None:
        return failed(error or "The tool failed without saying why.", text_bytes_max)
    if not text:
        text = _as_json(data) if data is not None else "(The tool returned nothing.)"
    table = find_table(data)
    shown = cut(text, text_bytes_max)
    if shown is not text and table is not None:
        shown = table.as_text(text_bytes_max) or shown
    items = _widgets(result.content, widget_bytes_max)
    if table is not None:
        items.insert(0, table.as_widget(widget_bytes_max))
    elif isinstance(data, dict | list) and data:
        items.insert(0, _json_widget(data, widget_bytes_max))
    elif shown is not text:
        items.insert(0, _text_widget(text, widget_bytes_max))
    return ToolOutcome(ok=True, text=clean(shown), widget=_safe(_grouped(items, widget_bytes_max)))


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


def failed(sentence: str, text_bytes_max: int = 65_536) -> ToolOutcome:
    """A failed call; `sentence` tells the model why."""
    return ToolOutcome(ok=False, text=cut(clean(sentence), text_bytes_max))


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


def _widgets(content: Sequence[types.ContentBlock], bytes_max: int) -> list[dict[str, Any]]:
    """Images and links; texts stand in the outcome already."""
    items: list[dict[str, Any]] = []
    links: list[dict[str, str]] = []
    for block in content:
        if isinstance(block, types.ImageContent):
            items.append(_image_widget(block.mime_type, block.data, bytes_max))
        elif isinstance(block, types.ResourceLink):
            links.append(_link(block.uri, block.title or block.name, block.mime_type))
        elif isinstance(block, types.EmbeddedResource):
            resource = block.resource
            mime = resource.mime_type or ""
            if isinstance(resource, types.BlobResourceContents) and mime.startswith("image/"):
                items.append(_image_widget(mime, resource.blob, bytes_max))
            else:
                links.append(_link(resource.uri, "", mime))
    if links:
        items.append({"kind": "links", "links": links[:LINKS_MAX]})
    return items


def _link(url: str, title: str, mime: str | None) -> dict[str, str]:
    return {"url": clean(str(url)), "title": clean(title), "mime": mime or ""}


def _image_widget(mime: str, data: str, bytes_max: int) -> dict[str, Any]:
    fits = len(data) <= bytes_max
    size = len(data) * 3 // 4
    return {"kind": "image", "mime": mime, "data": data if fits else "", "bytes": size}


def _json_widget(data: Any, bytes_max: int) -> dict[str, Any]:
    text = _as_json(data)
    if len(text) <= bytes_max:
        return {"kind": "json", "data": data}
    return _text_widget(text, bytes_max)


def _text_widget(text: str, bytes_max: int) -> dict[str, Any]:
    return {"kind": "text", "text": cut(text, bytes_max), "bytes": len(text.encode())}


def _grouped(items: list[dict[str, Any]], bytes_max: int) -> dict[str, Any] | None:
    """None, the one widget, or as many as fit."""
    if len(items) < 2:
        return items[0] if items else None
    kept: list[dict[str, Any]] = []
    left = bytes_max
    for item in items[:GROUP_MAX]:
        size = len(msgspec.json.encode(item))
        if size <= left:
            kept.append(item)
            left -= size
        elif item["kind"] == "image":
            kept.append({**item, "data": ""})
    return {"kind": "group", "items": kept, "total": len(items)}
