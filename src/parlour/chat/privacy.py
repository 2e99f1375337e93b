"""Personal data on its way through a turn: masked when it comes in, clear again for its owner only.

Whatever a turn keeps, logs, traces or sends to a model has placeholders. The values are sealed in a
table of their own (store/masked.py). They come back in two places: where the owner's reader is
served (api/owner.py), and in the arguments of tools whose server the policy trusts.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import structlog

from parlour.agent.gate import ProgressReport
from parlour.chat.ask import Ask
from parlour.chat.context import with_system
from parlour.chat.masked_parts import restored, strings_in, texts_of, with_texts
from parlour.chat.outflow import OutFilter
from parlour.chat.page import PageContext
from parlour.chat.personal import INLINE_CHARS_MAX, Search, refused
from parlour.chat.rule_hits import RuleHits
from parlour.chat.running import Running
from parlour.chat.sealed import SealedMasks
from parlour.domain import Message, Principal, Thread, ThreadId, ToolOutcome, ToolRequest, TurnId
from parlour.errors import StoreUnavailable
from parlour.events.types import Notice
from parlour.models.port import ChatMessage
from parlour.policy import Policies
from parlour.policy_safety import PrivacyPolicy
from parlour.safety.personal.find import Finder, Found, find
from parlour.safety.personal.masks import MARK, Masks, placeholders
from parlour.safety.personal.vault import Sealer
from parlour.safety.personal.whole import WholePlaceholders
from parlour.store.masked import MaskedValues, SealedValue

EXPLAINED = (
    "Words in brackets such as [EMAIL_1] or [CARD_1] stand for personal data that is hidden from "
    "you. Use them exactly as they are wherever you would write the data itself; people see it."
)
_CLEAN_MAX = 20_000  # texts remembered as free of personal data

log = structlog.get_logger("parlour.privacy")


@dataclass(frozen=True, slots=True)
class Taken:
    """A message as it may be kept, and the values to seal beside it."""

    ask: Ask
    masks: Masks | None = None
    sealed: tuple[SealedValue, ...] = ()
    orders: tuple[str, ...] = ()  # to the assistant, by rule


class Privacy:
    """Masks and restores. One for the process."""

    def __init__(
        self,
        *,
        store: MaskedValues,
        sealer: Sealer,
        policies: Policies,
        hits: RuleHits,
        finder: Finder | None = None,
    ) -> None:
        self._sealed = SealedMasks(store, sealer)
        self._policies = policies
        self._hits = hits
        self._search = Search(finder)
        self._live: dict[TurnId, Masks] = {}
        self._clean: set[int] = set()

    # --- in ---

    async def take(self, principal: Principal, ask: Ask) -> Taken:
        """The message as it may be stored. Raises `PersonalData` when the policy blocks it."""
        policy = self._policy(principal)
        kinds = policy.kinds("mask", "block")
        if not kinds:
            return Taken(ask)
        texts = {ask.text, *(texts_of(ask.history) if ask.history else ())}
        found = {text: await self._search.text(policy, text, kinds) for text in texts}
        page = None if ask.page is None else msgspec.to_builtins(ask.page)
        on_page = await self._search.all(policy, page, kinds)
        if not on_page and not any(found.values()):
            return Taken(ask)
        self._judge(principal, policy, found[ask.text])
        self._count(principal, on_page)
        masks = await self.load(principal, ask.thread)

        def masked(text: str) -> str:
            return masks.replaced(text, found.get(text, []))

        history = ask.history
        if history is not None:
            history = tuple(with_texts(message, masked) for message in history)
        kept = replace(ask, text=masked(ask.text), history=history)
        if page is not None:
            hidden = await self._search.hidden(policy, masks, page, kinds)
            kept = replace(kept, page=msgspec.convert(hidden, PageContext))
        return Taken(kept, masks, self._sealed.fresh(principal, ask.thread, masks))

    def begin(self, running: Running, masks: Masks | None) -> None:
        """A turn begins: its readers are served from its own masks, which may grow."""
        if masks is None and not self._policy(running.principal).kinds("mask", "block"):
            return
        running.masks = Masks() if masks is None else masks
        self._live[running.turn] = running.masks
        hidden = [name for name in running.masks.values if name in running.ask.text]
        if hidden:
            # Each reader that is the owner's reads the values here.
            running.sink.event(Notice(kind="masked", text="\n".join(hidden)))

    def end(self, running: Running) -> None:
        """The turn is over: readers who come later are served from the store."""
        self._live.pop(running.turn, None)

    async def prompt(self, running: Running, messages: list[ChatMessage]) -> list[ChatMessage]:
        """The prompt without personal data, also what was said before the policy asked for it."""
        policy = self._policy(running.principal)
        kinds = policy.kinds("mask", "block")
        masks = running.masks
        if any(placeholders(str(message["content"])) for message in messages):
            if masks is None:  # else its readers have it already
                masks = running.masks = Masks()
                self._live[running.turn] = masks
            await self._complete(running, masks)
        if masks is not None and kinds and not all(self._is_clean(m, kinds) for m in messages[1:]):
            await self._complete(running, masks)
        if masks is not None and kinds:
            messages = [messages[0], *[self._hidden(masks, kinds, m) for m in messages[1:]]]
        if not masks:
            return messages
        return with_system(messages, EXPLAINED)

    async def pinned(self, running: Running) -> None:
        """What is pinned without personal data, where it is older than the policy that hides it."""
        policy, masks = self._policy(running.principal), running.masks
        kinds = policy.kinds("mask", "block")
        if masks is None or not kinds:
            return
        if running.summary and find(running.summary, kinds):
            await self._complete(running, masks)
            running.summary = masks.mask(running.summary, kinds)
        if running.page is None or running.ask.page is not None:  # what came now is masked
            return
        page = msgspec.to_builtins(running.page)
        if await self._search.all(policy, page, kinds):
            await self._complete(running, masks)
            hidden = await self._search.hidden(policy, masks, page, kinds)
            running.page = msgspec.convert(hidden, PageContext)

    async def hide(
        self, principal: Principal, thread: ThreadId, prompt: list[ChatMessage]
    ) -> list[ChatMessage]:
        """The prompt of a call beside the answer, without personal data."""
        kinds = self._policy(principal).kinds("mask", "block")
        if not any(find(str(message["content"]), kinds) for message in prompt):
            return prompt
        masks = await self.load(principal, thread)
        hidden = [self._hidden(masks, kinds, message) for message in prompt]
        await self.add(self._sealed.fresh(principal, thread, masks))
        return hidden

    def filters(self, running: Running) -> list[OutFilter]:
        """What the model's words pass, so that values can be put back for the owner."""
        return [] if running.masks is None else [WholePlaceholders()]

    def arguments(self, running: Running, server: str, request: ToolRequest) -> ToolRequest:
        """What a tool is called with: the values themselves where the policy trusts its server."""
        trusted = server in self.trusted_servers(running.principal)
        if not trusted or not running.masks or request.arguments is None:
            return request
        return replace(request, arguments=running.masks.restore_all(request.arguments))

    def trusted_servers(self, principal: Principal) -> tuple[str, ...]:
        """The tool servers that get the values themselves; others get placeholders."""
        return self._policy(principal).clear_arguments

    async def result(self, running: Running, outcome: ToolOutcome) -> ToolOutcome:
        """What a tool said, without personal data."""
        policy, masks = self._policy(running.principal), running.masks
        if masks is None:
            return outcome
        kinds = policy.kinds("mask", "block") if policy.tool_results else ()
        if not kinds and not masks:
            return outcome

        await self._complete(running, masks)
        hits = await self._search.text(policy, outcome.text, kinds) if kinds else []
        self._count(running.principal, hits, running)
        shown = "\n".join(strings_in(outcome.widget)) if policy.presidio and kinds else ""
        named = await self._search.text(policy, shown, kinds)

        def hide() -> ToolOutcome:
            text = masks.replaced(outcome.text, hits)
            masks.replaced(shown, named)  # known from here on, and so hidden in the widget
            widget = masks.mask_all(outcome.widget, kinds)
            # What only the name of a column has given away stands in the text, too.
            return replace(outcome, text=masks.replaced(text, ()), widget=widget)

        long = len(outcome.text) > INLINE_CHARS_MAX or outcome.widget is not None
        hidden = await asyncio.to_thread(hide) if long else hide()
        await self.keep(running)
        return hidden

    def progress(self, running: Running, report: ProgressReport) -> ProgressReport:
        """What a tool says while it works; words with personal data in them are left out."""
        policy = self._policy(running.principal)
        kinds = policy.kinds("mask", "block") if policy.tool_results else ()
        if not kinds:
            return report

        def hidden(done: float, total: float, text: str) -> None:
            report(done, total, "" if find(text, kinds) else text)

        return hidden

    async def keep(self, running: Running) -> None:
        """Store what was masked during the turn, which is committed by now. What the store does
        not take stays for the next time."""
        masks = running.masks
        if masks is None or not masks.fresh:
            return
        fresh = masks.take_fresh()
        try:
            await self._sealed.add(self._sealed.sealed(running.principal, running.thread, fresh))
        except StoreUnavailable:
            masks.give_back(fresh)
            log.warning("masked_values_not_kept", turn_id=running.turn, count=len(fresh))

    async def title(
        self, principal: Principal, thread: ThreadId, text: str
    ) -> tuple[str, list[SealedValue]]:
        """A title as it may be stored, and the values to keep once its thread exists."""
        kinds = self._policy(principal).kinds("mask", "block")
        if not kinds or not find(text, kinds):
            return text, []
        masks = await self.load(principal, thread)
        masked = masks.mask(text, kinds)
        return masked, list(self._sealed.fresh(principal, thread, masks))

    async def add(self, values: Sequence[SealedValue]) -> None:
        """Keep the values of a title."""
        await self._sealed.add(values)

    # --- out, to the owner ---

    async def load(self, principal: Principal, thread: ThreadId) -> Masks:
        """The masks of one of the user's conversations."""
        found = (await self._sealed.of(principal, [thread])).get(thread)
        # One without a readable value is still one.
        return Masks(whole=True) if found is None else found

    async def of_reader(
        self, principal: Principal, thread: ThreadId, turn: TurnId, payloads: Sequence[bytes]
    ) -> Masks | None:
        """What a reader of a turn may see clearly; None when there is nothing to restore.

        The caller has proven that the turn is the user's.
        """
        live = self._live.get(turn)
        if live is not None:
            return live
        if self._policy(principal).kinds("mask", "block") or any(map(MARK.search, payloads)):
            return await self.load(principal, thread)
        return None

    async def messages(
        self, principal: Principal, thread: ThreadId, page: list[Message]
    ) -> tuple[list[Message], list[str]]:
        """Messages as their owner reads them, and the values in them that the model never saw."""
        written = msgspec.json.encode([(message.parts, message.metadata) for message in page])
        if not MARK.search(written):
            return page, []
        masks, trusted = await self.load(principal, thread), self.trusted_servers(principal)
        shown = [
            replace(
                message,
                parts=tuple(restored(part, masks, trusted) for part in message.parts),
                metadata=masks.restore_all(message.metadata),
            )
            for message in page
        ]
        values = [v for name, v in masks.values.items() if name.encode() in written]
        return shown, values

    async def sent(
        self, principal: Principal, thread: ThreadId, server: str, arguments: Any
    ) -> Any:
        """Arguments exactly as a server will get them, for the person who decides on the call."""
        trusted = server in self.trusted_servers(principal)
        if not trusted or not MARK.search(msgspec.json.encode(arguments)):
            return arguments
        return (await self.load(principal, thread)).restore_all(arguments)

    async def titles(self, principal: Principal, page: list[Thread]) -> list[Thread]:
        """Threads with titles as their owner reads them."""
        marked = [thread.id for thread in page if placeholders(thread.title)]
        if not marked:
            return page
        known = await self._sealed.of(principal, marked)
        return [
            replace(thread, title=known[thread.id].restore(thread.title))
            if thread.id in known
            else thread
            for thread in page
        ]

    # --- within ---

    def _policy(self, principal: Principal) -> PrivacyPolicy:
        return self._policies.of(principal.workspace).privacy

    async def _complete(self, running: Running, masks: Masks) -> None:
        """Learn which placeholders the conversation has, before another one is made."""
        if not masks.whole:
            masks.learn(await self.load(running.principal, running.thread))

    def _judge(self, principal: Principal, policy: PrivacyPolicy, found: list[Found]) -> None:
        """Count what was found; raise `PersonalData` when some of it is blocked."""
        blocks = policy.kinds("block")
        self._count(principal, found, blocks=blocks)
        blocked = [hit for hit in found if hit.kind in blocks]
        if blocked:
            raise refused(blocked)

    def _count(
        self,
        principal: Principal,
        hits: Sequence[Found],
        running: Running | None = None,
        *,
        blocks: Sequence[str] = (),
    ) -> None:
        turn = running.turn if running else None
        rules = Counter((hit.rule or hit.kind, hit.kind in blocks) for hit in hits)
        for (rule, blocked), count in rules.items():
            action = "block" if blocked else "mask"
            self._hits.guard(principal, "privacy", rule, action, turn=turn, count=count)

    def _is_clean(self, message: ChatMessage, kinds: tuple[str, ...]) -> bool:
        """Whether nothing is found in a message; remembered, as most are seen again and again."""
        content, calls = str(message["content"]), message.get("tool_calls") or ()
        written = content + (msgspec.json.encode(calls).decode() if calls else "")
        key = hash((written, kinds))
        if key in self._clean:
            return True
        if find(written, kinds):
            return False
        if len(self._clean) >= _CLEAN_MAX:
            self._clean.clear()
        self._clean.add(key)
        return True

    def _hidden(self, masks: Masks, kinds: tuple[str, ...], message: ChatMessage) -> ChatMessage:
        if not masks and self._is_clean(message, kinds):
            return message
        hidden = {**message, "content": masks.mask(str(message["content"]), kinds)}
        if message.get("tool_calls"):
            hidden["tool_calls"] = masks.mask_all(message["tool_calls"], kinds)
        return hidden
