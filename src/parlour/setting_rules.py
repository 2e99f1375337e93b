"""What single settings may hold, and the sentence that is said where one is wrong."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr, ValidationError

_HEADER = re.compile(r"[\x20-\x7e\t]*")
_NAMES_OF_OTHERS = {"PARLOUR_CONFIG"}  # read before the settings are
# What Kubernetes sets in every pod beside a service of that name.
_OF_KUBERNETES = re.compile(r"PARLOUR_(SERVICE_|PORT_\d+_)")


def _address(value: str) -> str:
    """Empty, or an http(s) address that names a host."""
    if not value:
        return value
    wrong = "is no address: it begins with http:// or https:// and names a host"
    try:
        parts = urlsplit(value)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # a port that is no number
        good = False
    if not good or re.search(r"\s", value):
        raise ValueError(wrong)  # without the value: it may hold a password
    return value


def _in_a_header(value: SecretStr) -> SecretStr:
    """A key or a header: without the line break at the end of a file, and sendable."""
    text = value.get_secret_value().strip()
    if not _HEADER.fullmatch(text):
        raise ValueError("holds a line break or a character outside ASCII, which no header can")
    return SecretStr(text)


Address = Annotated[str, AfterValidator(_address)]
Sendable = Annotated[SecretStr, AfterValidator(_in_a_header)]


def sentence(error: ValidationError, own_names: Iterable[str]) -> str:
    """Sentences that name each wrong setting; `own_names` are variables without a prefix."""
    said: list[str] = []
    for item in error.errors():
        path = [str(step) for step in item["loc"]]
        why = item["msg"].removeprefix("Value error, ")
        if not path:
            said.append(f"{why}.")
            continue
        name = "__".join(path).upper()
        name = name if name in own_names else f"PARLOUR_{name}"
        where = f"{name} (`{'.'.join(path).lower() if name in own_names else '.'.join(path)}`)"
        unknown = item["type"] == "extra_forbidden"
        said.append(f"{where} is not a setting of Parlour." if unknown else f"{where}: {why}.")
    return " ".join(said)


def of_variables(field: str, environ: Mapping[str, str]) -> str:
    """What is said when variables of one section cannot be read."""
    names = sorted(name for name in environ if name.startswith(f"PARLOUR_{field.upper()}"))
    return (
        f"One of {', '.join(names)} cannot be read: in the environment a list or a table is JSON, "
        'as ["a", "b"].'
    )


def strangers(environ: Mapping[str, str], fields: Iterable[str]) -> list[str]:
    """A sentence for each variable that looks like a setting of Parlour and is none."""
    known = {f"PARLOUR_{field.upper()}" for field in fields} | _NAMES_OF_OTHERS
    said: list[str] = []
    for name in sorted(environ):
        first = name.partition("__")[0]
        if not name.startswith("PARLOUR_") or first in known or _OF_KUBERNETES.match(name):
            continue
        near = difflib.get_close_matches(first, known, 1)
        said.append(f"{name} is not a setting of Parlour" + (f"; {near[0]} is." if near else "."))
    return said
