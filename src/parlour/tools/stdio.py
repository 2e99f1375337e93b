"""An MCP server as a child process, spoken to over its stdin and stdout.

Instead of the SDK's transport, for three reasons: that one joins a long line anew with every piece
(20 MB took 6 s of CPU), has no bound on a line, and does not tell when the server is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage
from mcp.types import INTERNAL_ERROR, ErrorData, JSONRPCError, jsonrpc_message_adapter

PIECE_BYTES = 262_144  # One read; a pipe of Linux holds 64 KB to 1 MB.
LEAVE_S = 2.0  # After its stdin closed, as the specification asks.
TERM_S = 1.0  # After SIGTERM; then it is killed.
STDERR_LINE_MAX = 300
_ID_NEAR = 400  # Bytes at either end of a line that is too long, where its id is looked for.

Incoming = SessionMessage | Exception
Streams = tuple[MemoryObjectReceiveStream[Incoming], MemoryObjectSendStream[SessionMessage]]


@asynccontextmanager
async def stdio_transport(
    command: str,
    args: tuple[str, ...],
    env: Mapping[str, str],
    *,
    line_bytes_max: int,
    said: deque[str],
    on_end: Callable[[], None],
) -> AsyncGenerator[Streams]:
    """Start the server in a process group of its own; the group is gone when the block ends.

    The last lines of its stderr go to `said`. `on_end` is called when its stdout ends. An answer
    longer than `line_bytes_max` becomes an error. Raises OSError when it cannot be started.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            command,
            *args,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=get_default_environment() | dict(env),
            start_new_session=True,
            limit=PIECE_BYTES,
        )
    except FileNotFoundError as error:  # uvloop does not say which
        raise FileNotFoundError(error.errno, error.strerror, command) from None
    incoming, read = anyio.create_memory_object_stream[Incoming](0)
    write, outgoing = anyio.create_memory_object_stream[SessionMessage](0)
    tasks = [
        asyncio.create_task(_read(process, incoming, line_bytes_max, on_end)),
        asyncio.create_task(_write(process, outgoing)),
        asyncio.create_task(_drain(process, said)),
    ]
    try:
        yield read, write
    finally:
        # The SDK cancels its owner when a connection fails, so the end is shielded; each wait in
        # it has a limit.
        with anyio.CancelScope(shield=True):
            await _end(process)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for stream in (incoming, read, write, outgoing):
                stream.close()


async def _read(
    process: asyncio.subprocess.Process,
    incoming: MemoryObjectSendStream[Incoming],
    line_bytes_max: int,
    on_end: Callable[[], None],
) -> None:
    stdout = process.stdout
    assert stdout is not None  # noqa: S101 - it was started with a pipe
    pieces: list[bytes] = []
    size = 0
    try:
        while piece := await stdout.read(PIECE_BYTES):
            *ended, rest = piece.split(b"\n")
            for line in ended:
                whole = b"".join((*pieces, line)) if pieces else line
                too_long = size + len(line) > line_bytes_max
                pieces, size = [], 0
                if whole.strip():
                    await incoming.send(_too_long(whole) if too_long else _parsed(whole))
            if rest:
                size += len(rest)
                pieces.append(rest)
                if size > line_bytes_max:  # keep both ends: the id is in one of them
                    joined = b"".join(pieces)
                    pieces = [joined[:_ID_NEAR], joined[-_ID_NEAR:]]
    except (anyio.ClosedResourceError, anyio.BrokenResourceError, ConnectionError):
        pass  # the session is gone
    finally:
        on_end()
        incoming.close()


def _parsed(line: bytes) -> Incoming:
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as error:
        return error


def _too_long(line: bytes) -> Incoming:
    """An error in place of the answer; without an id nobody can be told, and its call times out."""
    found = re.search(rb'"id"\s*:\s*(\d+)', line[:_ID_NEAR]) or re.search(
        rb'"id"\s*:\s*(\d+)\s*[,}]', line[-_ID_NEAR:]
    )
    if found is None:
        return ValueError("a line is too long")
    error = ErrorData(code=INTERNAL_ERROR, message="the answer is too large")
    return SessionMessage(JSONRPCError(jsonrpc="2.0", id=int(found[1]), error=error))


async def _write(
    process: asyncio.subprocess.Process, outgoing: MemoryObjectReceiveStream[SessionMessage]
) -> None:
    stdin = process.stdin
    assert stdin is not None  # noqa: S101 - it was started with a pipe
    with contextlib.suppress(anyio.ClosedResourceError, ConnectionError, RuntimeError):
        async for message in outgoing:
            line = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            stdin.write(line.encode() + b"\n")
            await stdin.drain()


async def _drain(process: asyncio.subprocess.Process, said: deque[str]) -> None:
    """Read stderr to its end, so that the server never waits for us; keeps the last lines."""
    stderr = process.stderr
    assert stderr is not None  # noqa: S101 - it was started with a pipe
    while piece := await stderr.read(PIECE_BYTES):
        lines = piece.decode("utf-8", "replace").splitlines()
        said.extend(line.strip()[:STDERR_LINE_MAX] for line in lines if line.strip())


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask it to leave, then make it leave, with everything it started."""
    if process.stdin is not None:
        process.stdin.close()
    if not await _gone(process, LEAVE_S):
        _signal(process, signal.SIGTERM)
        if not await _gone(process, TERM_S):
            _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
            await _gone(process, TERM_S)
    else:
        _signal(process, signal.SIGTERM)  # what it started may live on in its group
    # A grandchild may hold the pipes open; they must not keep our end.
    transport = getattr(process, "_transport", None)
    if transport is not None:
        with contextlib.suppress(PermissionError):
            transport.close()


async def _gone(process: asyncio.subprocess.Process, seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), seconds)
    return process.returncode is not None


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.send_signal(number)
        else:
            os.killpg(process.pid, number)
