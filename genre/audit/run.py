"""``genre audit``: lists and decodes the tracks of a data set; reports faults, copies, and the tracks to leave out."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from logging.handlers import BufferingHandler
from pathlib import Path
from typing import Literal

from genre.audit.duplicates import find_pairs, group
from genre.audit.exclusions import select_exclusions, subset_membership
from genre.audit.faults import Limits, examine_all
from genre.audit.output import Findings, plural
from genre.data.ballroom import class_folders, find_classes, read_ballroom
from genre.data.csv import read_track_list
from genre.data.files import unlisted_files
from genre.data.fma import find_audio, read_fma
from genre.data.folder import read_folder
from genre.data.gtzan import find_genre_folders, find_tracks, read_gtzan
from genre.data.selection import tag_artists
from genre.data.track import Corpus
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
    with _collect_warnings("genre.data") as warnings:
        name, root, corpus = read_data_set(root, data, artist)
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
    for line in (*findings.summary(), *(record.getMessage() for record in warnings)):
        say(line)
    say(f"{out}: tracks.csv, pairs.csv, genres.csv, exclude.txt")
    if excluded:
        say(f"leave out {plural(excluded, 'track')} with --data.exclude {out / 'exclude.txt'}")


@contextmanager
def _collect_warnings(name: str) -> Iterator[list[logging.LogRecord]]:
    """Collects the warnings of a logger, so that they can be repeated after a long run."""
    collector, logger = BufferingHandler(sys.maxsize), logging.getLogger(name)
    collector.setLevel(logging.WARNING)
    logger.addHandler(collector)
    try:
        yield collector.buffer
    finally:
        logger.removeHandler(collector)


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
