"""The wheel of a clean checkout, installed elsewhere, serves the page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
UV = Path(sys.executable).with_name("uv")


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a program to its end and return what it printed; fail with all of it otherwise."""
    # A checkout's own PYTHONPATH or SKIP_UI must not reach what stands for a stranger's machine.
    environment = {name: value for name, value in os.environ.items() if name not in UNSET}
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=environment | {"UV_SYSTEM_CERTS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


UNSET = {"PYTHONPATH", "SKIP_UI", "VIRTUAL_ENV", "PARLOUR_CONFIG"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by way of the sdist, as registries do, from what git would hand out now."""
    folder = tmp_path_factory.mktemp("wheel")
    # A commit of the work tree as it is, on no branch; nothing is printed when it is clean.
    author = ["-c", "user.name=wheel", "-c", "user.email=wheel@localhost"]
    commit = run("git", *author, "stash", "create", cwd=ROOT).strip() or "HEAD"
    run("git", "archive", "--output", folder / "source.tar", commit, cwd=ROOT)
    checkout = folder / "checkout"
    checkout.mkdir()
    run("tar", "xf", folder / "source.tar", "-C", checkout)
    run(UV, "build", "--quiet", "--out-dir", folder / "dist", cwd=checkout)
    (built,) = (folder / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment with the wheel and the versions of the lock."""
    folder = tmp_path_factory.mktemp("elsewhere") / "venv"
    venv.create(folder, with_pip=False)
    versions = ROOT / "requirements" / "run.lock"
    target = f"parlour[local] @ {wheel.as_uri()}"
    run(UV, "pip", "install", "--quiet", "--python", folder, "--constraints", versions, target)
    return folder / "bin"


@contextmanager
def served(program: Path, data_dir: Path) -> Iterator[str]:
    """`parlour serve` on a free port, with the scripted model; yields the address it prints."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "TMPDIR"}}
    settings = {"PARLOUR_PORT": "0", "PARLOUR_MODEL": "scripted:"}
    process = subprocess.Popen(
        [program, "serve"],
        cwd=data_dir,
        env=kept | settings | {"PARLOUR_DATA_DIR": str(data_dir), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield address(process)
    finally:
        process.terminate()
        process.communicate(timeout=40)


def address(process: subprocess.Popen[str]) -> str:
    """The first address with a port that the process prints."""
    assert process.stdout is not None
    said: list[str] = []
    limit = threading.Timer(60, process.kill)  # its first start makes a database
    limit.start()
    try:
        for line in process.stdout:
            said.append(line)
            if found := re.search(r"http://[\w.]+:[1-9]\d*", line):
                return found.group()
    finally:
        limit.cancel()
    raise AssertionError(f"no address within 60 s, only:\n{''.join(said)}")


@pytest.mark.timeout(300)
def test_the_wheel_carries_all_that_is_not_code(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "parlour/static/index.html" in names
    assert any(re.fullmatch(r"parlour/static/assets/.+\.js", name) for name in names)
    data = [
        file.relative_to(ROOT / "src").as_posix()
        for file in (ROOT / "src" / "parlour").rglob("*")
        if file.suffix in {".md", ".json", ".sql", ".mako"} and "static" not in file.parts
    ]
    assert set(data) <= set(names)
    assert any(name.startswith("parlour/store/migrations/versions/0001") for name in names)
    assert not [name for name in names if not name.startswith(("parlour/", "parlour-"))]


@pytest.mark.timeout(300)
def test_the_installed_program_knows_its_version(installed: Path, wheel: Path) -> None:
    assert wheel.name.split("-")[1] in run(installed / "parlour", "--version", cwd=wheel.parent)


@pytest.mark.promise("P23")
@pytest.mark.timeout(300)
def test_the_installed_program_serves_the_page(installed: Path, tmp_path: Path) -> None:
    with served(installed / "parlour", tmp_path) as url:
        with urllib.request.urlopen(url, timeout=30) as answer:
            page = answer.read().decode()
        assert answer.headers["content-type"].startswith("text/html")
        scripts = re.findall(r'src="(/assets/[^"]+\.js)"', page)
        assert scripts
        with urllib.request.urlopen(url + scripts[0], timeout=30) as answer:
            assert "javascript" in answer.headers["content-type"]
            assert answer.read()
