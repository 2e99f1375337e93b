"""Serve until told to stop, and leave in order.

SIGTERM: not ready at once, and for a moment nothing else, as balancers go on sending people here
until they have seen it. Then readers are told to reconnect, running turns finish or are left to
another process, and the process exits, within 30 seconds of the signal. Where something hangs, a
database that neither answers nor hangs up say, it exits all the same: it then leaves what a killed
process leaves, which others know how to go on with.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import sys
import threading
from collections.abc import Generator
from types import FrameType

import structlog
import uvicorn

from parlour.api.direct import DirectProtocol
from parlour.app import running
from parlour.errors import ConfigurationError
from parlour.services import Services
from parlour.settings import Settings, unknown_variables
from parlour.web import create_app

log = structlog.get_logger("parlour.serve")

BACKLOG = 2_048
CLOSING_S = 4.5  # after `shutdown_s` for letting go of everything, so that 25 s end within 30
CONNECTIONS_S = 3  # for requests in flight to finish once readers have been told to go


class _Server(uvicorn.Server):
    """uvicorn, with our own beginning of the end."""

    def __init__(self, config: uvicorn.Config, services: Services) -> None:
        super().__init__(config)
        self._services = services
        self._again = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Signals end `serve`, and nothing else: uvicorn would raise them again afterwards, which
        kills the process before turns are drained and our own Postgres is stopped."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield  # the handlers stay: a second signal must not cut the draining short

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal begins the end, and bounds it; the second waits for no balancer."""
        if self.should_exit:
            self._again.set()
        else:
            self._services.step_back()
            _end_within(self._services.settings)
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Before connections are closed, balancers have to see it, and streams to be told."""
        if not self._services.access.local:
            settings = self._services.settings
            with contextlib.suppress(TimeoutError):
                bound_s = min(settings.unready_s, settings.shutdown_s / 2)
                await asyncio.wait_for(self._again.wait(), bound_s)
        await self._services.leave()
        await super().shutdown(sockets)


async def serve(settings: Settings) -> None:
    """Serve the page and the API until SIGTERM or SIGINT."""
    listening = _listen(settings.host, settings.port)
    for unknown in unknown_variables():
        log.warning("unknown_variable", found=unknown)
    starting = asyncio.current_task()
    assert starting is not None  # noqa: S101  # a coroutine always runs in one
    # Until the server takes the signals over, they end the start, and what has begun is closed.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, starting.cancel)
    try:
        async with running(settings) as services:
            config = uvicorn.Config(
                create_app(services),
                http=DirectProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=CONNECTIONS_S,
            )
            _greet(settings, services, listening)
            await _Server(config, services).serve(sockets=[listening])
    except asyncio.CancelledError:
        log.info("start_cancelled")
    finally:
        listening.close()


async def work(settings: Settings) -> None:
    """Keep house until SIGTERM or SIGINT: end lost turns, delete what is kept no longer."""
    stop = asyncio.Event()

    def leave() -> None:
        if not stop.is_set():
            _end_within(settings)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, leave)
    async with running(settings, serving=False) as services:
        log.info("worker_ready", owner=services.runner.owner)
        await stop.wait()


def _end_within(settings: Settings) -> None:
    """End this process in time, whatever hangs; a thread, as the event loop may be what does."""

    def end() -> None:
        log.error("exit_forced")
        os._exit(1)

    last = threading.Timer(settings.shutdown_s + CLOSING_S, end)
    last.daemon = True
    last.start()


def _listen(host: str, port: int) -> socket.socket:
    """Bind before anything is started, so that a taken port is the first thing people hear."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            advice = "Another program uses this port: set PARLOUR_PORT to another one, or to 0."
        elif error.errno in {errno.EACCES, errno.EPERM}:
            advice = "Ports below 1024 are for root: set PARLOUR_PORT to another one."
        else:
            advice = "PARLOUR_HOST is no address of this machine: 127.0.0.1, or 0.0.0.0 for all."
        raise ConfigurationError(
            f"Cannot listen on {host}:{port} ({error.strerror}). {advice}"
        ) from None
    listening.listen(BACKLOG)
    listening.setblocking(False)
    return listening


def _greet(settings: Settings, services: Services, listening: socket.socket) -> None:
    host, port = listening.getsockname()[:2]
    shown = "localhost" if host in {"127.0.0.1", "::1"} else host
    lines = [f"Parlour is ready: http://{shown}:{port}", f"Model: {services.model.name}"]
    if services.access.local:
        lines.append(
            "No PARLOUR_SECRET is set: serving this machine only, as one local user without limits."
        )
    if settings.redis_url is None:
        lines.append("No PARLOUR_REDIS_URL is set: one process serves all readers.")
    print(*lines, sep="\n", file=sys.stderr, flush=True)  # noqa: T201
