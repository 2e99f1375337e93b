"""Going on with a turn whose process died or left: from its last completed round.

What it had said is taken from the event log that the processes share, else from its last heartbeat.
Readers who saw it go on reading; the round that was under way starts over, and says so with a
`restart`. Calls that change something are in the journal, so none is made twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from parlour.agent.saver import state_in
from parlour.chat.ask import Ask, surface_of
from parlour.chat.judge import Judge
from parlour.chat.page import PageContext
from parlour.chat.privacy import Privacy
from parlour.chat.replay import events_of_parts
from parlour.chat.running import Running
from parlour.chat.sink import TurnSink, stays
from parlour.chat.tab import Tab
from parlour.chat.till import Till
from parlour.domain import NoticePart, Part, ReasoningPart, TextPart, ToolPart
from parlour.events.log import EventLog, TurnLog
from parlour.events.types import (
    PASSING,
    Event,
    Finalize,
    Notice,
    Plan,
    Reasoning,
    Replace,
    Restart,
    RoundEnd,
    Token,
    ToolCall,
    ToolResult,
    encode,
    known,
)
from parlour.limits.room import Room
from parlour.models.routed import Router
from parlour.safety.disclosures.gate import Gate
from parlour.store.adopt import Adopted
from parlour.store.turns import Claim

MIRROR_WAIT_S = 0.5  # for what other processes have of the turn's events
WHY = "The server was restarted; this part of the answer begins again."


@dataclass(frozen=True, slots=True)
class Said:
    """What a turn had said: as events, and as the parts they make."""

    payloads: list[bytes]
    parts: tuple[Part, ...]


class Takeover:
    """Goes on with turns that were adopted. One for the process."""

    def __init__(
        self,
        *,
        events: EventLog,
        room: Room,
        till: Till,
        privacy: Privacy,
        judge: Judge,
        gate: Gate,
        router: Router,
        log_bytes_max: int,
        launch: Callable[[Running], None],
    ) -> None:
        self._events = events
        self._room = room
        self._till = till
        self._privacy = privacy
        self._judge = judge
        self._gate = gate
        self._router = router
        self._log_bytes_max = log_bytes_max
        self._launch = launch

    async def go_on(self, adopted: Adopted) -> None:
        """Run the turn from its last completed round; it is judged as when it began.

        Raises `Overloaded`, `Refused`, `StoreUnavailable` and what limits say.
        """
        principal = adopted.principal
        asked = ask_of(adopted)
        ask, orders = await self._judge.orders.admit(principal, asked, counted=True)
        await self._room.enter(principal.workspace)
        try:
            claim = Claim(adopted.turn, adopted.answer, fence=adopted.fence)
            _, entry = await self._till.enter(
                principal, adopted.history, _known(claim), question="asked"
            )
            masks = await self._privacy.load(principal, adopted.thread)
            said = await said_by(adopted, self._events, self._plan(adopted, ask))
        except BaseException:
            self._room.leave(principal.workspace)
            raise
        log = self._events.create(adopted.turn, fence=adopted.fence)
        sink = TurnSink(log, bytes_max=self._log_bytes_max)
        begin_again(sink, said, completed=completed_rounds(adopted.checkpoint))
        sink.usage = adopted.spent
        running = Running(
            principal,
            ask,
            adopted.turn,
            adopted.answer,
            adopted.fence,
            sink,
            Tab(self._till, principal, adopted.turn, sink, entry),
            history=tuple(adopted.history),
            summary=adopted.summary,
            page=ask.page,
            paged=adopted.paged,
            adopted=True,
            checkpoint=adopted.checkpoint,
        )
        self._privacy.begin(running, masks or None)
        self._judge.begin(running, orders)
        running.committed.set_result(True)
        sink.release()
        self._launch(running)

    def _plan(self, adopted: Adopted, ask: Ask) -> Plan:
        return Plan(
            turn_id=adopted.turn,
            thread_id=adopted.thread,
            message_id=adopted.answer,
            user_message_id=adopted.question,
            model=self._router.first(adopted.principal.workspace).label,
            disclosure=self._gate.disclosures.of(adopted.principal, ask.surface).text,
        )


def _known(claim: Claim) -> Callable[[], Awaitable[Claim]]:
    """A claim that is made already."""

    async def claiming() -> Claim:
        return claim

    return claiming


def ask_of(adopted: Adopted) -> Ask:
    """What had been asked, from the stored question."""
    question = adopted.history[-1]
    text = "".join(part.text for part in question.parts if isinstance(part, TextPart))
    page = None if adopted.page is None else msgspec.json.decode(adopted.page, type=PageContext)
    surface = surface_of(adopted.surface)
    return Ask(thread=adopted.thread, text=text, page=page, surface=surface)


async def said_by(adopted: Adopted, events: EventLog, plan: Plan) -> Said:
    """What the former owner had said, as far as anybody knows."""
    mirror = await events.attach(adopted.turn, after=0, wait_s=MIRROR_WAIT_S)
    payloads = _whole(mirror)
    if payloads:
        return Said(
            payloads, parts_of([event for payload in payloads if (event := known(payload))])
        )
    said = events_of_parts(adopted.parts)
    return Said([encode(event) for event in (plan, *said)], adopted.parts)


def begin_again(sink: TurnSink, said: Said, *, completed: int) -> None:
    """Say what was said, and that the round after the `completed` ones starts over."""
    sink.restore(said.payloads, said.parts, completed=completed)
    sink.event(Restart(round=completed + 1, reason=WHY, takeover=sink.log.fence))


def completed_rounds(checkpoint: bytes | None) -> int:
    """How many rounds will not be made again: what was said of later ones does not count."""
    return 0 if checkpoint is None else int(state_in(checkpoint)["rounds"])


def parts_of(events: list[Event]) -> tuple[Part, ...]:
    """The parts of a message that these events make, as the sink makes them."""
    parts: list[Part] = []
    current = 1
    for event in events:
        match event:
            case Token() | Reasoning():
                _add(parts, event, current)
            case ToolCall():
                parts.append(
                    ToolPart(event.call_id, event.name, event.title, event.arguments, round=current)
                )
            case ToolResult():
                _settle(parts, event)
            case Restart():
                parts = [part for part in parts if stays(part, event)]
                current = event.round
            case Replace():
                parts = [part for part in parts if isinstance(part, ToolPart | NoticePart)]
                parts.append(TextPart(event.text, current, event.reason))
            case RoundEnd():
                current = event.round + 1
            case Notice():
                _add_notice(parts, event, current)
            case _:
                pass
    return tuple(parts)


def _whole(mirror: TurnLog | None) -> list[bytes]:
    """A mirror's events, unless it lacks some or the turn has ended in it."""
    if mirror is None or mirror.broken or not mirror.payloads:
        return []
    payloads = list(mirror.payloads)
    if isinstance(known(payloads[-1]), Finalize):
        payloads.pop()  # said by a former owner that was not believed
    return payloads


def _add(parts: list[Part], event: Token | Reasoning, current: int) -> None:
    kind = TextPart if isinstance(event, Token) else ReasoningPart
    last = parts[-1] if parts else None
    if isinstance(last, kind) and last.round == current:
        parts[-1] = msgspec.structs.replace(last, text=last.text + event.text)
    else:
        parts.append(kind(event.text, current))


def _add_notice(parts: list[Part], event: Notice, current: int) -> None:
    """In front of the words that are being said, as the sink has it."""
    if event.kind in PASSING:
        return
    last = parts[-1] if parts else None
    speaking = isinstance(last, TextPart | ReasoningPart) and last.round == current
    parts.insert(len(parts) - speaking, NoticePart(event.kind, event.text, current))


def _settle(parts: list[Part], result: ToolResult) -> None:
    for place, part in enumerate(parts):
        if isinstance(part, ToolPart) and part.call_id == result.call_id:
            parts[place] = msgspec.structs.replace(
                part,
                status=result.status,
                text=result.text,
                widget=result.widget,
                elapsed_ms=result.elapsed_ms,
            )
