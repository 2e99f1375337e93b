"""Personal data on its way through a turn: masked when it comes in, clear again for its owner only.

Whatever a turn keeps, logs, traces or sends to a model has placeholders. The values are sealed in a
table of their own (store/masked.py). They come back in two places: where the owner's reader is
served (api/owner.py), and in the arguments of tools whose server the policy trusts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from parlour.chat.ask import Ask
from parlour.chat.context import with_system
from parlour.chat.outflow import OutFilter
from parlour.chat.page import PageContext
from parlour.chat.running import Running
from parlour.domain import (
    Message,
    Part,
    Principal,
    ReasoningPart,
    TextPart,
    Thread,
    ThreadId,
    ToolOutcome,
    ToolPart,
    ToolRequest,
    TurnId,
)
from parlour.errors import PersonalData
from parlour.events.types import Notice
from parlour.models.port import ChatMessage
from parlour.policy import Policies
from parlour.policy_safety import PrivacyPolicy
from parlour.safety.personal.find import Finder, Found, find
from parlour.safety.personal.masks import MARK, Masked, Masks, placeholders
from parlour.safety.personal.vault import Sealer
from parlour.safety.personal.whole import WholePlaceholders
from parlour.store.masked import MaskedValues, SealedValue
from parlour.telemetry.metrics import Metrics

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
EXPLAINED = (
    "Words in brackets such as [EMAIL_1] or [CARD_1] stand for personal data that is hidden from "
    "you. Use them exactly as they are wherever you would write the data itself; people see it."
)
_INLINE_CHARS_MAX = 8_000  # what is longer is searched in a thread: a millisecond on the loop
_CLEAN_MAX = 20_000  # texts remembered as free of personal data


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
        metrics: Metrics,
        finder: Finder | None = None,
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._policies = policies
        self._metrics = metrics
        self._finder = finder
        self._live: dict[TurnId, Masks] = {}
        self._clean: set[int] = set()

    # --- in ---

    async def take(self, principal: Principal, ask: Ask) -> Taken:
        """The message as it may be stored. Raises `PersonalData` when the policy blocks it."""
        policy = self._policy(principal)
        kinds = policy.kinds("mask", "block")
        if not kinds:
            return Taken(ask)
        texts = {ask.text, *(_texts(ask.history) if ask.history else ())}
        found = {text: await self._find(policy, text, kinds) for text in texts}
        page = None if ask.page is None else msgspec.json.encode(ask.page).decode()
        on_page = page is not None and bool(await self._find(policy, page, kinds))
        if not on_page and not any(found.values()):
            return Taken(ask)
        self._judge(policy, found[ask.text])
        masks = await self.load(principal, ask.thread)

        def masked(text: str) -> str:
            return masks.replaced(text, found.get(text, []))

        history = ask.history
        if history is not None:
            history = tuple(_each_text(message, masked) for message in history)
        kept = replace(ask, text=masked(ask.text), history=history)
        if ask.page is not None:
            hidden = masks.mask_all(msgspec.to_builtins(ask.page), kinds)
            kept = replace(kept, page=msgspec.convert(hidden, PageContext))
        return Taken(kept, masks, self._seal(principal, ask.thread, masks))

    def begin(self, running: Running, masks: Masks | None) -> None:
        """A turn begins: its readers are served from its own masks, which may grow."""
        if masks is None and not self._policy(running.principal).kinds("mask", "block"):
            return
        running.masks = masks or Masks()
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
            masks = running.masks = running.masks or Masks()
            self._live[running.turn] = masks
            masks.learn(await self.load(running.principal, running.thread))
        if masks is not None and kinds:
            messages = [messages[0], *[self._hidden(masks, kinds, m) for m in messages[1:]]]
        if not masks:
            return messages
        return with_system(messages, EXPLAINED)

    async def hide(
        self, principal: Principal, thread: ThreadId, prompt: list[ChatMessage]
    ) -> list[ChatMessage]:
        """The prompt of a call beside the answer, without personal data."""
        kinds = self._policy(principal).kinds("mask", "block")
        if not any(find(str(message["content"]), kinds) for message in prompt):
            return prompt
        masks = await self.load(principal, thread)
        hidden = [self._hidden(masks, kinds, message) for message in prompt]
        await self.add(self._seal(principal, thread, masks))
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

        def hide() -> ToolOutcome:
            text = masks.mask(outcome.text, kinds)
            return replace(outcome, text=text, widget=masks.mask_all(outcome.widget, kinds))

        long = len(outcome.text) > _INLINE_CHARS_MAX
        hidden = await asyncio.to_thread(hide) if long else hide()
        await self.keep(running)
        return hidden

    async def keep(self, running: Running) -> None:
        """Store what was masked during the turn. The turn is committed by now."""
        masks = running.masks
        if masks is not None and masks.fresh:
            await self._store.add(self._seal(running.principal, running.thread, masks))

    async def title(
        self, principal: Principal, thread: ThreadId, text: str
    ) -> tuple[str, list[SealedValue]]:
        """A title as it may be stored, and the values to keep once its thread exists."""
        kinds = self._policy(principal).kinds("mask", "block")
        if not kinds or not find(text, kinds):
            return text, []
        masks = await self.load(principal, thread)
        masked = masks.mask(text, kinds)
        return masked, list(self._seal(principal, thread, masks))

    async def add(self, values: Sequence[SealedValue]) -> None:
        """Keep the values of a title."""
        if values:
            await self._store.add(values)

    # --- out, to the owner ---

    async def load(self, principal: Principal, thread: ThreadId) -> Masks:
        """The masks of one of the user's conversations."""
        found = (await self._load(principal, [thread])).get(thread)
        return Masks() if found is None else found  # one without a readable value is still one

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
                parts=tuple(_restored(part, masks, trusted) for part in message.parts),
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
        known = await self._load(principal, marked)
        return [
            replace(thread, title=known[thread.id].restore(thread.title))
            if thread.id in known
            else thread
            for thread in page
        ]

    # --- within ---

    def _policy(self, principal: Principal) -> PrivacyPolicy:
        return self._policies.of(principal.workspace).privacy

    async def _find(self, policy: PrivacyPolicy, text: str, kinds: tuple[str, ...]) -> list[Found]:
        finder = self._finder if policy.presidio else None
        if finder is not None:
            return await asyncio.to_thread(lambda: find(text, kinds, finder.find(text)))
        if len(text) > _INLINE_CHARS_MAX:
            return await asyncio.to_thread(find, text, kinds)
        return find(text, kinds)

    def _judge(self, policy: PrivacyPolicy, found: list[Found]) -> None:
        """Count what was found; raise `PersonalData` when some of it is blocked."""
        blocked = [hit for hit in found if hit.kind in policy.kinds("block")]
        for hit in found:
            action = "block" if hit in blocked else "mask"
            self._metrics.guardrail("privacy", hit.rule or hit.kind, action)
        if blocked:
            what = " and ".join(sorted({NAMES[hit.kind] for hit in blocked}))
            raise PersonalData(
                f"Your message has {what} in it, which is not to be sent here. "
                "Nothing was kept. Take it out and send the message again."
            )

    def _hidden(self, masks: Masks, kinds: tuple[str, ...], message: ChatMessage) -> ChatMessage:
        content = message["content"]
        if not isinstance(content, str) or not content:
            return message
        key = hash((content, kinds))
        if key in self._clean and not masks:
            return message
        masked = masks.mask(content, kinds)
        if masked == content:
            if len(self._clean) >= _CLEAN_MAX:
                self._clean.clear()
            self._clean.add(key)
            return message
        return {**message, "content": masked}

    def _seal(
        self, principal: Principal, thread: ThreadId, masks: Masks
    ) -> tuple[SealedValue, ...]:
        fresh, masks.fresh = masks.fresh, []

        def sealed(entry: Masked) -> SealedValue:
            place = _place(principal, thread, entry.placeholder)
            return SealedValue(
                thread,
                entry.placeholder,
                self._sealer.seal(entry.value, place),
                self._sealer.digest(entry.value, place),
            )

        return tuple(map(sealed, fresh))

    async def _load(
        self, principal: Principal, threads: Sequence[ThreadId]
    ) -> dict[ThreadId, Masks]:
        known: dict[ThreadId, dict[str, str | None]] = {}
        for row in await self._store.of(principal, threads):
            place = _place(principal, row.thread, row.placeholder)
            value = self._sealer.open(bytes(row.sealed), place)
            known.setdefault(row.thread, {})[row.placeholder] = value
        return {
            thread: Masks({n: v for n, v in values.items() if v is not None}, values)
            for thread, values in known.items()
        }


def _place(principal: Principal, thread: ThreadId, placeholder: str) -> str:
    return "\0".join((principal.workspace, principal.user, thread, placeholder))


def _texts(history: Sequence[Message]) -> list[str]:
    return [p.text for m in history for p in m.parts if isinstance(p, TextPart)]


def _each_text(message: Message, change: Any) -> Message:  # Any: str -> str, a closure
    parts = tuple(
        msgspec.structs.replace(part, text=change(part.text))
        if isinstance(part, TextPart)
        else part
        for part in message.parts
    )
    return replace(message, parts=parts)


def _restored(part: Part, masks: Masks, trusted: Sequence[str]) -> Part:
    if isinstance(part, ToolPart):
        approval = part.approval
        if approval is not None and approval.server in trusted:
            clear = masks.restore_all(approval.arguments)
            approval = msgspec.structs.replace(approval, arguments=clear)
        return msgspec.structs.replace(
            part,
            arguments=masks.restore_all(part.arguments),
            text=masks.restore(part.text),
            widget=masks.restore_all(part.widget),
            approval=approval,
        )
    if isinstance(part, TextPart | ReasoningPart):
        return msgspec.structs.replace(part, text=masks.restore(part.text))
    return part
