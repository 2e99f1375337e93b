"""Conversations as their owner sees them: what is masked in the store is clear here.

Everything else is the store's (store/threads.py); a new name is masked on its way in.
"""

from __future__ import annotations

from parlour.chat.privacy import Privacy
from parlour.domain import Message, MessageId, Principal, Thread, ThreadId
from parlour.store.threads import Threads


class Conversations:
    """The user's conversations. Every method raises what the store's raises."""

    def __init__(self, *, threads: Threads, privacy: Privacy) -> None:
        self._threads = threads
        self._privacy = privacy
        self.delete = threads.delete
        self.select_version = threads.select_version

    async def page(
        self, principal: Principal, *, limit: int, before: str | None = None
    ) -> tuple[list[Thread], str | None]:
        """A page of the user's threads, last used first, and the cursor of the next page."""
        page, cursor = await self._threads.list_threads(principal, limit=limit, before=before)
        return await self._privacy.titles(principal, page), cursor

    async def create(self, principal: Principal, thread: ThreadId, title: str = "") -> Thread:
        """A new, empty thread; the thread itself when the user has it already."""
        masked, values = await self._privacy.title(principal, thread, title)
        made = await self._threads.create(principal, thread, masked)
        await self._privacy.add(values)
        return await self._shown(principal, made)

    async def get(self, principal: Principal, thread: ThreadId) -> Thread:
        """One thread."""
        return await self._shown(principal, await self._threads.get_thread(principal, thread))

    async def rename(self, principal: Principal, thread: ThreadId, title: str) -> Thread:
        """Give a thread another title."""
        await self._threads.get_thread(principal, thread)  # the user's, before values are kept
        masked, values = await self._privacy.title(principal, thread, title)
        await self._privacy.add(values)
        return await self._shown(principal, await self._threads.rename(principal, thread, masked))

    async def messages(
        self,
        principal: Principal,
        thread: ThreadId,
        *,
        limit: int,
        before: MessageId | None = None,
    ) -> tuple[list[Message], MessageId | None, list[str]]:
        """As the store's, and third the values in these messages that the model never saw."""
        page, cursor = await self._threads.messages(principal, thread, limit=limit, before=before)
        shown, values = await self._privacy.messages(principal, thread, page)
        return shown, cursor, values

    async def _shown(self, principal: Principal, thread: Thread) -> Thread:
        return (await self._privacy.titles(principal, [thread]))[0]
