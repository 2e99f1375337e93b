"""Make `.venv` hold what a lock file names, and Parlour itself as an editable install.

`python scripts/env.py run` installs requirements/run.lock, `dev` requirements/dev.lock (which holds
all of the former). Runs on the bare Python of an empty machine, so it uses the standard library
only. What is there already costs nothing: a stamp remembers the lock, the Python and the place.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
SCRIPTS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")
SUPERSETS = {"run": ("run", "dev"), "dev": ("dev",)}


def lock_file(name: str) -> Path:
    """The lock called `name`."""
    return ROOT / "requirements" / f"{name}.lock"


def stamp_text(name: str) -> str:
    """What the stamp of an up-to-date environment says."""
    digest = hashlib.sha256()
    for file in (lock_file(name), ROOT / "pyproject.toml"):
        digest.update(file.read_bytes())
    # An environment has absolute paths inside, so one that was moved is not up to date.
    return f"{digest.hexdigest()} {VENV}\n"


def is_current(name: str) -> bool:
    """Whether an earlier run installed this very lock, or one that holds all of it."""
    for superset in SUPERSETS[name]:
        stamp = VENV / f".{superset}.stamp"
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == stamp_text(superset):
            return runs(PYTHON)
    return False


def runs(python: Path) -> bool:
    """Whether the environment's Python still exists and is new enough."""
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    try:
        return subprocess.run([python, "-c", check], capture_output=True).returncode == 0
    except OSError:
        return False


def pip() -> list[str]:
    """A pip that installs into the environment: its own, or else that of the base Python."""
    if subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True).returncode == 0:
        return [str(PYTHON), "-m", "pip"]
    return [sys.executable, "-m", "pip", "--python", str(PYTHON)]


def make_environment() -> None:
    """Create `.venv`, anew when it was made elsewhere or its Python is gone."""
    marker = VENV / ".place"
    if marker.is_file() and marker.read_text(encoding="utf-8") == str(VENV) and runs(PYTHON):
        return
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"env: make {VENV.name} with Python {version}", flush=True)
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    if subprocess.run([sys.executable, "-c", "import ensurepip"], capture_output=True).returncode:
        command.append("--without-pip")
    subprocess.run(command, check=True)
    marker.write_text(str(VENV), encoding="utf-8")


def section(lock: str, package: str) -> str:
    """The lines of one package in a lock: its version and hashes."""
    found = re.search(rf"^{re.escape(package)}==.*?(?=^\S|\Z)", lock, re.MULTILINE | re.DOTALL)
    if found is None:
        raise SystemExit(f"env: {package} is not in the lock; run `make lock`.")
    return found.group()


def fast_installer(lock: Path) -> list[str] | None:
    """uv, from the lock as well, in a quarter of pip's time; None where only pip knows the way.

    uv does not read pip's configuration, so it stays out where that names another index.
    """
    configuration = subprocess.run([*pip(), "config", "list"], capture_output=True, text=True)
    if re.search(r"(^|\.)index-url", configuration.stdout, re.MULTILINE):
        return None
    with tempfile.TemporaryDirectory() as folder:
        only_uv = Path(folder, "uv.txt")
        only_uv.write_text(section(lock.read_text(encoding="utf-8"), "uv"), encoding="utf-8")
        install = [*pip(), "install", "--quiet", "--require-hashes", "--no-deps", "-r", only_uv]
        if subprocess.run(install, capture_output=True).returncode:
            return None
    return [str(SCRIPTS / "uv"), "pip"]


def install(name: str) -> None:
    """Install the lock, then Parlour. Raises `SystemExit` with a sentence when it cannot."""
    lock = lock_file(name)
    count = len(re.findall(r"^\S+==", lock.read_text(encoding="utf-8"), re.MULTILINE))
    print(f"env: install {count} packages of {lock.relative_to(ROOT)} (hashes checked)", flush=True)
    started = time.monotonic()
    hashed = ["install", "--quiet", "--require-hashes", "-r", str(lock)]
    itself = ["install", "--quiet", "--no-deps", "--no-build-isolation", "-e", str(ROOT)]
    # A company's own certificates are in the system's store, not in the one that uv carries.
    environment = os.environ | {"UV_SYSTEM_CERTS": "1", "VIRTUAL_ENV": str(VENV)}
    uv = fast_installer(lock)
    for installer in filter(None, (uv, pip())):
        done = all(
            subprocess.run([*installer, *step], env=environment, cwd=ROOT).returncode == 0
            for step in (hashed, itself)
        )
        if done:
            print(f"env: ready in {time.monotonic() - started:.0f} s", flush=True)
            return
    raise SystemExit("env: the packages could not be installed; the reason stands above.")


def main(name: str) -> None:
    """Bring the environment up to lock `name`."""
    if is_current(name):
        return
    make_environment()
    for old in VENV.glob(".*.stamp"):
        old.unlink()
    install(name)
    (VENV / f".{name}.stamp").write_text(stamp_text(name), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in SUPERSETS:
        raise SystemExit("usage: python scripts/env.py run|dev")
    main(sys.argv[1])
