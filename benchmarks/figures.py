"""Arithmetic of the benchmark: percentiles, histograms of gaps, medians of repeats."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile; `share` is 0 to 1. NaN when there are no values."""
    if not values:
        return math.nan
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]


def median(values: Sequence[float]) -> float:
    """The middle value, the mean of the middle two when their number is even; NaN when empty."""
    if not values:
        return math.nan
    ranked = sorted(values)
    half = len(ranked) // 2
    return ranked[half] if len(ranked) % 2 else (ranked[half - 1] + ranked[half]) / 2


class Histogram:
    """Counts of durations in steps of 1 ms up to 20 s: constant memory for millions of gaps."""

    STEPS = 20_000

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (self.STEPS + 1)
        self.total = 0

    def add(self, seconds: float) -> None:
        """Count one duration; anything above 20 s counts as 20 s."""
        step = int(seconds * 1000)
        self.counts[step if step < self.STEPS else self.STEPS] += 1
        self.total += 1

    def percentile_ms(self, share: float) -> float:
        """The percentile in ms, rounded up to the end of its step; NaN when nothing was counted."""
        wanted = math.ceil(share * self.total)
        seen = 0
        for step, count in enumerate(self.counts):
            seen += count
            if count and seen >= wanted:
                return step + 1.0
        return math.nan
