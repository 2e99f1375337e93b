"""What one turn says: onto its log for readers, and into parts for the store.

This is the path of a token: `text` is called for every piece a model says. What is stored is built
from exactly what was published, so the two cannot differ. What may be said at all is for the
filters of chat/outflow.py to decide.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from parlour.chat.outflow import Outflow, silence
from parlour.chat.packed import pack_events, restarts_in
from parlour.domain import (
    ApprovalNote,
    NoticePart,
    Part,
    ReasoningPart,
    TextPart,
    ToolPart,
    Usage,
)
from parlour.errors import Problem
from parlour.events.log import TurnLog
from parlour.events.types import (
    PASSING,
    Approval,
    Event,
    Notice,
    Reasoning,
    Replace,
    Restart,
    RoundEnd,
    ToolCall,
    ToolResult,
    UsageReport,
    encode,
    encode_token,
)
from parlour.models.pieces import Pieces
from parlour.safety.output.check import OVERLAP


class AnswerTooLong(Problem):
    """A turn said more than the limit `limits.log_bytes_max`."""

    code = "answer_too_long"
    title = "The answer became too long"


class TurnSink:
    """The voice of one running turn. Events are held back until `release` (the commit)."""

    def __init__(self, log: TurnLog, *, bytes_max: int) -> None:
        self.log = log
        self.usage = Usage()
        self.model_calls = 0
        self.first_token_ms: int | None = None
        self._bytes_max = bytes_max
        self._started = time.monotonic()
        self._held = True
        self._first = False  # the first word waits for no tick
        self._round = 1
        self._parts: list[Part] = []
        self._words = Pieces()  # of the open part
        self._thinking_since: float | None = None  # the open part is reasoning, else text
        self._recorded: set[int] = set()  # places of calls that an earlier turn has written down
        self._answer_flow: Outflow | None = None
        self._reasoning_flow: Outflow | None = None
        self._opening = ""  # what the answer began with, in words of ours
        self._withdrawn = 0  # events at the beginning of the log whose words are withdrawn
        self._why = ""  # words of ours stand in place of what was withdrawn: the reason
        self.restarts: list[int] = []  # rounds that began anew in another process

    def filter(self, answer: Outflow, reasoning: Outflow) -> None:
        """Let what the model says pass these filters before it is said."""
        self._answer_flow, self._reasoning_flow = answer, reasoning

    def watch(self, allowed: Callable[[str], bool]) -> None:
        """Show what was said to `allowed` now and then, in runs that overlap; it withdraws."""

        def look() -> None:
            allowed(self._words.newest(OVERLAP))

        self._words.on_fold = look

    # --- the path of a token ---

    def text(self, text: str) -> None:
        """A piece of the answer."""
        if self._thinking_since is not None and self._reasoning_flow is not None:
            self._think(self._reasoning_flow.drain())
        if self._answer_flow is not None:
            text = self._answer_flow.feed(text)
            if not text:
                return
        self._say(text)

    def _say(self, text: str) -> None:
        if self.first_token_ms is None:
            self.first_token_ms = self.elapsed_ms
            self._first = True
        if self._thinking_since is not None:
            self._close_part()
        self.log.append_json(encode_token(text))
        self._words.add(text)

    def reasoning(self, text: str) -> None:
        """A piece of thinking."""
        flow = self._answer_flow
        if flow is not None and (self._thinking_since is None or flow.held_since is not None):
            self._drain_answer()
        if self._reasoning_flow is not None:
            text = self._reasoning_flow.feed(text)
        self._think(text)

    def _think(self, text: str) -> None:
        if not text:
            return
        if self._thinking_since is None:
            self._close_part()
            self._thinking_since = time.monotonic()
        self.log.append(Reasoning(text=text))
        self._words.add(text)

    def flush(self) -> None:
        """Let readers have what was said. Raises `AnswerTooLong` past the bound."""
        if self.log.size > self._bytes_max:
            raise AnswerTooLong(
                f"The answer passed the limit of {self._bytes_max} bytes and was ended. "
                "Ask for a shorter answer, or raise limits.log_bytes_max."
            )
        if not self._held:
            self.log.flush(now=self._first)
            self._first = False

    # --- what is held back ---

    def settle(self, now: float) -> float | None:
        """Decide what has been held back for too long at `now` (monotonic), or may be said at last.

        Returns when there will be more to decide; None = nothing is held.
        """
        thinking, answer = self._reasoning_flow, self._answer_flow
        if thinking is None or answer is None:
            return None
        self._think(thinking.settle(now))
        if text := answer.settle(now):
            self._say(text)
        if not self._held:
            self.log.flush(now=self._first)  # its size is judged with the next piece
            self._first = False
        due = (thinking.due(now), answer.due(now))
        return min((at for at in due if at is not None), default=None)

    def drain(self) -> None:
        """Say what is held back: a round is over."""
        if self._reasoning_flow is not None:
            self._think(self._reasoning_flow.drain())
        self._drain_answer()

    def _drain_answer(self) -> None:
        if self._answer_flow is not None and (text := self._answer_flow.drain()):
            self._say(text)

    def replace(self, text: str, reason: str) -> None:
        """Withdraw all that this turn has said and thought; `text` stands in its place, after the
        words of ours that the answer began with.

        The model is not heard any more in this turn. `reason` is a stable word.
        """
        silent = silence()
        self.filter(silent, silent)
        self._close_part()
        self._parts = [part for part in self._parts if isinstance(part, ToolPart | NoticePart)]
        self._why = reason
        self._withdrawn = len(self.log.payloads)
        text = self._opening + text
        self.log.append(Replace(text=text, reason=reason))
        if text:
            self._words.add(text)
        self.flush()

    def open_with(self, text: str, *, said: bool = False) -> None:
        """Begin the answer with words of ours: no filter keeps them back, and they stay.

        `said`: the answer goes on in another turn or process, and has begun with them.
        """
        self._opening = text
        if not said:
            self._say(text)

    @property
    def opened(self) -> bool:
        """Whether the answer began with words of ours."""
        return bool(self._opening)

    def instead(self, text: str) -> None:
        """Say `text` and nothing else: no word was shown yet, and the model is heard no more."""
        silent = silence()
        self.filter(silent, silent)
        self._say(text)
        self.flush()

    # --- everything else ---

    def event(self, event: Event) -> None:
        """Something other than text happened: publish it and keep what belongs to the message.

        A notice that is kept is said once.
        """
        if isinstance(event, Notice) and event.kind not in PASSING:
            if any(_is_notice(part, event) for part in self._parts):
                return
            self._parts.append(NoticePart(event.kind, event.text, self._round))
        if isinstance(event, ToolCall | RoundEnd | Restart):
            self.drain()
        self.log.append(event)
        match event:
            case ToolCall():
                self._close_part()
                self._parts.append(
                    ToolPart(
                        call_id=event.call_id,
                        name=event.name,
                        title=event.title,
                        arguments=event.arguments,
                        round=self._round,
                    )
                )
            case ToolResult():
                self._settle(event)
            case RoundEnd():
                self._close_part()
                self._round = event.round + 1
            case Restart():
                self.restarts.append(event.round)
                self._words.clear()
                self._parts = [p for p in self._parts if stays(p, event)]
                if self._opening and event.round == 1:
                    self._say(self._opening)
            case _:
                pass

    def used(self, usage: Usage, cost_micros: int | None = None) -> None:
        """A model call ended: add its tokens and tell the sum, with the turn's cost by now.

        It may be a call beside the answer, so it says nothing of what is held back.
        """
        self.model_calls += 1
        self.usage = self.usage + usage
        self.log.append(
            UsageReport(
                input=self.usage.input,
                cache_read=self.usage.cache_read,
                cache_write=self.usage.cache_write,
                output=self.usage.output,
                reasoning=self.usage.reasoning,
                estimated=self.usage.estimated,
                cost_micros=cost_micros,
            )
        )

    def release(self) -> None:
        """The message is committed: readers may have what was said meanwhile."""
        self._held = False
        self.log.flush(now=True)

    def end(self) -> None:
        """Close what is open: the last words, and tools that never answered (or were asked for)."""
        self.drain()
        self._close_part()
        for part in tuple(self._parts):
            if isinstance(part, ToolPart) and part.status == "running":
                self.event(
                    ToolResult(
                        call_id=part.call_id, name=part.name, status="failed", text="Not finished."
                    )
                )

    @property
    def elapsed_ms(self) -> int:
        """Since the turn began."""
        return round((time.monotonic() - self._started) * 1000)

    def tools_at_work(self) -> list[str]:
        """The titles of the tools that run now."""
        return [
            part.title
            for part in self._parts
            if isinstance(part, ToolPart) and part.status == "running"
        ]

    def parts(self) -> tuple[Part, ...]:
        """All that was said so far, the open part included."""
        if not self._words:
            return tuple(self._parts)
        return (*self._parts, self._open_part())

    def repeat(self, payloads: list[bytes], parts: tuple[Part, ...]) -> None:
        """Say what was said before, in a turn that goes on with another one's message."""
        self.log.extend(payloads)
        self.restarts = restarts_in(payloads)
        self._parts = list(parts)
        self._round = max((getattr(part, "round", 0) for part in parts), default=1)
        self._recorded = {
            place
            for place, part in enumerate(parts)
            if isinstance(part, ToolPart) and _is_over(part)
        }

    def restore(self, payloads: list[bytes], parts: tuple[Part, ...], *, completed: int) -> None:
        """Have what an earlier owner of the turn said; so many rounds of tools are over."""
        self.log.extend(payloads)
        self.restarts = restarts_in(payloads)
        self._parts = list(parts)
        self._round = completed + 1

    def ask(self, approvals: Sequence[Approval]) -> None:
        """These calls wait for a person. The events themselves are said once they are stored."""
        for approval in approvals:
            self._change(
                approval.call_id,
                status="waiting",
                approval=ApprovalNote(
                    id=approval.approval_id,
                    server=approval.server,
                    tool=approval.tool,
                    arguments=approval.arguments,
                    acts_as=approval.acts_as,
                    undoable=approval.undoable,
                    reason=approval.reason,
                    expires_at=approval.expires_at,
                ),
            )

    def new_calls(self) -> list[ToolPart]:
        """The tool calls that are over, without those that an earlier turn has made."""
        return [
            part
            for place, part in enumerate(self._parts)
            if isinstance(part, ToolPart) and _is_over(part) and place not in self._recorded
        ]

    def packed_events(self, *last: Event) -> bytes:
        """The whole log as it is stored: zlib over the events' JSON, one a line.

        `last` are the terminal event and what is said right before it, once they are stored. Words
        that were withdrawn are not kept: their events are, so that the numbers stay.
        """
        payloads = [*self.log.payloads, *map(encode, last)]
        return pack_events(payloads, withdrawn=self._withdrawn)

    def _open_part(self) -> Part:
        words = self._words.join()
        if self._thinking_since is None:
            return TextPart(words, self._round, self._why)
        elapsed = round((time.monotonic() - self._thinking_since) * 1000)
        return ReasoningPart(words, self._round, elapsed)

    def _close_part(self) -> None:
        if self._words:
            self._parts.append(self._open_part())
            self._words.clear()
        self._thinking_since = None

    def _settle(self, result: ToolResult) -> None:
        self._change(
            result.call_id,
            status=result.status,
            text=result.text,
            widget=result.widget,
            elapsed_ms=result.elapsed_ms,
        )

    def _change(self, call_id: str, **changes: Any) -> None:
        """Change a call that is not over; models use the ids of others again."""
        for place, part in enumerate(self._parts):
            if isinstance(part, ToolPart) and part.call_id == call_id and not _is_over(part):
                self._parts[place] = msgspec.structs.replace(part, **changes)


def stays(part: Part, restart: Restart) -> bool:
    """Whether a part is still said when a round starts over."""
    return isinstance(part, NoticePart) or getattr(part, "round", 0) != restart.round


def _is_notice(part: Part, notice: Notice) -> bool:
    told = isinstance(part, NoticePart)
    return told and (part.kind, part.text) == (notice.kind, notice.text)


def _is_over(part: ToolPart) -> bool:
    return part.status not in {"running", "waiting"}
