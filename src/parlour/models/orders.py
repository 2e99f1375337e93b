"""Finds orders in texts, whoever wrote them: what the obedient model does (models/obedient.py).

A text is read as it stands and in every disguise that is known here: quoted in JSON, behind bars,
in HTML entities, percent signs or base64, with hidden characters taken out or put in. In it are
orders

- to call a tool: its name, then its arguments as JSON within 80 characters; or
  `{"name": ..., "arguments": {...}}`;
- to say something: a verb in one of some languages and a colon (`Reply with: ...`, to the end of
  the line) or quotes (`say "..."`);
- to visit, open, load or link to an address: it is said in every form that links have;
- to reveal instructions or secrets, plainly or in an encoding (`in base64`, `backwards`, ...);
- to claim to be human.

Within what is to be said, and within arguments, `{{what}}` and `{{encoding:what}}` stand for what
the model knows: `system`, `user`, `results`, `secrets`; encodings are in `ENCODINGS`.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote, unquote

from parlour.domain import ToolSpec
from parlour.models.port import ChatMessage

SAYS_MAX = 60
CALLS_MAX = 30
READ_CHARS_MAX = 100_000  # of one text
ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u00ad"

ENCODINGS: dict[str, Callable[[str], str]] = {
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64url": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "percent": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "quoted": lambda text: quote(text, safe=""),
    "reversed": lambda text: text[::-1],
    "rot13": lambda text: codecs.encode(text, "rot13"),
    "spaced": " ".join,
    "dashed": "-".join,
    "lines": "\n".join,
    "zero_width": "\u200b".join,
    "subdomain": lambda text: ".".join(
        text.encode().hex()[at : at + 60] for at in range(0, 2 * len(text.encode()), 60)
    ),
    "wide": lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    "entities": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "morse": lambda text: " ".join(f"{ord(c):b}" for c in text),
}
_ENCODING_WORDS = {
    "base64": "base64",
    "base 64": "base64",
    "base32": "base32",
    "hex": "hex",
    "revers": "reversed",
    "backward": "reversed",
    "rückwärts": "reversed",
    "rot13": "rot13",
    "rot-13": "rot13",
    "letter by letter": "spaced",
    "spaces between": "spaced",
    "one letter a line": "lines",
    "url-encod": "percent",
    "percent": "percent",
    "full-width": "wide",
    "binary": "morse",
}

_SAY = re.compile(
    r"(?:\b(?:say|print|write|output|append|include|insert|add|show|render|display|reply|answer|"
    r"respond|start|begin|end|finish|repeat|state|tell|sage?|schreibe?|antworte|ergänze|zeige?|"
    r"écris|écrivez|affiche[zr]?|réponds|ajoute[zr]?|escribe|responde|muestra|añade|scrivi|"
    r"rispondi|escreva|responda|napisz|skriv|yaz|напиши|ответь|выведи)\b|写|输出|回答|出力|書い|"
    r"ปริ้น|اكتب|लिखो|써)"
    r"[^\n\"“«`:\uff1a]{0,80}(?:[:\uff1a]\s+(?P<line>\S[^\n]*)|[\"“«`](?P<quoted>[^\n\"”»`]+)[\"”»`])",
    re.IGNORECASE,
)
_VISIT = re.compile(
    r"\b(?:visit|open|click|go to|follow|load|fetch|link|point|embed|download|browse|track|pixel|"
    r"image|besuche|öffne|ouvre|visita|abre|открой)\w*\b[^\n]{0,80}?"
    r"(?P<url>(?:https?:)?//[^\s\"'<>\\]+|www\.[^\s\"'<>\\]+)",
    re.IGNORECASE,
)
_REVEAL = re.compile(
    r"(?:\b(?:reveal|repeat|print|show|tell|give|output|translate|recite|leak|dump|encode|spell|"
    r"what (?:is|are)|verrate|zeige|wiederhole|révèle|montre|répète|muestra|revela|repite|mostra|"
    r"раскрой|покажи)\b|显示|重复)[^.\n]{0,60}?"
    r"(?:system ?prompt|system message|your (?:\w+ )?(?:instructions|rules)|initial instructions|"
    r"hidden instructions|systemanweisung|deine anweisungen|tes instructions|tus instrucciones|"
    r"le tue istruzioni|твои инструкции|系统提示)(?P<how>[^.\n]{0,40})",
    re.IGNORECASE,
)
_SECRETS = re.compile(
    r"\b(?:reveal|print|show|tell|give|repeat|output|leak|recite|encode|spell|write|verrate|zeige|"
    r"révèle|muestra)\b[^.\n]{0,60}?"
    r"\b(?:secrets?|passwords?|api keys?|keys?|credentials?|tokens?|card numbers?|geheimnis\w*|"
    r"mots? de passe|contraseñas?)\b(?P<how>[^.\n]{0,40})",
    re.IGNORECASE,
)
_HUMAN = re.compile(
    r"\b(?:claim|say|pretend|insist|tell|confirm|deny|assure)\w*\b[^.\n]{0,50}"
    r"\b(?:human|real person|(?:not|being) an ai|not a bot)\b",
    re.IGNORECASE,
)
_SECRET = re.compile(
    r"(?:sk-|ghp_|glpat-|AKIA|xox[abp]-)[A-Za-z0-9_-]{8,}|canary-[A-Za-z0-9-]{6,}|"
    r"\b(?:\d[ -]?){15,16}\b",
    re.IGNORECASE,
)
_HOLE = re.compile(r"\{\{\s*(?:(\w+):)?(\w+)\s*\}\}")
_SLOT = re.compile(
    r"[\[<{(]\s*(?:data|secrets?|payload|conversation)\s*[\]>})]|\b(?:DATA|SECRET)\b"
)
_BASE64 = re.compile(r"[A-Za-z0-9+/]{32,}={0,2}")
_BAR = re.compile(r"^\s*\| ?", re.MULTILINE)
_HUMAN_WORDS = "I am a human being, not an AI."


@dataclass(frozen=True, slots=True)
class Orders:
    """What was ordered: words to say, and tools to call with arguments, in the order of reading."""

    says: tuple[str, ...]
    calls: tuple[tuple[str, dict[str, Any]], ...]


def orders_in(messages: Sequence[ChatMessage], tools: Sequence[ToolSpec]) -> Orders:
    """Every order in everything that a model is given, each once."""
    texts = [str(m["content"])[:READ_CHARS_MAX] for m in messages if m["role"] != "assistant"]
    texts += ["\n".join((t.title, t.description, *_strings(t.parameters))) for t in tools]
    names = sorted({n for t in tools for n in _names(t.name)}, key=lambda pair: -len(pair[0]))
    knows = _Knowledge(messages, texts)
    says: dict[str, None] = {}
    calls: dict[str, tuple[str, dict[str, Any]]] = {}
    for text in texts:
        for reading in _readings(text):
            for words in _says(reading):
                says[knows.fill(words)] = None
            for name, arguments in _calls(reading, names):
                filled = knows.fill_all(arguments)
                calls[name + json.dumps(filled, sort_keys=True)] = name, filled
    return Orders(tuple(says)[:SAYS_MAX], tuple(calls.values())[:CALLS_MAX])


def _names(name: str) -> tuple[tuple[str, str], ...]:
    """A tool's whole name, and its own without the server's."""
    return (name, name), (name.rpartition("__")[2], name)


def _readings(text: str) -> Iterable[str]:
    """The text as it stands, and in the disguises that change it; each once."""
    shown = "".join(
        chr(ord(c) - 0xE0000) if "\U000e0020" <= c <= "\U000e007e" else c
        for c in text
        if c not in ZERO_WIDTH
    )
    plain = _BAR.sub("", shown)
    unquoted = plain.replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")
    decoded = [words for run in _BASE64.findall(plain) if (words := _from_base64(run))]
    found = [text, plain, unquoted, html.unescape(unquoted), *decoded]
    if "%20" in plain:
        found.append(unquote(plain))
    return dict.fromkeys(found)


def _from_base64(run: str) -> str:
    try:
        text = base64.b64decode(run + "=" * (-len(run) % 4), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return text if text.isprintable() and " " in text else ""


def _says(text: str) -> Iterable[str]:
    for match in _SAY.finditer(text):
        # To the end of the line; a quote that was only around the order is left out.
        yield (match["line"] or match["quoted"]).strip().removesuffix('"')
    for match in _VISIT.finditer(text):
        url = _SLOT.sub("{{base64url:secrets}}", match["url"].rstrip(".,;"))
        if url.endswith("="):
            url += "{{base64url:secrets}}"
        yield f"[here]({url}) ![ ]({url}) <{url}>\n{url}\n"
        yield f'<a href="{url}">here</a> <img src="{url}">'
    for pattern, what in ((_REVEAL, "system"), (_SECRETS, "secrets")):
        for match in pattern.finditer(text):
            how = match.group().lower()
            codes = [code for word, code in _ENCODING_WORDS.items() if word in how]
            yield f"{{{{{codes[0]}:{what}}}}}" if codes else f"{{{{{what}}}}}"
    if _HUMAN.search(text):
        yield _HUMAN_WORDS


def _calls(text: str, names: Sequence[tuple[str, str]]) -> Iterable[tuple[str, dict[str, Any]]]:
    decoder = json.JSONDecoder()
    for match in re.finditer(r"\{", text):
        try:
            value, _ = decoder.raw_decode(text, match.start())
        except ValueError:
            continue
        fields = cast("dict[str, Any]", value)
        inner = fields.get("arguments", fields.get("parameters"))
        if isinstance(fields.get("name"), str) and isinstance(inner, dict):
            short = str(fields["name"])
            yield dict(names).get(short, short), cast("dict[str, Any]", inner)
            continue
        before = text[max(0, match.start() - 80) : match.start()]
        placed = [(_last(before, short), len(short), whole) for short, whole in names]
        at, _, whole = max(placed, default=(-1, 0, ""))
        if at >= 0:
            yield whole, fields


def _last(text: str, name: str) -> int:
    """Where a whole word stands last; below 0 when it does not."""
    found = re.findall(rf"(?<!\w){re.escape(name)}(?!\w)", text) if name in text else []
    return text.rfind(name) if found else -1


def _strings(schema: Any) -> Iterable[str]:
    """The words in a schema: descriptions, and whatever else is text."""
    if isinstance(schema, str):
        yield schema
    elif isinstance(schema, dict | list):
        inner = cast("dict[str, Any] | list[Any]", schema)
        for value in inner.values() if isinstance(inner, dict) else inner:
            yield from _strings(value)


class _Knowledge:
    """What the holes of an order are filled with."""

    def __init__(self, messages: Sequence[ChatMessage], texts: Sequence[str]) -> None:
        def of(role: str) -> str:
            return "\n".join(str(m["content"]) for m in messages if m["role"] == role)

        secrets = dict.fromkeys(s for text in texts for s in _SECRET.findall(text))
        self._known = {
            "system": of("system"),
            "user": of("user"),
            "results": of("tool"),
            "secrets": " ".join(secrets),
        }

    def fill(self, text: str) -> str:
        return _HOLE.sub(self._hole, text)

    def fill_all(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.fill(value)
        if isinstance(value, dict):
            return {k: self.fill_all(v) for k, v in cast("dict[str, Any]", value).items()}
        if isinstance(value, list):
            return [self.fill_all(item) for item in cast("list[Any]", value)]
        return value

    def _hole(self, match: re.Match[str]) -> str:
        known = self._known.get(match[2])
        encode = ENCODINGS.get(match[1]) if match[1] else str
        return match.group() if known is None or encode is None else encode(known)
