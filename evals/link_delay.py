"""What grounding links adds to the time at which words are shown.

    python -m evals.link_delay [--seconds 20] [--streams 12]

Answers full of links (eight of ten in markdown, the others bare or in angle brackets; three of four
given, the others not) come in pieces of a few letters at the pace of a model, with an uneven beat
and now and then a pause of half a second, each through the filter and the timer of every turn.
The delay of a piece is from when it came to when it was decided: shown, or dropped as part of an
address that nothing gave. What is seen is all but the destinations of markdown links, which nobody
reads; those have to wait until the last letter of them has come, and are in the last columns. The
end is 1 when a given link was split or taken, or when 95 of 100 seen pieces took longer than 150 ms
with a link in 50 words. The rows with a link in 12 have no bar: there every twentieth piece is of a
given address that stands bare, and no part of one is shown before its last letter.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import statistics
import sys
from functools import partial
from math import inf
from time import monotonic

from parlour.chat.outflow import Outflow
from parlour.chat.settling import Settling
from parlour.chat.sink import TurnSink
from parlour.domain import TextPart
from parlour.events.log import Pace, TurnLog
from parlour.safety.link_filter import LinkFilter
from parlour.safety.links import Grounds

GIVEN = (
    "https://bi.acme.example/superset/dashboard/12/",
    "https://bi.acme.example/explore/?slice_id=207",
    "https://docs.acme.example/sales/regions.html",
    "/superset/dashboard/7/",
)
FOREIGN = ("https://bi.acme.example/superset/dashboard/99/", "https://reports.example.net/q3?id=4")
NAMES = ("Sales by region", "Q3 revenue", "Open orders")
FORMS = ("[{name}]({url})",) * 8 + ("<{url}>", "{url}")
WORDS = re.findall(
    r"\w+",
    "sales rose in the north while returns fell and the team expects more orders before the end of"
    " the quarter because two large customers moved their projects forward",
)
PIECE = re.compile(r" ?[A-Za-z]{1,7}| ?\d{1,3}|://|\]\(|\s|[^\sA-Za-z\d]{1,2}")
PACES = (30, 50, 100)  # pieces a second
BETWEEN = (50, 12)  # words between two links
BAR_MS = {50: 150.0}  # at p95 of what is seen, by the words between two links
STALL_S, STALL_SHARE = 0.5, 0.005  # pauses of a provider in the middle of its answer


class Stream:
    """One answer on its way to its readers, and when each piece of it was decided."""

    def __init__(self, settling: Settling, rng: random.Random) -> None:
        grounds = Grounds()
        grounds.add(" ".join(GIVEN))
        self.sink = TurnSink(TurnLog("t", Pace()), bytes_max=10_000_000)
        self._links = LinkFilter(grounds)
        held = partial(settling.watch, self)
        self.sink.filter(Outflow([self._links], held), Outflow([]))
        self.sink.release()
        self._rng = rng
        self._fed = 0
        self._open: list[tuple[int, float, bool]] = []  # where it ends, when it came, is it seen
        self.delays: list[tuple[float, bool]] = []
        self.links: list[str] = []

    def settle(self, now: float) -> float | None:
        """The timer has come round."""
        due = self.sink.settle(now)
        self._decided()
        return due

    async def run(self, pace: float, between: int, seconds: float) -> None:
        """Say links and words at a pace, for a while."""
        end = monotonic() + seconds
        while monotonic() < end:
            words = " ".join(self._rng.choice(WORDS) for _ in range(between))
            for piece in PIECE.findall(words):
                await self._say(piece, pace, seen=True)
            given = self._rng.random() < 0.75
            link = self._rng.choice(FORMS).format(
                name=self._rng.choice(NAMES), url=self._rng.choice(GIVEN if given else FOREIGN)
            )
            if given:
                self.links.append(link)
            seen = True
            for piece in PIECE.findall(f" {link} "):
                seen = seen and piece != "]("
                await self._say(piece, pace, seen=seen)
        self.sink.drain()
        self._decided()

    async def _say(self, piece: str, pace: float, *, seen: bool) -> None:
        pause = STALL_S if self._rng.random() < STALL_SHARE else 0
        await asyncio.sleep(pause + self._rng.uniform(0.5, 1.5) / pace)
        self._fed += len(piece)
        self._open.append((self._fed, monotonic(), seen))
        self.sink.text(piece)
        self.sink.flush()
        self._decided()

    def _decided(self) -> None:
        shown, now = self._fed - self._links.held_chars, monotonic()
        while self._open and self._open[0][0] <= shown:
            _, came, seen = self._open.pop(0)
            self.delays.append(((now - came) * 1000, seen))

    def lost(self) -> list[str]:
        """Given links that are not in the text as they were said."""
        text = "".join(part.text for part in self.sink.parts() if isinstance(part, TextPart))
        return [link for link in self.links if link not in text]


def p95(values: list[float]) -> float:
    """So much or less for 95 of 100."""
    return statistics.quantiles(values, n=20)[-1]


async def measure(seconds: float, streams: int) -> int:
    """Play and print."""
    print("| pieces a second | words between links | pieces | p50 ms | p95 ms | max ms |", end="")
    print(" with destinations: p95 ms | max ms |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    lost: list[str] = []
    missed: list[str] = []
    for between in BETWEEN:
        for pace in PACES:
            settling = Settling()
            all_of = [Stream(settling, random.Random(seed)) for seed in range(streams)]
            await asyncio.gather(*(each.run(pace, between, seconds) for each in all_of))
            delays = [delay for each in all_of for delay, _ in each.delays]
            seen = [delay for each in all_of for delay, seen in each.delays if seen]
            print(
                f"| {pace} | {between} | {len(delays)} | {statistics.median(seen):.0f} |"
                f" {p95(seen):.0f} | {max(seen):.0f} | {p95(delays):.0f} | {max(delays):.0f} |"
            )
            lost += [link for each in all_of for link in each.lost()]
            if p95(seen) > BAR_MS.get(between, inf):
                missed.append(f"{p95(seen):.0f} ms at {pace} pieces a second")
    print(f"\nGiven links that were split or taken: {len(lost)}")
    for what in missed:
        print(f"Over the bar of {BAR_MS[50]:.0f} ms at p95: {what}")
    return 1 if lost or missed else 0


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--streams", type=int, default=12)
    given = parser.parse_args()
    sys.exit(asyncio.run(measure(given.seconds, given.streams)))


if __name__ == "__main__":
    main()
