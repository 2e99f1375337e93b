"""What was measured goes into docs/chaos.md, each figure between two marks of its name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "chaos.md"


def put(name: str, lines: Sequence[str], page: Path = PAGE) -> None:
    """Replace what stands between `<!-- name -->` and `<!-- end -->`; the day is put before it."""
    text = page.read_text(encoding="utf-8")
    place = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- end -->)", re.DOTALL)
    if len(place.findall(text)) != 1:
        raise ValueError(f"{page} has no place, or several, for {name}")
    day = f"{datetime.now(UTC):%d %b %Y}, 2 cores.".lstrip("0")
    inside = "\n".join(["", day, "", *lines, ""])
    page.write_text(place.sub(lambda m: m[1] + inside + m[2], text), encoding="utf-8")
