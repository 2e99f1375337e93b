"""The masks of conversations at rest: each value sealed to its owner, conversation and name."""

from __future__ import annotations

from collections.abc import Sequence

from parlour.domain import Principal, ThreadId
from parlour.safety.personal.masks import Masked, Masks
from parlour.safety.personal.vault import Sealer
from parlour.store.masked import MaskedValues, SealedValue


class SealedMasks:
    """Seals and opens. One for the process."""

    def __init__(self, store: MaskedValues, sealer: Sealer) -> None:
        self._store = store
        self._sealer = sealer

    def fresh(
        self, principal: Principal, thread: ThreadId, masks: Masks
    ) -> tuple[SealedValue, ...]:
        """What was named since the last time, to be stored."""
        return self.sealed(principal, thread, masks.take_fresh())

    def sealed(
        self, principal: Principal, thread: ThreadId, entries: Sequence[Masked]
    ) -> tuple[SealedValue, ...]:
        """These values, to be stored."""

        def sealed(entry: Masked) -> SealedValue:
            place = _place(principal, thread, entry.placeholder)
            return SealedValue(
                thread,
                entry.placeholder,
                self._sealer.seal(entry.value, place),
                self._sealer.digest(entry.value, place),
            )

        return tuple(map(sealed, entries))

    async def add(self, values: Sequence[SealedValue]) -> None:
        """Store values of a conversation that exists. Raises `StoreUnavailable`."""
        if values:
            await self._store.add(values)

    async def of(self, principal: Principal, threads: Sequence[ThreadId]) -> dict[ThreadId, Masks]:
        """The masks of those of the user's conversations that have any."""
        known: dict[ThreadId, dict[str, str | None]] = {}
        for row in await self._store.of(principal, threads):
            place = _place(principal, row.thread, row.placeholder)
            value = self._sealer.open(bytes(row.sealed), place)
            known.setdefault(row.thread, {})[row.placeholder] = value
        return {
            thread: Masks({n: v for n, v in values.items() if v is not None}, values, whole=True)
            for thread, values in known.items()
        }


def _place(principal: Principal, thread: ThreadId, placeholder: str) -> str:
    return "\0".join((principal.workspace, principal.user, thread, placeholder))
