"""Selects the tracks to leave out, with the reasons. :mod:`genre.data.selection` reads such a list."""

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from genre.audit.faults import Examined
from genre.data.splits import OfficialSplit, Split, StratifiedSplit
from genre.data.track import SUBSETS, Corpus, Subset
from genre.errors import GenreError, printable

log = logging.getLogger(__name__)

#: The subset of each track, by its path, under each split, by its name.
Membership = Mapping[str, Mapping[Path, Subset]]

#: The copy with the lowest rank stays, so that a published test set stays complete.
RANK: Mapping[Subset | None, int] = {"test": 0, "validation": 1, "train": 2, None: 3}


def subset_membership(corpus: Corpus) -> Membership:
    """Finds the subset of each track under the official split, if there is one, and under two default splits.

    A split that the corpus is too small for is logged and left out.
    """
    splits: dict[str, Split] = {"stratified": StratifiedSplit(), "by artist": StratifiedSplit(by_artist=True)}
    if corpus.official:
        splits = {"official": OfficialSplit(), **splits}
    membership = {}
    for name, split in splits.items():
        try:
            partition = split(corpus)
        except GenreError as error:
            log.warning("no %s split: %s", name, error)
        else:
            membership[name] = {track.path: subset for subset in SUBSETS for track in partition[subset]}
    return membership


def subsets_of(subsets: Mapping[Path, Subset], paths: Iterable[Path]) -> list[Subset]:
    """The subsets that hold these tracks; if they are copies and there are several, the split separates them."""
    present = {subsets[path] for path in paths if path in subsets}
    return [subset for subset in SUBSETS if subset in present]


def select_exclusions(
    tracks: Iterable[Examined], recordings: Iterable[Sequence[Examined]], official: Mapping[Path, Subset], base: Path
) -> dict[Path, str]:
    """Selects useless tracks, and all copies of a recording but one.

    The copy with the fewest faults stays. Ties are decided by the subset of the official split (test, then validation,
    then train), a known artist, the longest duration, the highest rate, and the path, in this order. If the copies of a
    recording have different genres, none stays: a wrong label costs more than a missing track.
    """
    reasons = {
        examined.track.path: "; ".join(str(fault) for fault in examined.faults if fault.fatal)
        for examined in tracks
        if examined.useless
    }

    def preference(examined: Examined) -> tuple[float | str, ...]:
        track, rate = examined.track, examined.encoding.sample_rate if examined.encoding else 0
        length = round(examined.seconds, 1)  # copies with different codecs differ by some frames
        return len(examined.faults), RANK[official.get(track.path)], not track.artist, -length, -rate, str(track.path)

    for copies in recordings:
        genres = sorted({copy.track.genre for copy in copies})
        kept, *others = sorted(copies, key=preference)
        if len(genres) > 1:
            reasons |= {copy.track.path: f"contested: one recording as {' and as '.join(genres)}" for copy in copies}
        else:
            stays = relative_path(kept.track.path, base)
            reasons |= {copy.track.path: f"same recording as {stays}, which stays" for copy in others}
    return reasons


def relative_path(path: Path, base: Path) -> str:
    """A path relative to the data set, with forward slashes; the path itself if it is on another drive."""
    try:
        return printable(PurePosixPath(Path(os.path.relpath(path, base))))
    except ValueError:
        return printable(path)
