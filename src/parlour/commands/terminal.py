"""The same conversation in a terminal: `parlour chat`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from pathlib import Path
from typing import Any

from parlour.api.access import LOCAL
from parlour.api.page_context import read_page
from parlour.app import running
from parlour.chat.ask import Ask, Started
from parlour.chat.page import PageContext
from parlour.domain import ThreadId
from parlour.errors import DisclosureRequired, PageContextInvalid, Problem
from parlour.events import types as ev
from parlour.events.types import decode
from parlour.services import Services
from parlour.settings import Settings
from parlour.tools.text import clean_line, visible

HELP = "Type a message and press Enter. Ctrl+C stops an answer; /quit or Ctrl+D leaves."
LINE_MAX = 300
DIM, PLAIN = "\x1b[2m", "\x1b[0m"


async def converse(settings: Settings, thread: str, page: Path | None = None) -> None:
    """Read messages from standard input and print their answers, until the input ends.

    `page` is a file with the page context; it may change between two messages.
    """
    _page(page)  # what is wrong with it is told before anything starts
    async with running(settings) as services:
        told = services.gate.disclosures.of(LOCAL, "terminal")
        _say(f"{told.text}\nModel: {services.model.name}\n{HELP}\n")
        shown = told.edition
        while True:
            _say("\n> ")
            line = await asyncio.to_thread(sys.stdin.readline)
            if not line or line.strip() == "/quit":
                _say(f"\nContinue with: parlour chat --thread {thread}\n")
                return
            if line.strip():
                try:
                    page_now = _page(page)
                except PageContextInvalid as problem:
                    _say(f"[{problem.code}] {problem}\n")
                    continue
                ask = Ask(
                    ThreadId(thread), line.strip(), surface="terminal", shown=shown, page=page_now
                )
                shown = await _answer(services, ask)


async def _answer(services: Services, ask: Ask) -> str:
    """Print the answer, and go on for as long as it asks for decisions. Returns what to acknowledge
    with the next message: mostly nothing."""
    try:
        started: Started | None = await services.runner.start(LOCAL, ask)
        while started is not None:
            asked = await _follow(services, started)
            started = await _decide(services, ask.thread, asked)
    except DisclosureRequired as required:
        _say(f"{required.disclosure['text']}\n[Send your message again.]\n")
        return str(required.disclosure["edition"])
    except Problem as problem:
        _say(f"[{problem.code}] {problem}\n")
        return ask.shown
    return ""


async def _follow(services: Services, started: Started) -> list[ev.Approval]:
    """Print a turn; Ctrl+C stops it. What it asks in the end."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers on a loop
        loop.add_signal_handler(signal.SIGINT, lambda: services.runner.stop_here(started.turn))
    try:
        return await _print_events(services, started)
    finally:
        with contextlib.suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGINT)


def _page(file: Path | None) -> PageContext | None:
    if file is None:
        return None
    try:
        return read_page(json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        raise PageContextInvalid(f"{file} cannot be read as JSON: {error}.") from None


async def _decide(services: Services, thread: ThreadId, asked: list[ev.Approval]) -> Started | None:
    """Ask about each call that waits; the turn that goes on. The end of the input is a no."""
    started: Started | None = None
    for approval in asked:
        sent = await services.privacy.sent(LOCAL, thread, approval.server, approval.arguments)
        _say(_question(approval, sent))
        line = ""
        while line not in {"y", "yes", "n", "no"}:
            _say("Do it? y/n ")
            read = await asyncio.to_thread(sys.stdin.readline)
            line = read.strip().lower() if read else "no"
        decision = "approve" if line.startswith("y") else "decline"
        decided = await services.approvals.decide(LOCAL, thread, approval.approval_id, decision)
        started = decided.started
    return started


def _question(approval: ev.Approval, sent: Any) -> str:
    """What would be done, exactly; `sent` are the arguments as the server will get them."""
    arguments = json.dumps(sent, indent=2, ensure_ascii=False)
    undo = "It can be undone." if approval.undoable else "It may not be possible to undo it."
    return (
        f"\nYour decision: {clean_line(approval.title, LINE_MAX)}"
        f" ({clean_line(approval.server, LINE_MAX)}: {clean_line(approval.tool, LINE_MAX)})\n"
        f"As: {clean_line(approval.acts_as, LINE_MAX)}. {undo} It expires at {approval.expires_at}."
        f"\n{visible(arguments)}\n"
    )


async def _print_events(services: Services, started: Started) -> list[ev.Approval]:
    reading = await services.readings.open(LOCAL, started.thread, started.turn)
    asked: list[ev.Approval] = []
    repeats = 0  # what the turn before has said, and said again here
    with reading.cursor as cursor:
        while not cursor.ended:
            for event in map(decode, cursor.take()):
                if isinstance(event, ev.Plan):
                    repeats = event.repeats
                elif repeats:
                    repeats -= 1
                else:
                    _print_event(event)
                if isinstance(event, ev.Approval):
                    asked.append(event)
            await cursor.wait()
    return asked


def _print_event(event: ev.Event) -> None:
    match event:
        case ev.Token():
            _say(event.text)
        case ev.Reasoning():
            _say(_dim(event.text))
        case ev.ToolCall():
            _say(_dim(f"\n[{event.title}: {event.arguments}]\n"))
        case ev.ToolResult():
            mark = "" if event.status == "ok" else f"{event.status}: "
            _say(_dim(f"[{mark}{event.text[:500]}]\n"))
        case ev.Replace():
            _say(f"\n[Withdrawn: {event.reason}]\n{event.text}")
        case ev.Status() | ev.Notice():
            _say(_dim(f"[{event.text}]\n"))
        case ev.Progress() if event.text:
            _say(_dim(f"[{event.text}]\n"))
        case ev.Finalize() if event.error is not None:
            _say(f"\n[{event.error.code}] {event.error.message}\n")
        case ev.Finalize() if event.status == "stopped":
            _say("\n[Stopped]\n")
        case ev.Finalize() if event.status == "waiting":
            pass
        case ev.Finalize():
            _say("\n")
        case _:
            pass


def _dim(text: str) -> str:
    return f"{DIM}{text}{PLAIN}" if sys.stdout.isatty() else text


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
