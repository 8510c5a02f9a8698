"""Finds the tracks that are the same recording.

Files that decode to the same samples have the same checksum. Two other tracks are a candidate if their fingerprints
have equal sub-fingerprints at one offset, and a pair if the cross-correlation of their audio confirms it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import scipy.signal
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from genre.audio.decode import AudioError, read_segment
from genre.audit.faults import Examined
from genre.audit.fingerprint import HOP_SECONDS, SILENCE, Fingerprint, bit_error_rate

#: The equal sub-fingerprints at one offset that make a candidate. A copy of 2 s at 64 kbit/s has at least 16.
MIN_VOTES = 2

#: The largest rate of bit errors over the overlap of two copies. Copies at 16 to 64 kbit/s, with noise or heavy
#: clipping, have up to 0.24. Haitsma and Kalker allow 0.35, but different tracks that share a loop can have that, too.
MAX_BIT_ERRORS = 0.25

#: The shortest overlap in hops: 1 s, and the 0.4 s that the first sub-fingerprint takes.
MIN_OVERLAP = round(1.0 / HOP_SECONDS)

#: The number of equal sub-fingerprints that each one is compared with. Those of many recordings identify none.
NEIGHBOURS = 32

#: The smallest correlation of two copies. Copies at 16 to 64 kbit/s, clipped, noisy or with another equalisation have
#: at least 0.78, different recordings about 0.2. Tracks that share a loop under other voices lie between.
MIN_CORRELATION = 0.75

#: The rate in hertz at which waveforms are compared. Codecs and resamplers keep the frequencies below half of it.
CORRELATION_RATE = 12000

#: The longest stretch that is compared, in seconds, from the middle of the overlap.
MAX_SECONDS = 30.0

#: The largest error of the offset in samples, and its largest change in a second: clocks differ slightly in speed.
SLACK = round(0.05 * CORRELATION_RATE)
DRIFT = round(0.005 * CORRELATION_RATE)


class Candidate(NamedTuple):
    """Two recordings, by index: ``other`` begins ``offset`` hops after ``one``, or before it if that is negative."""

    one: int
    other: int
    offset: int


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


@dataclass(frozen=True)
class Pair:
    """Two tracks that are one recording.

    Attributes:
        one: The first track.
        other: The second one.
        kind: ``exact``: they decode to the same samples; ``near``: at another offset, level, rate or codec.
        likeness: How alike they are.
    """

    one: Examined
    other: Examined
    kind: Literal["exact", "near"]
    likeness: Likeness

    @property
    def contested(self) -> bool:
        """Whether their genres differ."""
        return self.one.track.genre != self.other.track.genre


def find_pairs(tracks: Iterable[Examined]) -> list[Pair]:
    """Finds every copy, by checksum and then by fingerprint and cross-correlation.

    An exact copy is paired only with the first of its copies, and only the first is paired with near copies.
    :func:`group` joins the pairs.
    """
    originals: dict[str, Examined] = {}
    pairs = []
    for examined in tracks:
        if not examined.checksum:
            continue
        first = originals.setdefault(examined.checksum, examined)
        if first is not examined:
            pairs.append(Pair(first, examined, "exact", Likeness(1.0, 0.0, examined.seconds, 0.0)))
    different = list(originals.values())
    for candidate in find_candidates([examined.fingerprint for examined in different]):
        one, other = different[candidate.one], different[candidate.other]
        try:
            durations = one.seconds, other.seconds
            likeness = measure_likeness(one.track.path, other.track.path, durations, candidate.offset * HOP_SECONDS)
        except AudioError:  # gone since it was examined
            continue
        if likeness.correlation >= MIN_CORRELATION:
            pairs.append(Pair(one, other, "near", likeness))
    return pairs


def group(pairs: Sequence[Pair]) -> list[list[Examined]]:
    """The groups of tracks that are one recording, from their pairs."""
    tracks = list(dict.fromkeys(examined for pair in pairs for examined in (pair.one, pair.other)))
    indices = {examined: index for index, examined in enumerate(tracks)}
    rows, columns = [indices[pair.one] for pair in pairs], [indices[pair.other] for pair in pairs]
    links = coo_array((np.ones(len(pairs)), (rows, columns)), shape=(len(tracks), len(tracks)))
    count, labels = connected_components(links, directed=False) if pairs else (0, ())
    return [[tracks[index] for index in np.flatnonzero(labels == label)] for label in range(count)]


def find_candidates(fingerprints: Sequence[Fingerprint]) -> list[Candidate]:
    """Looks up equal sub-fingerprints in one sorted index, so the cost grows linearly with the audio.

    Returns:
        At most one candidate for two recordings, at the offset with the most matching hops.
    """
    best: dict[tuple[int, int], tuple[float, Candidate]] = {}
    for vote in _vote(fingerprints):
        pair = (vote.one, vote.other)
        for shift in (-1, 0, 1):
            candidate = vote._replace(offset=vote.offset + shift)
            common = _common(fingerprints, candidate)
            if common > best.get(pair, (0.0,))[0]:
                best[pair] = common, candidate
    return [candidate for _, candidate in best.values()]


def _vote(fingerprints: Sequence[Fingerprint]) -> list[Candidate]:
    """The offsets at which two recordings have at least ``MIN_VOTES`` equal sub-fingerprints."""
    if not fingerprints:
        return []
    # All sub-fingerprints with their recordings and hops, sorted, without silence and repeats.
    starts = ((codes != 0) & (codes != np.append(0, codes[:-1])) for codes in fingerprints)
    hops = [np.flatnonzero(start).astype(np.int32) for start in starts]
    codes = np.concatenate([codes[kept] for codes, kept in zip(fingerprints, hops, strict=True)])
    order = np.argsort(codes, kind="stable")  # stable: of equal ones the first recording's come first
    tracks = np.repeat(np.arange(len(hops), dtype=np.int32), [len(kept) for kept in hops])[order]
    codes, times = codes[order], np.concatenate(hops)[order]
    votes = [np.zeros((0, 3), np.int32)]
    for step in range(1, NEIGHBOURS + 1):
        first = np.flatnonzero(codes[step:] == codes[:-step])
        if not len(first):
            break
        second = first + step
        first, second = first[tracks[first] != tracks[second]], second[tracks[first] != tracks[second]]
        votes.append(np.stack([tracks[first], tracks[second], times[first] - times[second]], axis=1))
    ballots, counts = np.unique(np.concatenate(votes), axis=0, return_counts=True)
    # An offset between two hops has its votes on either side.
    joined = np.append((np.diff(ballots, axis=0) == (0, 0, 1)).all(axis=1) * counts[1:], 0)[: len(counts)]
    return [Candidate(*map(int, ballot)) for ballot in ballots[counts + joined >= MIN_VOTES]]


def _common(fingerprints: Sequence[Fingerprint], candidate: Candidate) -> float:
    """The hops that two recordings have in common beyond chance; 0 for a short overlap or too many bit errors."""
    one = fingerprints[candidate.one][max(0, candidate.offset) :]
    other = fingerprints[candidate.other][max(0, -candidate.offset) :]
    length = min(len(one), len(other))
    if length < MIN_OVERLAP:
        return 0.0
    errors = bit_error_rate(one[:length], other[:length])
    return length * (1 - 2 * errors) if errors <= MAX_BIT_ERRORS else 0.0


def measure_likeness(one: Path, other: Path, seconds: tuple[float, float], offset: float) -> Likeness:
    """Compares two files second by second.

    Args:
        one: The first file.
        other: The second one.
        seconds: The duration of each.
        offset: How much later the second begins than the first, in seconds, to within 50 ms.
    """
    starts = max(0.0, offset), max(0.0, -offset)
    overlap = min(seconds[0] - starts[0], seconds[1] - starts[1])
    length = min(overlap, MAX_SECONDS)
    samples = int(length * CORRELATION_RATE)
    lead = (overlap - length) / 2
    waves = [
        read_segment(path, CORRELATION_RATE, samples, 0.0, (start + lead, start + lead + length)).astype(np.float64)
        for path, start in zip((one, other), starts, strict=True)
    ]
    correlation, lag = _correlate(*waves)
    powers = [float(np.mean(wave**2)) for wave in waves]
    level = 10 * np.log10(max(powers[1], 1e-12) / max(powers[0], 1e-12))
    return Likeness(correlation, offset + lag / CORRELATION_RATE, overlap, float(level))


def _correlate(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, int]:
    """The median of the best correlations of each second of ``other`` with ``one``, and their lag in samples."""
    whole = _correlations(one, other[SLACK:-SLACK])
    if not whole.size:
        return 0.0, 0
    lag = int(whole.argmax()) - SLACK
    correlations = []
    length = min(CORRELATION_RATE, len(other) - 2 * SLACK)
    for start in range(SLACK, len(other) - SLACK - length + 1, length):
        first, last = max(0, start + lag - DRIFT), start + lag + length + DRIFT
        values = _correlations(one[first:last], other[start : start + length])
        if values.size:
            correlations.append(values.max())
    return (float(np.median(correlations)), lag) if correlations else (0.0, 0)


def _correlations(around: NDArray[np.float64], block: NDArray[np.float64]) -> NDArray[np.float64]:
    """The normalised cross-correlation at every lag with the block inside; empty for silence."""
    if min(np.mean(block**2), np.mean(around**2)) < SILENCE:
        return np.zeros(0)
    sums = np.cumsum(np.append(0.0, around**2))
    energies: NDArray[np.float64] = (sums[len(block) :] - sums[: -len(block)]) * np.sum(block**2)
    values: NDArray[np.float64] = np.abs(scipy.signal.correlate(around, block, "valid"))
    return np.minimum(values / np.sqrt(np.maximum(energies, 1e-12)), 1.0)
