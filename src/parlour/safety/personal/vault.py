"""Seals masked values for the store: AES-256-GCM, bound to the conversation and its owner.

The key comes from the deployment's secret; without one it is a random key in a file of the data
directory. Who has the database without the key has placeholders. With another secret the old values
cannot be read any more: they stay placeholders, and nothing breaks.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_FILE = "masking.key"
_NONCE = 12  # bytes


class Sealer:
    """Seals and opens values. One for the process."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(hashlib.sha256(b"parlour masking\0" + key).digest())
        self._digest_key = hashlib.sha256(b"parlour masking digest\0" + key).digest()

    def seal(self, value: str, place: str) -> bytes:
        """`place` says whose it is and where; the value opens nowhere else."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, value.encode(), place.encode())

    def open(self, sealed: bytes, place: str) -> str | None:
        """The value; None when the key or the place is another."""
        try:
            clear = self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], place.encode())
        except InvalidTag:
            return None
        return clear.decode()

    def digest(self, value: str, place: str) -> bytes:
        """Tells two values apart without telling either."""
        return hmac.digest(self._digest_key, f"{place}\0{value}".encode(), "sha256")


def read_key(secret: str, data_dir: Path) -> bytes:
    """The key to seal with: from the secret, else from its file, which is made when missing."""
    if secret:
        return secret.encode()
    file = data_dir / KEY_FILE
    data_dir.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file.read_bytes()
    with os.fdopen(handle, "wb") as opened:
        opened.write(secrets.token_bytes(32))
    return file.read_bytes()
