"""Text from outside, made plain before it stands in a prompt: what hides or pretends is taken out.

People cannot see control and format characters, but models read them: bidirectional overrides,
zero-width characters, variation selectors and the tag block carry hidden words. They are dropped,
private-use characters with them. The marks by which chat templates and our own fences part text
are made harmless. What people can see stays as it is.
"""

from __future__ import annotations

import re

ELLIPSIS = "…"
FENCES = ("page_context", "conversation_summary", "conversation")

# Controls, soft hyphen, joiners, direction marks, fillers, variation selectors, halves of
# characters, private use, annotations, tags. Not the few format characters that are visible.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u2800\u3164\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufffc\ufffe\uffff\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U0010ffff]"
)
_SPACE = re.compile(r"\s+")
_BREAK = re.compile("\r\n|[\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]")
_BLANKS = re.compile("\n{3,}")
# `<|im_start|>` and the like: a model server may read them as the special tokens that they name.
_MARK = re.compile(r"<(?=\|[^|<>\s]{1,40}\|>)")
_NAMES = "|".join(name.replace("_", r"[\W_]{0,3}") for name in FENCES)
_FENCE = re.compile(f"[<\uff1c\ufe64\u2039\u3008](?=[\\s/\uff0f]*(?:{_NAMES}))", re.IGNORECASE)


def one_line(text: str, most: int) -> str:
    """At most `most` characters on one line; what was longer ends in an ellipsis."""
    whole = _SPACE.sub(" ", text[: most * 4 + 4])
    return _cut(_harmless(_HIDDEN.sub("", whole)).strip(), most)


def many_lines(text: str, most: int) -> str:
    """At most `most` characters, line structure and indentation kept."""
    broken = _BREAK.sub("\n", text[: most * 4 + 4]).replace("\t", "    ")
    lines = [_HIDDEN.sub("", line).rstrip() for line in broken.split("\n")]
    whole = _BLANKS.sub("\n\n", "\n".join(lines).strip("\n"))
    return _cut(_harmless(whole), most)


def fenced(name: str, lines: list[str]) -> str:
    """Lines between a fence's two marks. `name` is one of `FENCES`, so that no plain text from
    outside can hold a mark."""
    return "\n".join([f"<{name}>", *lines, f"</{name}>"])


def barred(text: str) -> list[str]:
    """Lines that each begin with a bar: none can be taken for a line of what stands around."""
    return [f"| {line}".rstrip() for line in text.split("\n")]


def _harmless(text: str) -> str:
    return _FENCE.sub("(", _MARK.sub("< ", text))


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    return text[: most - 1].rstrip() + ELLIPSIS if most > 0 else ""
