"""Which recordings may be the same: those whose fingerprints have equal sub-fingerprints at one offset."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genre.audit.fingerprint import HOP_LENGTH, SAMPLE_RATE, Fingerprint, bit_error_rate

#: So many equal sub-fingerprints at one offset make a candidate: of a copy of 2 s at 64 kbit/s there are 16 or more.
VOTES = 2

#: The rate of bit errors over the whole overlap up to which two recordings may be one: copies at 16 to 64 kbit/s, with
#: noise or heavily clipped, reach 0.24. Haitsma and Kalker take 0.35, which tracks that share a loop reach, too.
ERRORS = 0.25

#: The shortest overlap that is looked at: 1 s, and the 0.4 s that the first sub-fingerprint takes.
OVERLAP = round(1.0 * SAMPLE_RATE / HOP_LENGTH)

#: Of equal sub-fingerprints each is compared with so many others: what many recordings share tells nothing.
NEIGHBOURS = 32


class Candidate(NamedTuple):
    """Two recordings, by index, of which ``other`` begins ``offset`` hops after ``one``, or before where negative."""

    one: int
    other: int
    offset: int


def find_candidates(fingerprints: Sequence[Fingerprint]) -> list[Candidate]:
    """Looks up equal sub-fingerprints in one sorted index of all: the cost grows with the audio, not with its square.

    Returns:
        For every two recordings at most one candidate, at the offset where they have the most in common.
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
    """The offsets at which two recordings have at least ``VOTES`` equal sub-fingerprints."""
    codes, tracks, times = _index(fingerprints)
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
    return [Candidate(*map(int, ballot)) for ballot in ballots[counts + joined >= VOTES]]


def _index(fingerprints: Sequence[Fingerprint]) -> tuple[NDArray[np.uint32], NDArray[np.int32], NDArray[np.int32]]:
    """All sub-fingerprints, sorted; of which recording each is; at which hop. Silence and repeats are left out."""
    if not fingerprints:
        return np.zeros(0, np.uint32), np.zeros(0, np.int32), np.zeros(0, np.int32)
    kept = [_starts(codes) for codes in fingerprints]
    codes = np.concatenate([codes[hops] for codes, hops in zip(fingerprints, kept, strict=True)])
    tracks = np.repeat(np.arange(len(kept), dtype=np.int32), [len(hops) for hops in kept])
    order = np.argsort(codes, kind="stable")  # stable: of equal ones the first recording's come first
    return codes[order], tracks[order], np.concatenate(kept)[order]


def _starts(codes: Fingerprint) -> NDArray[np.int32]:
    """The hops at which the sub-fingerprint is another one than before, and not silence."""
    return np.flatnonzero((codes != 0) & (codes != np.append(0, codes[:-1]))).astype(np.int32)


def _common(fingerprints: Sequence[Fingerprint], candidate: Candidate) -> float:
    """How much two recordings have in common: the hops of their overlap, less what bit errors make of chance.

    0 where the overlap is too short, or has too many errors for one recording.
    """
    one = fingerprints[candidate.one][max(0, candidate.offset) :]
    other = fingerprints[candidate.other][max(0, -candidate.offset) :]
    length = min(len(one), len(other))
    if length < OVERLAP:
        return 0.0
    errors = bit_error_rate(one[:length], other[:length])
    return length * (1 - 2 * errors) if errors <= ERRORS else 0.0
