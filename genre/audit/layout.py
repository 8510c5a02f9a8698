"""Recognises the data set that a folder holds."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from genre.data.ballroom import class_folders, find_classes, read_ballroom
from genre.data.csv import read_track_list
from genre.data.files import unlisted_files
from genre.data.fma import find_audio, read_fma
from genre.data.folder import read_folder
from genre.data.gtzan import find_genre_folders, find_tracks, read_gtzan
from genre.data.tags import tag_artists
from genre.data.track import Corpus
from genre.errors import GenreError

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
