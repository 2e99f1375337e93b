"""Starting and stopping what is measured: nginx, Parlour, the reference design, the mock.

Every server gets a free port, its own process group, one core, and a log file in the working
directory of the run. Errors are `CannotMeasure` with a sentence that says what to do.
"""

from __future__ import annotations

import http.client
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from benchmarks import system, wire

ROOT = Path(__file__).resolve().parent.parent
TIER = {"requests_per_hour": 10**6, "tokens_per_day": 10**9, "turns_at_once": 10**4}
PARLOUR_COMMAND = f"{shlex.quote(sys.executable)} -m parlour.cli serve"
READY_LIMIT_S = 120.0  # A first start of Parlour makes its database.
STOP_LIMIT_S = 30.0


class CannotMeasure(Exception):
    """Something the benchmark needs is missing or does not start."""


@dataclass
class Server:
    """A running server. `ready_s` is from the command to the first good answer."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    ready_s: float
    watched: system.Watched
    log: Path

    def alive(self) -> bool:
        """Whether its first process still runs."""
        return self.process.poll() is None

    def stop(self) -> None:
        """Ask it to end, then its Postgres if that stayed behind; kill after 30 s."""
        if self.alive():
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        left = system.postgres_of(self.watched.data_dir, system.processes())
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)  # Postgres: end at once, but in order.
        _wait(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left), STOP_LIMIT_S)


def _wait(done: Callable[[], bool], limit_s: float) -> bool:
    end = time.perf_counter() + limit_s
    while not done():
        if time.perf_counter() > end:
            return False
        time.sleep(0.01)
    return True


def free_port() -> int:
    """A port of the loopback interface that nobody has now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get(port: int, path: str) -> tuple[int, bytes]:
    """GET from the loopback interface; (0, b"") when nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, reply.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def cores() -> tuple[int, int]:
    """The core of the servers and the core of mock and load; the same one on a 1-core machine."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[1] if len(usable) > 1 else usable[0]


@dataclass(frozen=True)
class Launch:
    """How to start one server: the rest is the same for all."""

    name: str
    command: Sequence[str]
    port: int
    ready_path: str
    core: int
    environment: dict[str, str]
    data_dir: Path | None = None


def _settle(core: int) -> None:
    os.sched_setaffinity(0, {core})
    system.allow_many_files()
    system.prefer(os.getpriority(os.PRIO_PROCESS, 0))


def start(launch: Launch, work: Path) -> Server:
    """Start it, pinned to its core, and wait until it answers 200. Raises `CannotMeasure`."""
    log = work / f"{launch.name}.log"
    began = time.perf_counter()
    with log.open("ab") as out:
        try:
            process = subprocess.Popen(
                launch.command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=work,
                env=os.environ | launch.environment,
                start_new_session=True,
                preexec_fn=lambda: _settle(launch.core),
            )
        except FileNotFoundError:
            raise CannotMeasure(f"{launch.name}: there is no {launch.command[0]}.") from None
    watched = system.Watched(process.pid, launch.core, launch.data_dir)
    server = Server(launch.name, process, launch.port, 0.0, watched, log)
    _wait(
        lambda: not server.alive() or get(launch.port, launch.ready_path)[0] == 200, READY_LIMIT_S
    )
    server.ready_s = time.perf_counter() - began
    if get(launch.port, launch.ready_path)[0] != 200:
        server.stop()
        tail = log.read_text(errors="replace")[-1500:]
        raise CannotMeasure(f"{launch.name} did not become ready. The end of its log:\n{tail}")
    return server


def start_mock(core: int, work: Path) -> Server:
    """The stand-in for the provider."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.upstream", "--port", str(port)]
    launch = Launch("mock", command, port, "/v1/models", core, {"PYTHONPATH": str(ROOT)})
    return start(launch, work)


_NGINX = """\
daemon off;
pid {work}/nginx.pid;
error_log stderr warn;
worker_processes 1;
worker_rlimit_nofile {files};
{user}
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {work}/nginx-body;
  proxy_temp_path {work}/nginx-proxy;
  fastcgi_temp_path {work}/nginx-fastcgi;
  uwsgi_temp_path {work}/nginx-uwsgi;
  scgi_temp_path {work}/nginx-scgi;
  upstream mock {{ server 127.0.0.1:{upstream}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    keepalive_requests 1000000;
    location / {{
      proxy_pass http://mock;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 600s;
    }}
  }}
}}
"""


def nginx(upstream: int, core: int, work: Path) -> Launch:
    """nginx as a pass-through of one worker: the least that any proxy must do."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if not program:
        raise CannotMeasure(
            "nginx is not installed, and it is the yardstick of this benchmark. On Debian: "
            "`apt-get install nginx-light`. To go on without it: `--only parlour,reference`."
        )
    port = free_port()
    config = work / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    config.write_text(
        _NGINX.format(work=work, upstream=upstream, port=port, user=user, files=system.FILES_WANTED)
    )
    command = [program, "-c", str(config), "-p", str(work)]
    return Launch("nginx", command, port, "/v1/models", core, {})


def reference(upstream: int, core: int, work: Path) -> Launch:
    """The common reference design of reference.py."""
    if not find_spec("langchain_openai") or not find_spec("langchain"):
        raise CannotMeasure(
            "The reference design needs langchain and langchain-openai: `pip install --group "
            "bench`. To go on without it: `--only nginx,parlour`."
        )
    port = free_port()
    base = f"http://127.0.0.1:{upstream}/v1"
    command = [sys.executable, "-m", "benchmarks.reference"]
    command += ["--port", str(port), "--upstream", base]
    environment = {"PYTHONPATH": str(ROOT), "LANGSMITH_TRACING": "false"}
    return Launch("reference", command, port, "/health/ready", core, environment)


def parlour(
    upstream: int, core: int, work: Path, command: Sequence[str], extra: dict[str, str]
) -> Launch:
    """Parlour as shipped: signed tokens, own Postgres in a directory of this run, default limits.

    `command` may be anything that reads Parlour's environment; `extra` is added to that.
    """
    port = free_port()
    data_dir = work / "parlour-data"
    environment = {
        "PYTHONPATH": str(ROOT / "src"),
        "PARLOUR_MODEL": f"openai:{wire.order(30, 300)}",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{upstream}/v1",
        "OPENAI_API_KEY": "x",
        "PARLOUR_PORT": str(port),
        "PARLOUR_DATA_DIR": str(data_dir),
        "PARLOUR_SECRET": wire.SECRET,
        "PARLOUR_AUDIENCE": wire.AUDIENCE,
        "PARLOUR_POLICY__LIMITS__TIERS": json.dumps({"bench": TIER}),
    }
    return Launch("parlour", command, port, "/health/ready", core, environment | extra, data_dir)
