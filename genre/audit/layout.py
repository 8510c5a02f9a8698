"""Which data set a folder holds."""

from pathlib import Path
from typing import Literal

from genre.audio.features import MelSpectrogram
from genre.data.ballroom import Ballroom, class_folders, find_classes
from genre.data.csv import CSV
from genre.data.datamodule import GenreDataModule
from genre.data.fma import FMA, find_audio
from genre.data.folder import Folder, unlisted_files
from genre.data.gtzan import GTZAN, find_genres, find_tracks
from genre.data.splits import StratifiedSplit
from genre.data.tags import tag_artists
from genre.data.track import Corpus
from genre.errors import GenreError

DATA_SETS: dict[str, type[GenreDataModule]] = {
    "GTZAN": GTZAN,
    "FMA": FMA,
    "Ballroom": Ballroom,
    "Folder": Folder,
    "CSV": CSV,
}

#: So many folders with the names of dances make a ballroom data set: Ballroom has 8, any collection may have a salsa.
DANCES = 6


def read_corpus(root: Path, name: str | None = None, artist: Literal["tags"] | None = None) -> tuple[str, Path, Corpus]:
    """Lists the tracks of a data set.

    Args:
        root: Where it lies.
        name: Which of ``DATA_SETS`` it is; ``None``: what the layout looks like.
        artist: Where the artists come from, see :class:`~genre.data.GenreDataModule`.

    Returns:
        The name of the data set, its root (of the built-in corpus, the list in it), and its tracks.

    Raises:
        GenreError: There is nothing, or not that data set.
    """
    if not root.exists():
        raise GenreError(f"{root}: found nothing there, expected the folder of a data set or a CSV file of tracks")
    name = name or _guess(root)
    if name == "CSV" and (root / "corpus.json").is_file():
        root = root / "tracks.csv"
    return name, root, _read(root, name, artist)


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
    """Whether there are files such as ``rock/rock.00000.wav``, and not more others: folders named so are not enough."""
    base = find_genres(root)
    tracks = find_tracks(base)
    return 0 < len(tracks) >= len(unlisted_files(base, (track.path for track in tracks)))


def _holds_ballroom(root: Path) -> bool:
    return len(class_folders(find_classes(root))) >= DANCES


def _read(root: Path, name: str, artist: Literal["tags"] | None) -> Corpus:
    # Features and split are not used for listing tracks.
    corpus = DATA_SETS[name](root, MelSpectrogram(), StratifiedSplit()).read_corpus()
    corpus.require_distinct_genres(root)
    return tag_artists(corpus) if artist == "tags" else corpus
