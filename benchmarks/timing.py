"""Timing of two or more things in turn, so that a drift of the machine's speed hits them alike."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

#: What is measured, with its goal if it has one; and the figure.
Row: TypeAlias = tuple[str, str]


def seconds_in_turn(candidates: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds that each candidate takes in each round, in which all run in turn, after one warm-up."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(rounds + 1):
        for name, candidate in candidates.items():
            start = time.perf_counter()
            candidate()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def medians(candidates: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median over the rounds of :func:`seconds_in_turn`."""
    return {name: statistics.median(values) for name, values in seconds_in_turn(candidates, rounds).items()}


def spread(ratios: Sequence[float]) -> str:
    """The median, the smallest and the largest of several rounds."""
    return f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f} in {len(ratios)} rounds)"


def ratio(dividends: Sequence[float], divisors: Sequence[float]) -> str:
    """The ratios of two candidates' seconds, round by round."""
    return spread([a / b for a, b in zip(dividends, divisors, strict=True)])
