"""Which tracks to leave out, and why."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from genre.audit.examine import Examined
from genre.audit.files import relative
from genre.data.track import Subset

#: Of copies the one in the later subset stays, so that a published test set stays whole.
RANK: Mapping[Subset | None, int] = {"test": 0, "validation": 1, "train": 2, None: 3}


def select_exclusions(
    tracks: Iterable[Examined], recordings: Sequence[Sequence[Examined]], official: Mapping[Path, Subset], base: Path
) -> dict[Path, str]:
    """Useless tracks, and all copies of a recording but one.

    The copy that stays has the fewest faults; among equals it stands in the latest subset of the official split, has a
    known artist, is the longest, has the highest rate, comes first. Of a recording whose copies bear different genres
    none stays: nobody knows which label is right, and a wrong one costs more than a track.

    Args:
        tracks: All tracks.
        recordings: The tracks of every recording that there is more than once.
        official: Path to subset of the official split.
        base: The folder that paths are told from.

    Returns:
        Path to reason.
    """
    reasons = {
        found.track.path: "; ".join(str(fault) for fault in found.faults if fault.fatal)
        for found in tracks
        if found.useless
    }

    def order(found: Examined) -> tuple[float | str, ...]:
        rate = found.encoding.sample_rate if found.encoding else 0
        subset = RANK[official.get(found.track.path)]
        # Copies of one length differ by some frames where their codecs do.
        unknown = not found.track.artist
        return len(found.faults), subset, unknown, -round(found.seconds, 1), -rate, str(found.track.path)

    for copies in recordings:
        genres = sorted({found.track.genre for found in copies})
        kept, *others = sorted(copies, key=order)
        if len(genres) > 1:
            reasons |= {found.track.path: f"contested: one recording as {' and as '.join(genres)}" for found in copies}
        else:
            stays = relative(kept.track.path, base)
            reasons |= {found.track.path: f"same recording as {stays}, which stays" for found in others}
    return reasons
