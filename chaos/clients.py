"""People who talk through the storm: they send twice, lose their line, come back elsewhere, stop.

Each does what a good client does: the same key until it is acknowledged, the last event id when it
returns, another process when one does not answer. What they see goes into the evidence.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import aiohttp
import jwt

from chaos.provider import words_for
from chaos.seen import Attempt, Evidence, Message, Reader
from tests.house import shown

SECRET = "a secret of the storm, long enough for HS256"
FAILS = (aiohttp.ClientError, OSError, TimeoutError, UnicodeDecodeError)
SEND_S = 20.0  # keeps sending one message for so long
READ_S = 60.0  # keeps coming back for one turn for so long
STOP_S = 60.0  # keeps asking for its end for so long
Addresses = Callable[[], Sequence[str]]


def token(user: str, workspace: str) -> str:
    """As a host would mint it."""
    claims: dict[str, Any] = {
        "sub": user,
        "workspace": workspace,
        "aud": "parlour",
        "tier": "custom",
    }
    claims |= {"exp": int(time.time()) + 7200}
    return jwt.encode(claims, SECRET, algorithm="HS256")


class Client:
    """One person with one conversation."""

    def __init__(self, number: int, evidence: Evidence, addresses: Addresses) -> None:
        self.user = f"user{number}"
        self.workspace = f"ws{number % 3}"
        self._thread = f"s{evidence.seed}-c{number}"
        self._evidence = evidence
        self._addresses = addresses
        self._chance = random.Random(f"{evidence.seed}/{number}")
        self._headers = {
            "authorization": f"Bearer {token(self.user, self.workspace)}",
            **shown(),  # every client shows it before its first message
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=2, sock_read=20)
        self.http = aiohttp.ClientSession(
            timeout=timeout, headers=self._headers, connector=aiohttp.TCPConnector(limit=0)
        )

    async def talk(self, until: float) -> None:
        """Send messages, one after another, until the time is over."""
        number = 0
        while time.monotonic() < until:
            number += 1
            await self._message(number)
            await asyncio.sleep(self._chance.uniform(0, 0.3))

    async def close(self) -> None:
        """Let go of the connections."""
        await self.http.close()

    async def look(self, message: Message) -> None:
        """Ask the store, when all is over, how the message's answer stands."""
        turns = {attempt.turn for attempt in message.acked}
        url = f"{self._address()}/api/threads/{message.thread}/messages"
        before = ""
        while turns and message.stored is None:
            async with self.http.get(url, params={"before": before} if before else {}) as response:
                body = await response.json()
            for stored in body.get("messages", []):
                if stored["role"] == "assistant" and stored["turn"] in turns:
                    message.stored = stored
            before = body.get("next") or ""
            if not before:
                return

    def _address(self, process: int | None = None) -> str:
        addresses = self._addresses()
        return addresses[self._chance.randrange(len(addresses)) if process is None else process]

    async def _message(self, number: int) -> None:
        chance = self._chance
        key = f"{self._thread}-m{number}"
        stops = chance.random() < 0.2
        count = 200 if stops else chance.choice((3, 20, 60))
        message = Message(
            self.user,
            self._thread,
            key,
            f"[[chaos:{key} words={count}]]",
            words_for(key, count),
        )
        self._evidence.messages.append(message)
        copies = chance.choice((2, 3, 4)) if chance.random() < 0.4 else 1
        await asyncio.gather(*(self._send(message) for _ in range(copies)))
        if not message.acked:
            return
        turn = message.acked[0].turn
        readers = [Reader() for _ in range(chance.choice((1, 1, 2)))]
        message.readers += readers
        stopping = self._stop_later(message, turn) if stops else None
        work = [self._follow(message, turn, reader) for reader in readers]
        await asyncio.gather(*work, *([stopping] if stopping else []))

    async def _send(self, message: Message) -> None:
        """Until somebody acknowledges it, or refuses it for good."""
        until = time.monotonic() + SEND_S
        while time.monotonic() < until:
            process = self._chance.randrange(len(self._addresses()))
            attempt = Attempt(process)
            message.attempts.append(attempt)
            with contextlib.suppress(*FAILS):
                async with self.http.post(
                    f"{self._address(process)}/api/threads/{message.thread}/turns",
                    json={"text": message.text, "message_id": message.key},
                    headers={"accept": "application/json"},
                ) as response:
                    attempt.status = response.status
                    body: dict[str, Any] = await response.json(content_type=None)
                    attempt.turn = str(body.get("turn_id") or "")
                    attempt.code = str(body.get("code") or "")
            if attempt.turn or (400 <= attempt.status < 500 and attempt.status not in {409, 429}):
                return
            await asyncio.sleep(self._chance.uniform(0.05, 0.4))

    async def _stop_later(self, message: Message, turn: str) -> None:
        await asyncio.sleep(self._chance.uniform(0.05, 1.0))
        message.stop_asked_at = time.monotonic()
        while time.monotonic() < message.stop_asked_at + STOP_S:
            with contextlib.suppress(*FAILS):
                url = f"{self._address()}/api/threads/{message.thread}/turns/{turn}/stop"
                async with self.http.post(url) as response:
                    if response.status == 202:  # 503 `stop_pending`: stored, not confirmed
                        message.stop_acked_at = time.monotonic()
                        return
            await asyncio.sleep(0.2)

    async def _follow(self, message: Message, turn: str, reader: Reader) -> None:
        """Read to the terminal event, over as many connections as it takes."""
        until = time.monotonic() + READ_S
        while time.monotonic() < until:
            leave_after = self._chance.randrange(1, 40) if self._chance.random() < 0.4 else None
            with contextlib.suppress(*FAILS):
                if await self._read(message, turn, reader, leave_after):
                    return
            await asyncio.sleep(self._chance.uniform(0.02, 0.3))
        reader.gave_up = "no terminal event"

    async def _read(
        self, message: Message, turn: str, reader: Reader, leave_after: int | None
    ) -> bool:
        """One connection; True when the terminal event was seen, and nothing after it.

        It may have been seen on a line that broke right after it: what is left then is nothing.
        """
        headers = {"last-event-id": reader.last_id} if reader.last_id else {}
        url = f"{self._address()}/api/threads/{message.thread}/turns/{turn}/events"
        seen: set[int] = set()
        ended = any(b'"type":"finalize"' in data for data in reader.events.values())
        async with self.http.get(url, headers=headers) as response:
            if response.status != 200:
                return False
            async for name, event_id, data in _frames(response.content):
                if name == "reset":
                    reader.last_id = ""
                    reader.events.clear()
                    reader.order.clear()
                    seen.clear()
                    ended = False
                    reader.resets += 1
                    continue
                if not event_id:
                    continue
                reader.last_id, number = event_id, int(event_id.rpartition(":")[2])
                if number in seen:
                    reader.repeats.append(number)
                seen.add(number)
                if reader.events.setdefault(number, data) != data:
                    reader.conflicts.append(number)
                reader.order.append(number)
                if b'"type":"finalize"' in data:
                    ended = True  # reads on: nothing may follow
                if leave_after is not None and len(seen) >= leave_after and not ended:
                    return False
        return ended


async def _frames(stream: aiohttp.StreamReader) -> AsyncIterator[tuple[str, str, bytes]]:
    """Event name, id and data of each frame."""
    name, event_id, data = "", "", b""
    async for raw in stream:
        line = raw.rstrip(b"\r\n")
        if not line:
            if data or name:
                yield name, event_id, data
            name, event_id, data = "", "", b""
        elif line.startswith(b"event: "):
            name = line[7:].decode()
        elif line.startswith(b"id: "):
            event_id = line[4:].decode()
        elif line.startswith(b"data: "):
            data = line[6:]
