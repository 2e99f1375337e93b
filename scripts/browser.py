"""See to it that the browser tests have a Chromium; say what to install where we may not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def main() -> int:
    """Find a Chromium, or install Debian's as root; return an exit code."""
    if any(map(shutil.which, NAMES)):
        return 0
    if os.name != "posix" or os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(
            "browser: the browser tests need Chromium: install it (Debian: `apt-get install "
            "chromium`), or leave them out with `make test ARGS='--ignore tests/browser'`.",
            file=sys.stderr,
        )
        return 1
    print("browser: install Debian's Chromium", flush=True)
    # The list of packages of a fresh machine is empty or old; a stale one may still do.
    apt_get("update")
    return apt_get("install", "-y", "--no-install-recommends", "chromium")


def apt_get(*arguments: str) -> int:
    """Run Debian's package manager without questions; its complaints are shown."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "-q", *arguments]
    return subprocess.run(command, env=environment, stdout=subprocess.DEVNULL).returncode


if __name__ == "__main__":
    sys.exit(main())
