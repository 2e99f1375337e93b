"""What a turn that ends waiting asks people: signed, bounded in time, stored before it is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any

from parlour.agent.gate import Note
from parlour.chat.running import Running
from parlour.chat.seals import Signer
from parlour.events.types import Approval
from parlour.policy import Policies
from parlour.store.approvals import Approvals, Asked


@dataclass(frozen=True, slots=True)
class Questions:
    """The questions of one turn: as rows for the store, and as events for people."""

    asked: Asked
    events: tuple[Approval, ...]


class QuestionBook:
    """Writes questions. One for the process."""

    def __init__(self, *, store: Approvals, signer: Signer, policies: Policies) -> None:
        self._store = store
        self._signer = signer
        self._policies = policies

    async def put(self, running: Running, notes: Sequence[Note]) -> Questions:
        """The questions for the calls that wait, as the gate noted them. Raises
        `StoreUnavailable`."""
        principal = running.principal
        seconds = self._policies.of(principal.workspace).approvals.expires_s
        until = await self._store.now() + timedelta(seconds=seconds)
        expires_at = until.astimezone(UTC).isoformat(timespec="milliseconds")
        rows = [self._row(running, note, place, expires_at) for place, note in enumerate(notes)]
        events = tuple(
            Approval(
                approval_id=row["id"],
                call_id=row["call_id"],
                name=row["name"],
                title=row["title"],
                arguments=row["arguments"],
                acts_as=row["acts_as"],
                undoable=row["undoable"],
                expires_at=row["expires_at"],
                server=row["server"],
                tool=row["tool"],
                reason=row["reason"],
            )
            for row in rows
        )
        return Questions(Asked(rows, principal, running.ask.surface), events)

    def _row(self, running: Running, note: Note, place: int, expires_at: str) -> dict[str, Any]:
        same = {name: value for name, value in note.items() if name not in {"request"}}
        row = {**same, "id": same.pop("approval_id"), "turn": running.turn}
        row.pop("approval_id")
        signature = self._signer.sign(row).hex()
        return {**row, "position": place, "expires_at": expires_at, "signature": signature}
