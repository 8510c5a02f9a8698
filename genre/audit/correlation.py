"""Whether two files hold the same recording: the cross-correlation of their audio where they overlap."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from genre.audio.decode import read_segment

#: The rate in hertz at which waveforms are compared: a codec and a resampler keep what lies below half of it.
SAMPLE_RATE = 12000

#: The longest stretch that is compared, in seconds, from the middle of the overlap.
LONGEST = 30.0

#: How far off the offset may be, and then each second's own: clocks run at slightly different speeds.
SLACK = round(0.05 * SAMPLE_RATE)
DRIFT = round(0.005 * SAMPLE_RATE)

#: Blocks quieter than -60 dBFS tell nothing.
SILENCE = 1e-6


class Likeness(NamedTuple):
    """How alike two recordings are where they overlap.

    Attributes:
        correlation: The median of the seconds' normalised cross-correlation, 0 to 1; its sign is ignored.
        offset: How much later the second recording begins than the first, in seconds.
        overlap: The length of the stretch that both hold, in seconds.
        level: How much louder the second is, in decibels.
    """

    correlation: float
    offset: float
    overlap: float
    level: float


def compare(one: Path, other: Path, seconds: tuple[float, float], offset: float) -> Likeness:
    """Compares two files second by second.

    Args:
        one: The first file.
        other: The second one.
        seconds: The durations of both.
        offset: How much later the second begins than the first, in seconds, to within the slack of 50 ms.

    Raises:
        AudioError: One cannot be read any more.
    """
    starts = max(0.0, offset), max(0.0, -offset)
    overlap = min(seconds[0] - starts[0], seconds[1] - starts[1])
    length = min(overlap, LONGEST)
    samples = int(length * SAMPLE_RATE)
    lead = (overlap - length) / 2
    waves = [
        read_segment(path, SAMPLE_RATE, samples, 0.0, (start + lead, start + lead + length)).astype(np.float64)
        for path, start in zip((one, other), starts, strict=True)
    ]
    correlation, lag = _correlate(*waves)
    powers = [float(np.mean(wave**2)) for wave in waves]
    level = 10 * np.log10(max(powers[1], 1e-12) / max(powers[0], 1e-12))
    return Likeness(correlation, offset + lag / SAMPLE_RATE, overlap, float(level))


def _correlate(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, int]:
    """The median over the seconds of ``other`` of the best correlation with ``one``, and the lag of all in samples."""
    whole = _correlations(one, other[SLACK:-SLACK])
    if not whole.size:
        return 0.0, 0
    lag = int(whole.argmax()) - SLACK
    found = []
    length = min(SAMPLE_RATE, len(other) - 2 * SLACK)
    for start in range(SLACK, len(other) - SLACK - length + 1, length):
        first, last = max(0, start + lag - DRIFT), start + lag + length + DRIFT
        values = _correlations(one[first:last], other[start : start + length])
        if values.size:
            found.append(values.max())
    return (float(np.median(found)), lag) if found else (0.0, 0)


def _correlations(around: NDArray[np.float64], block: NDArray[np.float64]) -> NDArray[np.float64]:
    """The normalised cross-correlation at every lag at which the block lies within; none for silence."""
    if min(np.mean(block**2), np.mean(around**2)) < SILENCE:
        return np.zeros(0)
    energies = _moving_sum(around**2, len(block)) * np.sum(block**2)
    values: NDArray[np.float64] = np.abs(scipy.signal.correlate(around, block, "valid"))
    return np.minimum(values / np.sqrt(np.maximum(energies, 1e-12)), 1.0)


def _moving_sum(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    sums = np.concatenate([[0.0], np.cumsum(values)])
    moving: NDArray[np.float64] = sums[length:] - sums[:-length]
    return moving
