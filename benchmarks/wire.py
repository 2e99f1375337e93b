"""The text that the mock provider says, and how each face of a server is asked and read.

Every token holds exactly one `^`, a byte that appears nowhere else in a reply (ids, headers and
JSON keys have none), before a word of ordinary prose: what a server does about a number, a link or
a tag in a text is no part of what a word costs. So a reader can count tokens in raw bytes, however
they are framed, joined or cut, and the load generator stays cheap. Whole replies are parsed only
after the measurement.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

MARK = b"^"
_PROSE = re.findall(
    r"\S+",
    "Sales grew in most regions last quarter, and the chart above shows where: the north kept its "
    "lead while the south caught up. Filter by month to see which products made the difference.",
)
END_OF_CHUNKS = b"\r\n0\r\n\r\n"
SECRET = "a-secret-that-only-the-benchmark-knows"  # 38 characters; HS256 wants 32 or more.
AUDIENCE = "parlour"

_ORDER = re.compile(r"bench-(\d+)-(\d+)")


def token(index: int) -> str:
    """The text of token `index`, counted from 0; the first has no space before it."""
    word = _PROSE[index % len(_PROSE)]
    return f" ^{word}" if index else f"^{word}"


def answer(tokens: int) -> str:
    """The whole text of a reply of `tokens` tokens."""
    return "".join(map(token, range(tokens)))


def order(rate: int, tokens: int) -> str:
    """What a user message says so that the mock answers `tokens` tokens at `rate` a second.

    Rate 0 means at once, in one write.
    """
    return f"bench-{rate}-{tokens}"


def read_order(text: str) -> tuple[int, int] | None:
    """Rate and tokens named in `text`, or None when it names none."""
    found = _ORDER.search(text)
    return (int(found[1]), int(found[2])) if found else None


@dataclass(frozen=True, slots=True)
class Ask:
    """One turn to be asked for. `user` and `thread` are numbers within the run."""

    user: int
    thread: str
    rate: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Dialect:
    """A face: how to ask (a whole HTTP request) and how to read the text of one SSE payload."""

    name: str
    request: Callable[[Ask], bytes]
    text: Callable[[dict[str, object]], str]


def _http(path: str, body: object, *, headers: str = "") -> bytes:
    data = json.dumps(body, separators=(",", ":")).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        f"Accept: text/event-stream\r\nContent-Length: {len(data)}\r\n"
    )
    return f"{head}{headers}\r\n".encode() + data


def _signed_in(ask: Ask) -> str:
    # The host has shown the disclosure; the first message of each user writes the receipt.
    token = bearer(ask.user)
    return f"Authorization: Bearer {token}\r\nX-Parlour-Disclosure: {_edition()}\r\n"


@functools.cache
def _edition() -> str:
    # Late: the mock provider reads this module too, and needs nothing of Parlour.
    from parlour.api.access import LOCAL  # noqa: PLC0415
    from parlour.policy import Policies  # noqa: PLC0415
    from parlour.safety.disclosures.engine import Disclosures  # noqa: PLC0415
    from parlour.safety.disclosures.rules import read_rules  # noqa: PLC0415

    return Disclosures(read_rules(), Policies()).of(LOCAL, "api").edition


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


_tokens: dict[int, str] = {}


def bearer(user: int) -> str:
    """A signed HS256 token of user number `user`, good for an hour; the same one each time."""
    if user not in _tokens:
        claims = {
            "sub": f"user-{user}",
            "workspace": "bench",
            "tier": "bench",  # limits that are counted and never reached
            "aud": AUDIENCE,
            "name": f"User {user}",
            "iat": int(time.time()),
            "exp": int(time.time()) + 3600,
        }
        head = _base64(b'{"alg":"HS256","typ":"JWT"}')
        signed = f"{head}.{_base64(json.dumps(claims).encode())}"
        mac = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).digest()
        _tokens[user] = f"{signed}.{_base64(mac)}"
    return _tokens[user]


def _ask_native(ask: Ask) -> bytes:
    body = {"message_id": str(uuid.uuid4()), "text": order(ask.rate, ask.tokens)}
    return _http(f"/api/threads/{ask.thread}/turns", body, headers=_signed_in(ask))


def _read_native(payload: dict[str, object]) -> str:
    return str(payload["text"]) if payload.get("type") == "token" else ""


def _ask_ai_sdk(ask: Ask) -> bytes:
    message = {
        "id": str(uuid.uuid4()),
        "role": "user",
        "parts": [{"type": "text", "text": order(ask.rate, ask.tokens)}],
    }
    body = {"id": ask.thread, "trigger": "submit-message", "message": message}
    return _http("/api/chat", body, headers=_signed_in(ask))


def _read_ai_sdk(payload: dict[str, object]) -> str:
    return str(payload["delta"]) if payload.get("type") == "text-delta" else ""


def _openai_body(ask: Ask) -> dict[str, object]:
    said = {"role": "user", "content": order(ask.rate, ask.tokens)}
    return {"model": "parlour", "stream": True, "messages": [said]}


def _ask_openai(ask: Ask) -> bytes:
    return _http("/v1/chat/completions", _openai_body(ask), headers=_signed_in(ask))


def _ask_upstream(ask: Ask) -> bytes:
    return _http("/v1/chat/completions", _openai_body(ask))


def _read_openai(payload: dict[str, object]) -> str:
    choices = cast("list[dict[str, dict[str, str | None]]]", payload.get("choices"))
    return choices[0]["delta"].get("content") or "" if choices else ""


def _ask_reference(ask: Ask) -> bytes:
    return _http("/chat", {"message": order(ask.rate, ask.tokens)})


def _read_reference(payload: dict[str, object]) -> str:
    return str(payload.get("content", ""))


NATIVE = Dialect("native", _ask_native, _read_native)
AI_SDK = Dialect("ai-sdk", _ask_ai_sdk, _read_ai_sdk)
OPENAI = Dialect("openai", _ask_openai, _read_openai)
UPSTREAM = Dialect("upstream", _ask_upstream, _read_openai)
REFERENCE = Dialect("reference", _ask_reference, _read_reference)
DIALECTS = {d.name: d for d in (NATIVE, AI_SDK, OPENAI, UPSTREAM, REFERENCE)}


def status(reply: bytes | bytearray) -> int:
    """The HTTP status of a raw reply; 0 when it does not begin like one."""
    word = bytes(reply[9:12])
    return int(word) if reply[:5] == b"HTTP/" and word.isdigit() else 0


def body(reply: bytes) -> bytes:
    """The body of one raw HTTP/1.1 reply, chunked or not.

    Raises ValueError when a chunk is cut off.
    """
    head, found, rest = reply.partition(b"\r\n\r\n")
    if not found:
        raise ValueError("the reply ends within its header")
    if b"transfer-encoding: chunked" not in head.lower():
        return rest
    return b"".join(_chunks(rest))


def _chunks(data: bytes) -> Iterator[bytes]:
    at = 0
    while True:
        line_end = data.find(b"\r\n", at)
        if line_end < 0:
            raise ValueError("the reply ends within a chunk size")
        size = int(data[at:line_end].split(b";")[0], 16)
        if size == 0:
            return
        start = line_end + 2
        if start + size + 2 > len(data):
            raise ValueError("the reply ends within a chunk")
        yield data[start : start + size]
        at = start + size + 2


def payloads(stream: bytes) -> Iterator[bytes]:
    """The `data` of every server-sent event; comments and events without data are left out."""
    for event in stream.replace(b"\r\n", b"\n").split(b"\n\n"):
        lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line[:5] == b"data:"]
        if lines:
            yield b"\n".join(lines)


def said(reply: bytes, dialect: Dialect) -> str:
    """The text that a whole raw reply carries. Raises ValueError when it is cut or not JSON."""
    found = (payload for payload in payloads(body(reply)) if payload != b"[DONE]")
    return "".join(dialect.text(json.loads(payload)) for payload in found)
