"""Signs what people are asked and what they decided, so that a changed row counts for nothing.

The key comes from the settings (the secret, else a file of the data directory) and never lies in
the database that holds what it signs.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

SIGNED = (
    "id",
    "turn",
    "call_id",
    "server",
    "tool",
    "arguments",
    "digest",
    "acts_as",
)
_canonical = msgspec.json.Encoder(order="sorted").encode


def stored_key(folder: Path) -> bytes:
    """The key of a data directory, made when it is first needed; only its owner may read it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "approvals.key"
    if not file.exists():
        made = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(secrets.token_bytes(32))
        with contextlib.suppress(FileExistsError):
            os.link(made, file)  # whole or not there, whoever else starts now
        made.unlink()
    return file.read_bytes()


class Signer:
    """Makes and checks signatures; `key` is any secret of 32 bytes or more."""

    def __init__(self, key: bytes) -> None:
        self._key = hmac.digest(key, b"parlour approvals 1", hashlib.sha256)

    def sign(self, asked: Mapping[str, Any]) -> bytes:
        """Over the question: which call, of which turn, with which arguments, as whom."""
        return self._mac(["asked", *(asked[name] for name in SIGNED)])

    def seal(self, signature: bytes, decision: str, decided_by: str) -> bytes:
        """Over the question and its answer."""
        return self._mac(["decided", signature.hex(), decision, decided_by])

    def _mac(self, values: list[Any]) -> bytes:
        return hmac.digest(self._key, _canonical(values), hashlib.sha256)


def same(one: bytes | None, other: bytes) -> bool:
    """Whether two signatures are the same, in constant time."""
    return one is not None and hmac.compare_digest(one, other)
