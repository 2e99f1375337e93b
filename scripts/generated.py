"""Write generated files, or say which of the committed ones are out of date."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path


def publish(files: Mapping[str, str], root: Path, *, check: bool, word: str) -> int:
    """Write `files` (path from `root` -> text), or with `check` only compare.

    Returns 0, or 1 when `check` found a difference; `word` is what to type then.
    """
    stale = [
        name
        for name, text in files.items()
        if not (root / name).is_file() or (root / name).read_text(encoding="utf-8") != text
    ]
    for name in stale:
        if check:
            print(f"{name} is out of date; run `{word}` and commit it.", file=sys.stderr)
        else:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(files[name], encoding="utf-8")
            print(f"wrote {name}")
    return 1 if check and stale else 0
