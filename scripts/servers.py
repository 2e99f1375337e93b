"""Other people's tool servers for the live tests, with the versions and hashes of lock files.

`python scripts/servers.py` installs what is missing: the packages of tests/live/servers from npm,
and an environment of its own, .venv/mcp1, for a server that needs the first generation of the SDK
(requirements/mcp1.lock). Servers that go with ours are in the tests' own environment.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import env
import node

NPM = env.ROOT / "tests" / "live" / "servers"
MCP1 = env.VENV / "mcp1"
PROGRAMS = "Scripts" if os.name == "nt" else "bin"
MISSING = "The tool servers are not installed: run `python scripts/servers.py` (make test does)."


def npm_script(name: str) -> Path:
    """The script of a server from npm. Raises `SystemExit` when it is not installed."""
    return _there(NPM / "node_modules" / "@modelcontextprotocol" / name / "dist" / "index.js")


def mcp1_program(name: str) -> Path:
    """A program of the environment of the older SDK. Raises `SystemExit` when it is not there."""
    return _there(MCP1 / PROGRAMS / name)


def _there(file: Path) -> Path:
    if not file.exists():
        raise SystemExit(MISSING)
    return file


def install_npm() -> None:
    """`npm ci`, when the lock changed since it last ran."""
    stamp = NPM / "node_modules" / ".parlour"
    digest = hashlib.sha256((NPM / "package-lock.json").read_bytes()).hexdigest()
    if _stamped(stamp, digest):
        return
    print("servers: install tests/live/servers (hashes checked)", flush=True)
    if node.npm("ci", "--prefix", str(NPM), "--no-audit", "--no-fund", quiet=True):
        raise SystemExit("servers: npm could not install them; the reason stands above.")
    stamp.write_text(digest, encoding="utf-8")


def install_mcp1() -> None:
    """An environment from its lock, anew when the lock changed. uv if it is there, else pip."""
    lock, stamp = env.lock_file("mcp1"), MCP1 / ".stamp"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if _stamped(stamp, digest):
        return
    print(f"servers: install {lock.relative_to(env.ROOT)} (hashes checked)", flush=True)
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", "--clear", str(MCP1)], check=True
    )
    python = str(MCP1 / PROGRAMS / env.PYTHON.name)
    hashed = ["--quiet", "--require-hashes", "-r", str(lock)]
    ways = [[*env.pip(), "--python", python, "install", *hashed]]
    if uv := shutil.which("uv", path=str(env.SCRIPTS)):
        ways.insert(0, [uv, "pip", "install", "--python", python, *hashed])
    settings = os.environ | {"UV_SYSTEM_CERTS": "1"}
    if not any(subprocess.run(way, env=settings, cwd=env.ROOT).returncode == 0 for way in ways):
        raise SystemExit("servers: the packages could not be installed; the reason stands above.")
    stamp.write_text(digest, encoding="utf-8")


def _stamped(stamp: Path, digest: str) -> bool:
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == digest


if __name__ == "__main__":
    install_npm()
    install_mcp1()
