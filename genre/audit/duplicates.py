"""Which tracks are the same recording."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from genre.audio.decode import AudioError
from genre.audit.candidates import find_candidates
from genre.audit.correlation import Likeness, compare
from genre.audit.examine import Examined
from genre.audit.fingerprint import seconds

#: The least correlation of one recording with itself. Copies at 16 to 64 kbit/s, clipped, noisy or with another tone
#: reach 0.78 and more, different recordings 0.2; in between lie tracks that share a loop under other voices.
CORRELATION = 0.75


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

    Of several exact copies each is paired with the first one only, and that one alone with its near copies:
    :func:`group` puts them together.
    """
    originals: dict[str, Examined] = {}
    pairs = []
    for track in tracks:
        if not track.checksum:
            continue
        first = originals.setdefault(track.checksum, track)
        if first is not track:
            pairs.append(Pair(first, track, "exact", Likeness(1.0, 0.0, track.seconds, 0.0)))
    different = list(originals.values())
    for candidate in find_candidates([track.fingerprint for track in different]):
        one, other = different[candidate.one], different[candidate.other]
        try:
            durations = one.seconds, other.seconds
            likeness = compare(one.track.path, other.track.path, durations, seconds(candidate.offset))
        except AudioError:  # gone since it was examined
            continue
        if likeness.correlation >= CORRELATION:
            pairs.append(Pair(one, other, "near", likeness))
    return pairs


def group(pairs: Sequence[Pair]) -> list[list[Examined]]:
    """The tracks of every recording that there is more than once."""
    tracks = list(dict.fromkeys(track for pair in pairs for track in (pair.one, pair.other)))
    if not tracks:
        return []
    places = {track: place for place, track in enumerate(tracks)}
    rows, columns = ([places[track] for track in side] for side in zip(*((p.one, p.other) for p in pairs), strict=True))
    links = coo_array(([True] * len(pairs), (rows, columns)), shape=(len(tracks), len(tracks)))
    count, labels = connected_components(links, directed=False)
    return [[track for track, label in zip(tracks, labels, strict=True) if label == wanted] for wanted in range(count)]
