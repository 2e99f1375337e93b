"""Run every machine check, two at a time; print one line each, and the output of those that fail.

`python scripts/check.py` runs all, `python scripts/check.py ruff types` those whose names match.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PYTHON = sys.executable
# The slowest first, so that the quick ones fill the second place meanwhile.
CHECKS: dict[str, list[str]] = {
    "types": [f"{BIN}/pyright", "--warnings", "--pythonpath", PYTHON],
    "page": [PYTHON, "scripts/node.py", "npm", "run", "--silent", "check"],
    "imports": [f"{BIN}/lint-imports"],
    "contract": [PYTHON, "scripts/contract.py", "--check"],
    "docs": [PYTHON, "scripts/reference.py", "--check"],
    "dependencies": [f"{BIN}/deptry", "src"],
    "ruff": [f"{BIN}/ruff", "check", "--quiet", "."],
    "format": [f"{BIN}/ruff", "format", "--quiet", "--check", "."],
    "spelling": [f"{BIN}/codespell"],
}


def run(name: str) -> bool:
    """Run one check and say how it went; True when it passed."""
    started = time.monotonic()
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "NO_COLOR": "1"}
    done = subprocess.run(
        CHECKS[name],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    took = time.monotonic() - started
    verdict = "FAILED" if done.returncode else "ok"
    said = f"\n{done.stdout.rstrip()}\n" if done.returncode else ""
    print(f"check: {name:13}{verdict:7}{took:5.1f} s{said}", flush=True)
    return done.returncode == 0


def main(wanted: list[str]) -> int:
    """Run the checks whose names contain one of `wanted` (all when empty); 1 when any failed."""
    names = [name for name in CHECKS if not wanted or any(word in name for word in wanted)]
    with ThreadPoolExecutor(max_workers=2) as pool:
        passed = list(pool.map(run, names))
    return 0 if all(passed) and passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
