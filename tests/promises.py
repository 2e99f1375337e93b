"""What Parlour promises, by number; tests carry the numbers (`@pytest.mark.promise("P3")`).

A test may carry several, a promise several tests. An unknown number stops the collection, and
tests/unit/test_promises.py names every promise that no test carries. `later` are those that the
product does not make yet; their figures stand here so that they are built towards.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Promise:
    """One statement and its figure. `later` = not yet made, so a test is not yet asked for."""

    statement: str
    figure: str
    later: bool = False


PROMISES: dict[str, Promise] = {
    "P1": Promise(
        "A message is acknowledged only after commit, and then never lost.",
        "0 lost over every kill -9",
    ),
    "P2": Promise(
        "The same message id sent again joins the same turn: one generation, one bill. The same "
        "id with another body is a conflict.",
        "50 sends at once make 1 turn; 0 duplicates",
    ),
    "P3": Promise(
        "A reader resumes from every event exactly, on another process and after a restart too; "
        "an unknown id gets an explicit reset, never a gap.",
        "for every k: exactly k+1 to the end, byte for byte",
    ),
    "P4": Promise(
        "Stop stops the upstream request, from another tab or process and inside a tool too.",
        "p99 within 500 ms, at most 2 s",
    ),
    "P5": Promise(
        "kill -9 of the service or of its own Postgres ends in a continued turn or a clear error.",
        "within 15 s of the restart",
    ),
    "P6": Promise(
        "Without its database Parlour refuses at once and recovers by itself.",
        "503 within 2 s, within 10 s where it neither answers nor hangs up; healthy within 5 s of "
        "the return",
    ),
    "P7": Promise(
        "Without Redis P1 to P5 still hold, and spending limits fail closed.",
        "first token at most 500 ms later",
    ),
    "P8": Promise(
        "A turn is done only with a finish reason; every upstream fault has an error code of its "
        "own, and what was said so far is kept and marked.",
        "first byte 30 s, silence 30 s, total 10 min, line 1 MB",
    ),
    "P9": Promise(
        "A tool server that dies, hangs or floods is an error result to the model; the turn goes "
        "on.",
        "death 2 s, hang 30 s, result cut at 64 KB",
    ),
    "P10": Promise(
        "With a full disk writes are refused, reads work, and it heals without a restart.",
        "within 5 s",
    ),
    "P11": Promise(
        "A clock that is an hour wrong loses and repeats nothing.",
        "0 lost, 0 double turns",
    ),
    "P12": Promise(
        "A slow reader blocks neither the turn nor other readers; it is dropped and can resume.",
        "30 s without progress; at most 256 KB each",
    ),
    "P13": Promise(
        "Idle streams are cheap.",
        "10,000 at 40 KB each; other requests p99 within 100 ms",
        later=True,
    ),
    "P14": Promise(
        "On SIGTERM the service is not ready at once, tells streams to reconnect, and finishes its "
        "turns or leaves them to another process.",
        "exit within 30 s",
    ),
    "P15": Promise(
        "The version before works on the new schema.",
        "0 failed turns; one version down",
    ),
    "P16": Promise(
        "Nothing is billed that upstream did not bill.",
        "clean turns exactly; 100 % reconciled",
    ),
    "P17": Promise(
        "A quota is reserved before it is spent.",
        "overshoot at most one reply per running turn",
    ),
    "P18": Promise(
        "One workspace does not delay another.",
        "500 queued turns of A: B's first token at most 20 % later",
    ),
    "P19": Promise(
        "Every failure has a code, a sentence, a reference and says whether trying again helps.",
        "100 % of failures; no stack trace",
    ),
    "P20": Promise(
        "Every turn ends with exactly one terminal event, whatever happened.",
        "always, as the last event",
    ),
    "P21": Promise(
        "Nobody sees, stops or changes what is another user's; it answers as if it were not there.",
        "every route, 404",
    ),
    "P22": Promise(
        "Garbage in is a clear 4xx: nothing is stored and nothing runs.",
        "every malformed request",
    ),
    "P23": Promise(
        "The installed wheel serves the page, with nothing but Python on the machine.",
        "every build",
    ),
    "P24": Promise(
        "A model is served only by an approved route; what served is checked before it is shown.",
        "0 calls outside the route",
    ),
    "P30": Promise(
        "Nobody is answered before they were shown that an AI answers; what they saw is kept.",
        "no first token without a receipt, in every face",
    ),
    "P31": Promise(
        "What the audit chain holds cannot be changed unseen, and a person can be erased from it.",
        "the first broken link is found",
    ),
}


def unknown_numbers(item: pytest.Item) -> list[str]:
    """The numbers on a test that are not in the list."""
    return [
        str(number)
        for mark in item.iter_markers("promise")
        for number in mark.args or ("(none)",)
        if number not in PROMISES
    ]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Stop at a test that proves a promise nobody made."""
    wrong = [f"{item.nodeid}: {number}" for item in items for number in unknown_numbers(item)]
    if wrong:
        lines = "\n  ".join(wrong)
        raise pytest.UsageError(f"promises that tests/promises.py does not know:\n  {lines}")
