"""Model servers that already run on this machine, for `parlour doctor` to offer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
import msgspec

LOOK_S = 0.3  # on loopback an answer takes milliseconds; a closed port answers at once
MODELS_SHOWN_MAX = 50
_ANSWER_BYTES_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a kind of server listens unless told otherwise."""

    kind: str
    port: int


PLACES = (Place("Ollama", 11_434), Place("LM Studio", 1_234), Place("llama-server", 8_080))


@dataclass(frozen=True, slots=True)
class FoundServer:
    """A server that answered, and the models it offers."""

    kind: str
    base_url: str
    models: tuple[str, ...]

    def lines(self) -> list[str]:
        """What to type to use each of its models, one line a model."""
        return [
            f"OPENAI_BASE_URL={self.base_url} PARLOUR_MODEL=openai:{model} parlour serve"
            for model in self.models
        ]


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


async def find_servers(
    places: Sequence[Place] = PLACES, *, look_s: float = LOOK_S
) -> list[FoundServer]:
    """Look at all places at once; returns those that list models. Never raises for a place."""
    timeout = aiohttp.ClientTimeout(total=look_s)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        found = await asyncio.gather(*(_look(http, place) for place in places))
    return [server for server in found if server is not None]


async def _look(http: aiohttp.ClientSession, place: Place) -> FoundServer | None:
    base_url = f"http://127.0.0.1:{place.port}/v1"
    try:
        async with http.get(f"{base_url}/models", allow_redirects=False) as response:
            if response.status != 200:
                return None
            body = await response.content.read(_ANSWER_BYTES_MAX)
        listed = msgspec.json.decode(body, type=_Models)
    except (aiohttp.ClientError, OSError, TimeoutError, msgspec.MsgspecError, ValueError):
        return None  # nothing there, or something else
    models = tuple(model.id for model in listed.data[:MODELS_SHOWN_MAX])
    return FoundServer(place.kind, base_url, models) if models else None
