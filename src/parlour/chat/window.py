"""Which messages of the conversation the model is sent: as many of the newest as fit.

A message of the conversation is a group of prompt messages that stays together: an answer's calls
are never parted from their results. What is too long at the edge is shortened, results of tools
first; what is older is left out. The question itself is never cut and not counted: it is bounded
where it comes in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from parlour import tokens
from parlour.models.port import ChatMessage

Group = list[ChatMessage]

FRAME_TOKENS = 4  # of each message, beside its words: role and separators, about
RESULT_TOKENS = 100  # kept of a tool's result where an answer has to be shortened
NOTICE_CHARS_MAX = 500
WORTH_TOKENS = 60  # room for less than this is not worth half a message
CUT = " […]"
CUT_TOKENS = 4  # of these signs, and of what the cut parts otherwise
LEFT_OUT: ChatMessage = {"role": "user", "content": "(Earlier messages are left out.)"}


def fitting(groups: Sequence[Group], most: int) -> Group:
    """The newest groups that have at most `most` tokens together, as one list of messages.

    `groups` are the conversation, oldest first, and end in the question. The result begins with a
    user's message, as some providers demand.
    """
    *before, question = groups
    kept: list[Group] = []
    left = most
    if surely_fits(before, left):
        kept = list(before)
        before = []
    for group in reversed(before):
        used = size(group)
        if used > left:
            short = shortened(group, left) if left >= WORTH_TOKENS else None
            if short is not None:
                kept.insert(0, short)
            break
        kept.insert(0, group)
        left -= used
    found = [message for group in (*kept, question) for message in group]
    if found and found[0]["role"] != "user":
        found.insert(0, LEFT_OUT)
    return found


def size(group: Group) -> int:
    """Tokens of a group, about."""
    return sum(map(_size, group))


def shortened(group: Group, most: int) -> Group | None:
    """The group within `most` tokens: results are cut, then its longest words; every call keeps
    its result. None when that is not enough."""
    short = [
        {**m, "content": _cut_result(m["content"])} if m["role"] == "tool" else m for m in group
    ]
    over = size(short) - most
    if over <= 0:
        return short
    words = [m for m in short if m["role"] != "tool"]
    longest = max(words, key=lambda m: len(m["content"]))
    room = tokens.count(longest["content"]) - over - CUT_TOKENS
    if room < WORTH_TOKENS:
        return None
    cut = {**longest, "content": _cut(longest["content"], room)}
    return [cut if m is longest else m for m in short]


def _cut(text: str, most: int) -> str:
    return text if tokens.fits(text, most) else tokens.cut(text, most) + CUT


def _cut_result(text: str) -> str:
    """The last line stays when it is a notice in brackets: it says what was cut before, and how to
    read on."""
    short = _cut(text, RESULT_TOKENS)
    notice = text.rstrip().rpartition("\n")[2]
    if short is text or not notice.startswith("[") or len(notice) > NOTICE_CHARS_MAX:
        return short
    return f"{short}\n{notice}"


def _size(message: ChatMessage) -> int:
    calls = message.get("tool_calls")
    return (
        FRAME_TOKENS
        + tokens.count(message["content"])
        + (tokens.count(_calls(calls)) if calls else 0)
    )


def surely_fits(groups: Sequence[Group], most: int) -> bool:
    """Told from lengths alone, without counting: a token is at least one byte."""
    used = 0
    for group in groups:
        for message in group:
            calls = message.get("tool_calls")
            used += FRAME_TOKENS + len(message["content"].encode())
            used += len(_calls(calls)) if calls else 0
            if used > most:
                return False
    return True


def _calls(calls: Any) -> str:
    return msgspec.json.encode(calls).decode()
