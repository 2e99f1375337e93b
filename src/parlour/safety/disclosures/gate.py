"""The gate before every turn: nobody is answered before they were shown what they have to be shown.

A receipt is for an edition, so another rule, version or word asks anew; so does the interval of
active time. Receipts that were good a moment ago are remembered, so that a turn costs no query.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from parlour.domain import Principal
from parlour.errors import DisclosureRequired
from parlour.safety.disclosures.engine import Disclosure, Disclosures, Now, utc_now
from parlour.store.receipts import Receipt, Receipts

REMEMBERED_MAX = 20_000  # people and surfaces; half a kilobyte each
REMEMBERED_FOR = timedelta(minutes=5)  # another process may know better, or the person was erased
PAUSE_S = 30 * 60.0  # the most that a pause counts as active time: people read, and come back

Reason = Literal["first", "changed", "again"]
SENTENCES: dict[Reason, str] = {
    "first": "Before the first message people have to be shown what `disclosure` says. Show it, "
    "then send the message again with its `edition` as `disclosure_receipt`.",
    "changed": "What people are told has changed. Show them what `disclosure` says, then send the "
    "message again with its `edition` as `disclosure_receipt`.",
    "again": "It is time to remind people. Show them what `disclosure` says, then send the message "
    "again with its `edition` as `disclosure_receipt`.",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person has to be told now, and whether they have been. `reason` is why not."""

    disclosure: Disclosure
    receipt: Receipt | None
    reason: Reason | None


@dataclass(slots=True)
class _Seen:
    receipt: Receipt
    read_at: datetime
    active_s: float
    last_at: datetime

    def active_by(self, now: datetime) -> float:
        pause_s = (now - self.last_at).total_seconds()
        return self.active_s + min(max(pause_s, 0.0), PAUSE_S)


_Key = tuple[str, str, str]


class Gate:
    """Knows who was shown what. One for the process."""

    def __init__(
        self,
        *,
        disclosures: Disclosures,
        receipts: Receipts,
        clock: Now = utc_now,
        remembered_max: int = REMEMBERED_MAX,
    ) -> None:
        self.disclosures = disclosures
        self._remembered_max = remembered_max
        self._receipts = receipts
        self._clock = clock
        self._seen: OrderedDict[_Key, _Seen] = OrderedDict()

    async def pass_on(
        self, principal: Principal, surface: str, shown: str, *, session: str = ""
    ) -> Disclosure:
        """What the person is told, once it is certain that they were; a turn may begin.

        `shown` is the edition that the client says it has just shown, or empty. Raises
        `DisclosureRequired`, `StoreUnavailable`.
        """
        needed = self.disclosures.of(principal, surface)
        key, now = _key(principal, surface), self._clock()
        seen = self._seen.get(key)
        if seen is None or now - seen.read_at > REMEMBERED_FOR or _missing(seen, needed, now):
            seen = await self._read(principal, surface, needed, now)
            reason = _missing(seen, needed, now)
            if reason is not None:
                if shown != needed.edition:
                    raise DisclosureRequired(SENTENCES[reason], told(needed, reason))
                seen = await self._keep(principal, surface, needed, session)
        assert seen is not None  # noqa: S101  # somebody who was shown nothing has not come here
        seen.active_s, seen.last_at = seen.active_by(now), max(now, seen.last_at)
        self._remember(key, seen)
        return needed

    async def standing(self, principal: Principal, surface: str) -> Standing:
        """Where a person stands, as the database has it. Raises `StoreUnavailable`."""
        needed, now = self.disclosures.of(principal, surface), self._clock()
        seen = await self._read(principal, surface, needed, now)
        return Standing(needed, seen.receipt if seen else None, _missing(seen, needed, now))

    async def acknowledge(
        self, principal: Principal, surface: str, shown: str, *, session: str = ""
    ) -> Receipt:
        """The receipt for an edition that was shown; the one there is, while it is good.

        Raises `DisclosureRequired` when `shown` is not what has to be shown now.
        """
        standing = await self.standing(principal, surface)
        if shown != standing.disclosure.edition:
            reason = standing.reason or "changed"
            raise DisclosureRequired(SENTENCES[reason], told(standing.disclosure, reason))
        if standing.receipt is not None and standing.reason is None:
            return standing.receipt
        seen = await self._keep(principal, surface, standing.disclosure, session)
        self._remember(_key(principal, surface), seen)
        return seen.receipt

    async def _read(
        self, principal: Principal, surface: str, needed: Disclosure, now: datetime
    ) -> _Seen | None:
        receipt = await self._receipts.last(principal, surface)
        if receipt is None:
            return None
        seen = _Seen(receipt, now, 0.0, receipt.at)
        if needed.interval_s is not None:
            activity = await self._receipts.activity(principal, receipt.at, PAUSE_S)
            seen.active_s = activity.active_s
            seen.last_at = activity.last_at or receipt.at
        return seen

    async def _keep(
        self, principal: Principal, surface: str, needed: Disclosure, session: str
    ) -> _Seen:
        now = self._clock()
        receipt = Receipt(f"r_{secrets.token_hex(10)}", surface, needed.edition, now)
        body = {
            "receipt": receipt.id,
            "surface": surface,
            "session": session,
            "edition": needed.edition,
            "locale": needed.locale,
            "place": needed.place or "unknown",
            "shown": [
                {
                    "text": line.text,
                    "text_sha256": line.text_sha256,
                    "lang": line.lang,
                    "rules": [list(rule) for rule in line.rules],
                    "placement": list(line.placement),
                }
                for line in needed.lines
            ],
        }
        await self._receipts.keep(principal, receipt, body)
        return _Seen(receipt, now, 0.0, now)

    def _remember(self, key: _Key, seen: _Seen) -> None:
        self._seen[key] = seen
        self._seen.move_to_end(key)
        if len(self._seen) > self._remembered_max:
            self._seen.popitem(last=False)


def told(disclosure: Disclosure, reason: Reason | None) -> dict[str, Any]:
    """What has to be shown, as JSON; `reason` is why now, None = it need not be shown again."""
    return {
        "edition": disclosure.edition,
        "reason": reason,
        "locale": disclosure.locale,
        "text": disclosure.text,
        "lines": [
            {
                "text": line.text,
                "lang": line.lang,
                "placement": list(line.placement),
                "rules": [{"id": rule, "version": version} for rule, version in line.rules],
            }
            for line in disclosure.lines
        ],
    }


def _missing(seen: _Seen | None, needed: Disclosure, now: datetime) -> Reason | None:
    if seen is None:
        return "first"
    if seen.receipt.edition != needed.edition:
        return "changed"
    if needed.interval_s is not None and seen.active_by(now) >= needed.interval_s:
        return "again"
    return None


def _key(principal: Principal, surface: str) -> _Key:
    return principal.workspace, principal.user, surface
