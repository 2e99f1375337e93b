"""A whole Parlour for tests: built by `build`, served by uvicorn, nothing patched."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import uvicorn

from parlour.api.access import LOCAL
from parlour.api.direct import DirectProtocol
from parlour.app import running
from parlour.events import types as ev
from parlour.policy import Policies
from parlour.safety.disclosures.engine import Disclosures, Now, utc_now
from parlour.safety.disclosures.rules import read_rules
from parlour.services import Services
from parlour.settings import Settings
from parlour.web import create_app

WAIT_S = 10  # the bound of every wait in a test


def shown() -> dict[str, str]:
    """The header of a client that has shown what has to be shown where nothing is configured."""
    told = Disclosures(read_rules(), Policies()).of(LOCAL, "api")
    return {"x-parlour-disclosure": told.edition}


@dataclass(frozen=True, slots=True)
class Frame:
    """One server-sent event as a client sees it."""

    id: str
    event: str
    data: str

    @property
    def seq(self) -> int:
        """The number in the id."""
        return int(self.id.rpartition(":")[2])

    @property
    def body(self) -> Any:
        """The data, decoded."""
        return json.loads(self.data)


def parse_frames(text: str) -> list[Frame]:
    """All frames of a stream; comments are left out."""
    frames: list[Frame] = []
    for block in text.split("\n\n"):
        fields: dict[str, str] = {}
        for line in block.splitlines():
            name, _, value = line.partition(": ")
            if name:
                fields[name] = value
        if "data" in fields:
            frames.append(Frame(fields.get("id", ""), fields.get("event", ""), fields["data"]))
    return frames


@dataclass(slots=True)
class Caller:
    """A client of a running Parlour, wherever it runs."""

    url: str
    http: aiohttp.ClientSession

    async def ask(self, thread: str, text: str, **more: Any) -> list[Frame]:
        """Send a message and read its stream to the end."""
        async with self.start(thread, text, **more) as response:
            assert response.status == 200, await response.text()
            return parse_frames(await response.text())

    def start(
        self, thread: str, text: str, headers: dict[str, str] | None = None, **more: Any
    ) -> contextlib.AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Send a message; the stream is the caller's to read."""
        body = {"text": text, **more}
        return self.http.post(
            f"{self.url}/api/threads/{thread}/turns", json=body, headers=headers or {}
        )

    async def begin(self, thread: str, text: str, **more: Any) -> dict[str, Any]:
        """Send a message without reading: what the server says of the turn."""
        async with self.start(thread, text, {"accept": "application/json"}, **more) as response:
            assert response.status == 202, await response.text()
            return await response.json()

    async def read(self, thread: str, turn: str, after: str = "") -> list[Frame]:
        """Read a turn to its end, after an event id if one is given."""
        headers = {"last-event-id": after} if after else {}
        url = f"{self.url}/api/threads/{thread}/turns/{turn}/events"
        async with self.http.get(url, headers=headers) as response:
            assert response.status == 200, await response.text()
            return parse_frames(await response.text())

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        """GET some JSON."""
        async with self.http.get(self.url + path, headers=headers) as response:
            return response.status, await _json(response)

    async def post(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """POST some JSON."""
        async with self.http.post(self.url + path, json=body, headers=headers) as response:
            return response.status, await _json(response)


@dataclass(slots=True)
class House(Caller):
    """A Parlour that runs in this process, and a client for it."""

    services: Services

    async def offers(self, tool: str) -> None:
        """Wait until a tool server, which may be slow to start, offers the local user a tool."""
        toolbox = self.services.toolbox
        async with asyncio.timeout(WAIT_S):
            while await toolbox.find(LOCAL, tool) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # a late listing sets no event of ours

    async def ended(self, turn: str) -> None:
        """Wait until a turn of this process is over."""
        running_turn = self.services.runner.running.get(turn)  # type: ignore[call-overload]
        if running_turn is not None and running_turn.task is not None:
            await asyncio.wait_for(asyncio.shield(running_turn.task), WAIT_S)


async def _json(response: aiohttp.ClientResponse) -> Any:
    text = await response.text()
    return json.loads(text) if text else None


def events_of(frames: list[Frame]) -> list[ev.Event]:
    """The events in native frames."""
    return [ev.decode(frame.data.encode()) for frame in frames]


def said(frames: list[Frame]) -> str:
    """The text of the answer."""
    return "".join(e.text for e in events_of(frames) if isinstance(e, ev.Token))


def final(frames: list[Frame]) -> ev.Finalize:
    """The terminal event: exactly one, and the last."""
    events = events_of(frames)
    assert [isinstance(e, ev.Finalize) for e in events].count(True) == 1
    last = events[-1]
    assert isinstance(last, ev.Finalize)
    return last


@contextlib.asynccontextmanager
async def house(
    settings: Settings, *, direct: bool = True, clock: Now = utc_now, **headers: str
) -> AsyncIterator[House]:
    """Serve `settings` on a free loopback port; `direct` as our own server does, else as others."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(512)
    async with running(settings, clock=clock) as services:
        config = uvicorn.Config(
            create_app(services),
            http=DirectProtocol if direct else "httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=2,
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        timeout = aiohttp.ClientTimeout(total=60)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(
            timeout=timeout, connector=connector, headers={**shown(), **headers}
        ) as http:
            try:
                yield House(url, http, services)
            finally:
                await services.leave()
                server.should_exit = True
                await asyncio.wait_for(serving, WAIT_S)
