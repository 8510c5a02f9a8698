"""GTZAN: 1,000 excerpts of 30 s in ten genres (Tzanetakis and Cook 2002), with its artists and its honest split."""

import csv
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from genre.audio.decode import EXTENSIONS, readable
from genre.data.datamodule import GenreDataModule
from genre.data.files import require_folder, warn_of_empty, warn_of_unlisted
from genre.data.track import SUBSETS, Corpus, Subset, Track
from genre.errors import GenreError

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")


class GTZAN(GenreDataModule):
    """GTZAN as it is downloaded: ``genres_original/<genre>/<genre>.NNNNN.wav`` or ``genres/<genre>/….au``.

    The genre folders lie in the root or up to two levels below it, and any part of the tracks will do. The artists and
    the official split, which is the fault-filtered one (Kereliuk, Sturm and Larsen 2015), come with the package, so
    that every copy of GTZAN can be split honestly.

    Example:
        >>> from genre.audio import MelSpectrogram
        >>> from genre.data import GTZAN, StratifiedSplit
        >>> data = GTZAN("GTZAN", features=MelSpectrogram(), split=StratifiedSplit())
        >>> len(data.corpus.tracks), data.genres[:2]
        (80, ['blues', 'classical'])
    """

    def read_corpus(self) -> Corpus:  # noqa: D102
        return read_gtzan(self.root)


def read_gtzan(root: Path) -> Corpus:
    """Lists the tracks of GTZAN, see :class:`GTZAN`."""
    require_folder(root)
    base = find_genre_folders(root)
    tracks = find_tracks(base)
    paths = [track.path for track in tracks]
    warn_of_unlisted(base, paths, "not named as GTZAN's tracks", as_folder=True)
    warn_of_empty([base / genre for genre in GENRES if (base / genre).is_dir()], paths)
    return Corpus(tracks, fault_filtered_split())


def find_genre_folders(root: Path) -> Path:
    """The folder that holds the genre folders: ``root``, or one up to two levels below it."""
    for base in (root, *sorted(root.glob("*/")), *sorted(root.glob("*/*/"))):
        if any((base / genre).is_dir() for genre in GENRES):
            return base
    raise GenreError(
        f"{root}: found no folder of a GTZAN genre ({', '.join(GENRES[:3])}, …) there or up to two levels below; "
        "data.root should hold genres_original/ or genres/"
    )


def find_tracks(base: Path) -> list[Track]:
    """The files in the genre folders with the names of GTZAN's tracks, one format of each."""
    artists = read_artists()
    tracks = {
        path.stem: Track(path, genre, artists.get(path.stem) or None)
        for genre in GENRES
        for path in sorted((base / genre).glob(f"{genre}.*"))
        if path.suffix.lower() in EXTENSIONS and readable(path)
    }
    return list(tracks.values())


def read_artists() -> dict[str, str]:
    """Maps track names, such as ``blues.00000``, to artists; empty where unknown. Source: Sturm 2014."""
    with _resource("artists.csv").open(encoding="utf-8") as lines:
        return {row["track"]: row["artist"] for row in csv.DictReader(lines)}


def fault_filtered_split() -> dict[str, Subset]:
    """Maps track names to subsets of 443, 197 and 290 tracks (Kereliuk, Sturm and Larsen 2015)."""
    return {
        name: subset for subset in SUBSETS for name in _resource(f"{subset}.txt").read_text(encoding="utf-8").split()
    }


def _resource(name: str) -> Traversable:
    return files("genre.data") / "gtzan_lists" / name
