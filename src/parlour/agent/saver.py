"""A LangGraph checkpointer of one turn: keeps the latest completed round and nothing else.

The conversation lives in the messages table; a checkpoint only serves to go on after a crash. So a
turn without tools writes none at all, a turn with tools writes one row per round, and the row goes
away with the turn. LangGraph's own Postgres saver keeps every step and its parts, holds a lock
over the pool, and has to be cleaned up after (docs/adr/0006-langgraph-behind-one-door.md).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)

Save = Callable[[bytes], Awaitable[None]]
Load = Callable[[], Awaitable[bytes | None]]


class TurnSaver(BaseCheckpointSaver[Any]):
    """The saver of one run: `save` and `load` are given by the owner of the turn."""

    def __init__(self, *, save: Save, load: Load | None = None) -> None:
        super().__init__()
        self._save = save
        self._load = load

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """The last completed round, when this turn goes on after a crash."""
        data = await self._load() if self._load else None
        if data is None:
            return None
        checkpoint, metadata = self._unpack(data)
        return CheckpointTuple(config=config, checkpoint=checkpoint, metadata=metadata)

    def state(self, data: bytes) -> Any:  # Any: the graph's own State
        """The graph's state in a kept checkpoint, for another run to begin with."""
        return dict(self._unpack(data)[0]["channel_values"])

    def _unpack(self, data: bytes) -> Any:
        kind, _, body = data.partition(b"\n")
        return self.serde.loads_typed((kind.decode(), body))

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Keep the checkpoint if a round of tools has just been completed, or waits for people."""
        del new_versions
        values = checkpoint["channel_values"]
        messages: list[Any] = values.get("messages") or []
        if values.get("pending") or (messages and messages[-1]["role"] == "tool"):
            kind, body = self.serde.dumps_typed((checkpoint, metadata))
            await self._save(kind.encode() + b"\n" + body)
        return config

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Half a round is not kept: it starts over, and says so."""

    def alist(self, config: RunnableConfig | None, **_: Any) -> AsyncIterator[CheckpointTuple]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """There is no history."""
        return _nothing()


async def _nothing() -> AsyncIterator[CheckpointTuple]:
    for never in ():
        yield never


def state_in(data: bytes) -> dict[str, Any]:
    """The graph's state in a kept checkpoint."""

    async def nowhere(_: bytes) -> None:
        """It is only read."""

    return TurnSaver(save=nowhere).state(data)
