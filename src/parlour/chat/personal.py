"""Looks for personal data as a workspace wants it: with the patterns, and with Presidio where it is
on. What takes long is done in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from parlour.errors import PersonalData
from parlour.policy_safety import PrivacyPolicy
from parlour.safety.personal.find import Finder, Found, find
from parlour.safety.personal.masks import Masks

NAMES = {
    "email": "an e-mail address",
    "iban": "a bank account number",
    "card": "a card number",
    "national_id": "an identity number",
    "ip": "an IP address",
    "phone": "a telephone number",
    "person": "a name",
    "place": "a place",
}
INLINE_CHARS_MAX = 8_000  # what is longer is searched in a thread: a millisecond on the loop

Kinds = tuple[str, ...]


class Search:
    """One for the process."""

    def __init__(self, finder: Finder | None) -> None:
        self._finder = finder

    async def text(self, policy: PrivacyPolicy, text: str, kinds: Kinds) -> list[Found]:
        """What is found in a text."""
        if policy.presidio or len(text) > INLINE_CHARS_MAX:
            return await asyncio.to_thread(self._find, policy, text, kinds)
        return find(text, kinds)

    async def all(self, policy: PrivacyPolicy, value: Any, kinds: Kinds) -> list[Found]:
        """What is found in a JSON value; where it stands is not told."""
        hits: list[Found] = []

        def finds(text: str) -> list[Found]:
            found = self._find(policy, text, kinds)
            hits.extend(found)
            return found

        await _run(policy, lambda: Masks().replaced_all(value, finds))
        return hits

    async def hidden(self, policy: PrivacyPolicy, masks: Masks, value: Any, kinds: Kinds) -> Any:
        """A JSON value without what is found in it."""
        return await _run(
            policy, lambda: masks.replaced_all(value, lambda t: self._find(policy, t, kinds))
        )

    def _find(self, policy: PrivacyPolicy, text: str, kinds: Kinds) -> list[Found]:
        more = self._finder.find(text) if policy.presidio and self._finder and text else ()
        return find(text, kinds, more)


async def _run(policy: PrivacyPolicy, work: Callable[[], Any]) -> Any:
    """In a thread, when it takes longer than patterns do."""
    return await asyncio.to_thread(work) if policy.presidio else work()


def refused(blocked: Iterable[Found]) -> PersonalData:
    """What somebody is told whose message has data in it that must not come in."""
    what = " and ".join(sorted({NAMES[hit.kind] for hit in blocked}))
    return PersonalData(
        f"Your message has {what} in it, which is not to be sent here. "
        "Nothing was kept. Take it out and send the message again."
    )
