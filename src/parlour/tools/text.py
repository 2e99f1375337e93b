"""Text from servers, made harmless and short enough."""

from __future__ import annotations

import re
import unicodedata

from parlour import tokens

# Never shown and never meant: C0 and C1 controls but tab and line ends, lone surrogates,
# bidirectional overrides, the tag characters that hide words from people, noncharacters. Joiners
# stay: emoji and Persian need them.
_HARMFUL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef"
    "\ufffe\uffff\U000e0000-\U000e0fff]"
)
_SPACES = re.compile(r"[ \t]+")


def clean(text: str) -> str:
    """Without characters that hide words, turn them round, or cannot be stored."""
    if text.isascii() and text.isprintable():  # most cells of a table
        return text
    return _HARMFUL.sub("", text)


def clean_description(text: str, chars_max: int) -> str:
    """A description as a model may read it: no invisible character at all, bounded in length."""
    kept = "".join(
        char
        for char in text
        if char in "\n\t"
        or (
            unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn"}
            and not "\ufe00" <= char <= "\ufe0f"
            and not "\U000e0100" <= char <= "\U000e01ef"
        )
    ).strip()
    return kept if len(kept) <= chars_max else f"{kept[: chars_max - 1].rstrip()}…"


def clean_line(text: str, chars_max: int) -> str:
    """One line without invisible characters, e.g. a title."""
    return _SPACES.sub(" ", clean_description(text.replace("\n", " "), chars_max))


def head_of(text: str, bytes_max: int, tokens_max: int) -> str:
    """The beginning of a text within both bounds, to the end of a line where one is near."""
    raw = text.encode(errors="replace")
    head = text if len(raw) <= bytes_max else raw[:bytes_max].decode(errors="ignore")
    if len(head) * 4 > tokens_max and len(head.encode(errors="replace")) > tokens_max:
        head = tokens.cut(head, tokens_max)  # a token is a byte or more
    if len(head) == len(text):
        return text
    line = head.rfind("\n", len(head) - len(head) // 8)
    return head[: line + 1] if line > 0 else head


def cut(text: str, bytes_max: int, tokens_max: int = 1_000_000_000) -> str:
    """A text within both bounds, and a notice with counts when that is not all.

    The notice is beyond the bounds (about 100 bytes).
    """
    head = head_of(text, bytes_max, tokens_max)
    if head is text:
        return text
    shown, whole = len(head.encode(errors="replace")), len(text.encode(errors="replace"))
    return (
        f"{head.rstrip()}\n[Cut here: the first {shown:,} of {whole:,} bytes are shown. "
        "Ask for less, e.g. with a filter or a limit, to see the rest.]"
    )


def visible(text: str) -> str:
    """The same text with what nobody can see written out, for a person who has to judge it."""
    return "".join(
        char
        if char == "\n" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn"}
        else f"\\u{{{ord(char):x}}}"
        for char in text
    )
