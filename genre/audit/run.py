"""``genre audit``: its steps, from the list of the tracks to the list of those to leave out.

:mod:`genre.data.exclusions` reads the list of the tracks to leave out.
"""

import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from logging.handlers import BufferingHandler
from pathlib import Path
from typing import Literal

from genre.audit.duplicates import find_pairs, group
from genre.audit.faults import Examined, Limits, examine_all
from genre.audit.output import Findings, Membership, plural, relative_path
from genre.data.ballroom import class_folders, find_classes, read_ballroom
from genre.data.csv import read_track_list
from genre.data.files import unlisted_files
from genre.data.fma import find_audio, read_fma
from genre.data.folder import read_folder
from genre.data.gtzan import find_genre_folders, find_tracks, read_gtzan
from genre.data.splits import OfficialSplit, Split, StratifiedSplit
from genre.data.tags import tag_artists
from genre.data.track import Corpus, Subset
from genre.errors import GenreError
from genre.terminal import progress, say, terminal

#: The functions that list the tracks of a data set, by the name of its DataModule.
READERS: dict[str, Callable[[Path], Corpus]] = {
    "GTZAN": read_gtzan,
    "FMA": read_fma,
    "Ballroom": read_ballroom,
    "Folder": read_folder,
    "CSV": read_track_list,
}

#: The smallest number of folders with names of dances in Ballroom, which has 8; any collection may have a salsa.
MIN_DANCES = 6

#: The copy with the lowest rank stays, so that a published test set stays complete.
RANK: Mapping[Subset | None, int] = {"test": 0, "validation": 1, "train": 2, None: 3}

log = logging.getLogger(__name__)


def audit(root: Path, out: Path, data: str | None, limits: Limits, artist: Literal["tags"] | None) -> None:
    """Examines a data set, prints the findings, and writes them to a folder.

    Args:
        root: The data set's folder, or a CSV file of tracks.
        out: The folder of the findings; made if missing.
        data: The name of the data set; ``None``: the one that its folders look like.
        limits: The usual durations.
        artist: Whether the artists come from the files' tags.

    Raises:
        GenreError: ``root`` holds no data set.
        OSError: ``out`` cannot be written.
    """
    logging.basicConfig(format="genre: %(message)s", level=logging.WARNING)
    warnings, logger = BufferingHandler(sys.maxsize), logging.getLogger("genre.data")
    warnings.setLevel(logging.WARNING)
    logger.addHandler(warnings)  # they are repeated after the long run
    try:
        name, root, corpus = read_data_set(root, data, artist)
    finally:
        logger.removeHandler(warnings)
    say(f"{root}: {plural(corpus.tracks, 'track')} of {plural(corpus.genres, 'genre')}, read as {name}")
    out.mkdir(parents=True, exist_ok=True)
    base = root if root.is_dir() else root.parent
    tracks = list(progress(examine_all(corpus.tracks, limits), "decoding", len(corpus.tracks)))
    with terminal().status("comparing"):
        pairs = find_pairs(tracks)
    recordings = group(pairs)
    membership = subset_membership(corpus)
    excluded = select_exclusions(tracks, recordings, membership.get("official", {}), base)
    findings = Findings(base, tracks, pairs, recordings, membership, excluded)
    findings.write(out)
    findings.show()
    for line in (*findings.summary(), *(record.getMessage() for record in warnings.buffer)):
        say(line)
    say(f"{out}: tracks.csv, pairs.csv, genres.csv, exclude.txt")
    if excluded:
        say(f"leave out {plural(excluded, 'track')} with --data.exclude {out / 'exclude.txt'}")


def read_data_set(
    root: Path, name: str | None = None, artist: Literal["tags"] | None = None
) -> tuple[str, Path, Corpus]:
    """Lists the tracks of a data set.

    Returns:
        The name of the data set, its root (for the synthetic corpus, its list of tracks), and its tracks.
    """
    if not root.exists():
        raise GenreError(f"{root}: found nothing there, expected the folder of a data set or a CSV file of tracks")
    name = name or _guess(root)
    if name == "CSV" and (root / "corpus.json").is_file():
        root = root / "tracks.csv"
    corpus = READERS[name](root)
    corpus.require_distinct_genres(root)
    return name, root, tag_artists(corpus) if artist == "tags" else corpus


def _guess(root: Path) -> str:
    if root.is_file() or ((root / "corpus.json").is_file() and (root / "tracks.csv").is_file()):
        return "CSV"
    for name, holds in (("GTZAN", _holds_gtzan), ("FMA", find_audio), ("Ballroom", _holds_ballroom)):
        try:
            if holds(root):
                return name
        except GenreError:
            pass
    return "Folder"


def _holds_gtzan(root: Path) -> bool:
    """Whether at least half of the files have names such as ``rock/rock.00000.wav``: folders alone are not enough."""
    base = find_genre_folders(root)
    tracks = find_tracks(base)
    return 0 < len(tracks) >= len(unlisted_files(base, (track.path for track in tracks)))


def _holds_ballroom(root: Path) -> bool:
    return len(class_folders(find_classes(root))) >= MIN_DANCES


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
            membership[name] = {track.path: subset for subset, tracks in split(corpus).items() for track in tracks}
        except GenreError as error:
            log.warning("no %s split: %s", name, error)
    return membership


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
