"""What renderers make of a text: every address that any of them would let a person follow.

An oracle, written apart from the filter: CommonMark by markdown-it, GFM's literal autolinks, and
linkers that look for `scheme://`, `www.` and `//host` in whatever text is on the screen.
"""

from __future__ import annotations

import html
import re

from markdown_it import MarkdownIt
from markdown_it.token import Token

_commonmark = MarkdownIt("commonmark")
_commonmark.validateLink = lambda url: True  # type: ignore[method-assign]  # ours to judge

_SCHEME = re.compile(
    r"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]*:/{2,}[^\s<`\"'),.:;?_~*!/\[\]]+[^\s<]*", re.IGNORECASE
)
_WWW = re.compile(r"(?<![A-Za-z0-9/.@])www\.[A-Za-z0-9][^\s<]*", re.IGNORECASE)
_SLASHES = re.compile(
    r"(?<![:\w/\\])//[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.(?:com|org|example)(?![A-Za-z0-9-])[^\s<]*"
)
_BARE = re.compile(
    r"(?<![\w@/.:-])[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.(?:com|org)/[A-Za-z0-9][^\s<]*"
)
_EMAIL = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z][A-Za-z0-9]*")
_ATTRIBUTE = re.compile(
    r"<[A-Za-z][^<>]*?\s(?:href|src|srcset|action|formaction|poster|background|data)\s*=\s*"
    r"(\"[^\"]*\"|'[^']*'|[^\s\"'=<>`]+)",
    re.IGNORECASE,
)
_ON_SCREEN = re.compile(r"[^\s<>\"{}|\\^`\[\]]*")  # how far linkers of plain text look
_TRAIL = "!\"'),.:;?_~*]"


def addresses(text: str) -> set[str]:
    """Every address in what a text becomes."""
    found: set[str] = set()
    for token in _commonmark.parse(text):
        _of_token(token, found, code=token.type in ("fence", "code_block"))
        for child in token.children or []:
            _of_token(child, found, code=child.type == "code_inline")
    visible = "".join(c for c in text if not _hidden(c))
    for pattern in (_SCHEME, _WWW, _SLASHES):
        found |= _trimmed([_ON_SCREEN.match(each)[0] for each in pattern.findall(visible)])  # type: ignore[index]
    return found


def _of_token(token: Token, found: set[str], *, code: bool) -> None:
    for name in ("href", "src"):
        if token.attrs.get(name) is not None:
            found.add(str(token.attrs[name]))
    if token.type in ("html_inline", "html_block"):
        found.update(html.unescape(v.strip("\"'")) for v in _ATTRIBUTE.findall(token.content))
    elif token.type == "text" or code:
        patterns = (_SCHEME, _WWW) if code else (_SCHEME, _WWW, _SLASHES, _EMAIL, _BARE)
        for pattern in patterns:
            each = pattern.findall(token.content)
            found |= _trimmed([_ON_SCREEN.match(a)[0] for a in each] if code else each)  # type: ignore[index]


def _trimmed(found: list[str]) -> set[str]:
    return {_trim(address) for address in found}


def _trim(address: str) -> str:
    while address and address[-1] in _TRAIL:
        if address[-1] == ")" and address.count(")") <= address.count("("):
            break
        address = address[:-1]
    return address


def _hidden(char: str) -> bool:
    return char in "\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202e\u2060\ufeff"
