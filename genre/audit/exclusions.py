"""Which tracks to leave out, and why."""

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from genre.audit.faults import Examined
from genre.data.splits import OfficialSplit, Split, StratifiedSplit
from genre.data.track import SUBSETS, Corpus, Subset
from genre.errors import GenreError, printable

log = logging.getLogger(__name__)

#: Of every split, by name, the subset of each track, by path.
Membership = Mapping[str, Mapping[Path, Subset]]

#: Of copies the one in the later subset stays, so that a published test set stays whole.
RANK: Mapping[Subset | None, int] = {"test": 0, "validation": 1, "train": 2, None: 3}


def subset_membership(corpus: Corpus) -> Membership:
    """Finds the subset of each track under the official split, where there is one, and under the default ones.

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
    """The subsets that some tracks stand in; more than one means that the split tears them apart."""
    present = {subsets[path] for path in paths if path in subsets}
    return [subset for subset in SUBSETS if subset in present]


def select_exclusions(
    tracks: Iterable[Examined], recordings: Iterable[Sequence[Examined]], official: Mapping[Path, Subset], base: Path
) -> dict[Path, str]:
    """Selects useless tracks, and all copies of a recording but one.

    The copy that stays has the fewest faults; among equals it stands in the latest subset of the official split, has a
    known artist, is the longest, has the highest rate, comes first. Of a recording whose copies have different genres
    none stays: nobody knows which label is right, and a wrong one costs more than a track.
    """
    reasons = {
        examined.track.path: "; ".join(str(fault) for fault in examined.faults if fault.fatal)
        for examined in tracks
        if examined.useless
    }

    def preference(examined: Examined) -> tuple[float | str, ...]:
        track, rate = examined.track, examined.encoding.sample_rate if examined.encoding else 0
        length = round(examined.seconds, 1)  # copies of one length differ by some frames where their codecs do
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
    """A path relative to the data set, with forward slashes; the path itself where it is on another drive."""
    try:
        return printable(PurePosixPath(Path(os.path.relpath(path, base))))
    except ValueError:
        return printable(path)
