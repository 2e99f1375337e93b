"""Makes event streams for the faces: one reading, the face's encoder, the shared watch."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from parlour.api.owner import OwnersEncoder
from parlour.api.sse import Encoder, EventStream, StreamWatch
from parlour.chat.privacy import Privacy
from parlour.chat.reading import START, Position, Reading, Readings
from parlour.domain import Principal, ThreadId, TurnId


class Streams:
    """One for the process."""

    def __init__(self, *, readings: Readings, watch: StreamWatch, privacy: Privacy) -> None:
        self.readings = readings
        self.privacy = privacy
        self._watch = watch

    async def open(
        self,
        principal: Principal,
        thread: ThreadId,
        turn: TurnId,
        encoder: Encoder,
        *,
        after: Position = START,
        headers: Mapping[str, str] | None = None,
        on_gone: Callable[[], Awaitable[None]] | None = None,
    ) -> EventStream:
        """The response that streams `turn` from after event `after`. Raises `TurnNotFound`."""
        reading = await self.readings.open(principal, thread, turn, after)
        return await self._respond(principal, thread, reading, encoder, headers, on_gone)

    async def open_started(
        self,
        principal: Principal,
        thread: ThreadId,
        turn: TurnId,
        encoder: Encoder,
        *,
        headers: Mapping[str, str] | None = None,
        on_gone: Callable[[], Awaitable[None]] | None = None,
    ) -> EventStream:
        """As `open`, for a turn that was started or joined a moment ago: spares the look-up."""
        reading = await self.readings.open_started(turn)
        if reading is None:
            return await self.open(
                principal, thread, turn, encoder, headers=headers, on_gone=on_gone
            )
        return await self._respond(principal, thread, reading, encoder, headers, on_gone)

    async def _respond(
        self,
        principal: Principal,
        thread: ThreadId,
        reading: Reading,
        encoder: Encoder,
        headers: Mapping[str, str] | None,
        on_gone: Callable[[], Awaitable[None]] | None,
    ) -> EventStream:
        async def overtaken(reading: Reading) -> Reading | None:
            return await self.readings.overtaken(principal, thread, reading)

        turn = reading.cursor.log
        masks = await self.privacy.of_reader(principal, thread, TurnId(turn.turn), turn.payloads)
        if masks is not None:
            encoder = OwnersEncoder(encoder, masks, self.privacy.trusted_servers(principal))
        return EventStream(
            reading,
            encoder,
            watch=self._watch,
            overtaken=overtaken,
            headers=headers,
            on_gone=on_gone,
        )
