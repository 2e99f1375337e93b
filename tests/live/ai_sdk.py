"""The npm package `ai` as a client: a Node process with chats, driven from Python.

`packages(version)` finds an installed `ai`: 7 is the page's own (ui/node_modules), 6 is installed
from its lock beside the driver. Both come with the hashes of a lock file.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import node

from tests.house import WAIT_S, shown

CLIENTS = Path(__file__).parent / "clients"


def packages(version: int) -> Path:
    """The folder whose node_modules hold that version of `ai`; installs it when it is missing."""
    if version == 7:
        folder = node.UI / "app"
        installed = node.UI / "node_modules" / "ai"
        if not installed.is_dir():
            node.install_packages()
        return folder
    folder = CLIENTS / "ai6"
    if not (folder / "node_modules" / "ai").is_dir():
        arguments = ("ci", "--prefix", str(folder), "--no-audit", "--no-fund")
        assert node.npm(*arguments, quiet=True) == 0
    return folder


class Chats:
    """Chats in one Node process; every call is bounded."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self._process = process
        self._url = url

    async def open(self, chat: str, thread: str, *, url: str = "", modern: bool = True) -> None:
        """A chat on a thread; two chats may share one, as two tabs do."""
        headers = shown() | ({"x-parlour-client": "ai-sdk/7"} if modern else {})
        api = f"{url or self._url}/api/chat"
        await self("open", chat, id=thread, api=api, headers=headers)

    async def __call__(self, do: str, chat: str = "", **more: Any) -> Any:
        """One command of chats.mjs, and its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        command = {"do": do, "chat": chat, **more}
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        line = await asyncio.wait_for(self._process.stdout.readline(), WAIT_S)
        assert line, "the Node process is gone; its words stand above"
        return json.loads(line)

    async def say(self, chat: str, text: str, *, do: str = "send", **more: Any) -> dict[str, Any]:
        """Send (or edit), and wait for the end of the answer."""
        await self(do, chat, text=text, **more)
        return await self("settled", chat)


@contextlib.asynccontextmanager
async def chats(url: str, version: int = 7) -> AsyncIterator[Chats]:
    """A Node process with `ai` of that major version, talking to the Parlour at `url`."""
    process = await asyncio.create_subprocess_exec(
        str(node.node_folder() / "node"),
        "--import",
        (CLIENTS / "packages.mjs").as_uri(),
        str(CLIENTS / "chats.mjs"),
        env={**os.environ, "PACKAGES": str(packages(version)), "NO_PROXY": "*"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=16_000_000,
    )
    try:
        yield Chats(process, url)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), WAIT_S)
        except TimeoutError:
            process.kill()
            await process.wait()


def answer_of(view: dict[str, Any]) -> dict[str, Any]:
    """The last message of a chat, which has to be the assistant's."""
    message = view["messages"][-1]
    assert message["role"] == "assistant", view
    return message


def parts_of(message: dict[str, Any], *kinds: str) -> list[dict[str, Any]]:
    """The parts of some kinds, in order."""
    return [part for part in message["parts"] if part["type"] in kinds]


def text_of(message: dict[str, Any]) -> str:
    """All that a message says as its answer."""
    return "".join(part["text"] for part in parts_of(message, "text"))
