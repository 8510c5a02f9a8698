"""A CSV file that lists tracks."""

import csv
from collections.abc import Callable
from functools import cache
from pathlib import Path

from genre.data.datamodule import GenreDataModule
from genre.data.names import composed
from genre.data.track import Corpus, Track
from genre.errors import GenreError


class CSV(GenreDataModule):
    """Tracks listed in a CSV file with the columns ``path``, ``genre`` and, optionally, ``artist``.

    ``root`` is the CSV file itself; relative paths in it start at its folder.

    Example:
        >>> from genre.audio import MelSpectrogram
        >>> from genre.data import CSV, StratifiedSplit
        >>> data = CSV("tracks.csv", features=MelSpectrogram(), split=StratifiedSplit())
        >>> len(data.corpus.tracks), data.genres[:2]
        (24, ['genre0', 'genre1'])
    """

    def read_corpus(self) -> Corpus:  # noqa: D102
        return read_track_list(self.root)


def read_track_list(path: Path) -> Corpus:
    """Lists the tracks of a CSV file, see :class:`CSV`."""
    if not path.is_file():
        raise GenreError(f"{path}: found no file, expected a CSV of tracks; check data.root")
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            columns = reader.fieldnames or ()
            rows = [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise GenreError(f"{path}: not a CSV file in UTF-8 ({error})") from None
    if {"path", "genre"} - set(columns):
        names = ", ".join(columns) or "none"
        raise GenreError(f"{path}: found the columns {names}; expected path, genre and optionally artist")
    tracks: list[Track] = []
    lines_of: dict[Path, int] = {}
    locate = _locator()
    for number, row in rows:
        name, genre, artist = row["path"], *((row.get(column) or "").strip() for column in ("genre", "artist"))
        if not name or not genre:
            raise GenreError(f"{path}, line {number}: path or genre is empty; fill it in or remove the line")
        file = path.parent / name if name.isascii() else locate(path.parent / name)
        first = lines_of.setdefault(file, number)
        if first != number:
            raise GenreError(f"{path}, line {number}: {name} stands on line {first} already; remove one of them")
        tracks.append(Track(file, genre, artist))
    return Corpus(tracks)


def _locator() -> Callable[[Path], Path]:
    """A function that finds a listed file, also where its name on disk has another Unicode form than in the list."""

    @cache
    def entries(folder: Path) -> dict[str, list[Path]]:
        forms: dict[str, list[Path]] = {}
        for entry in folder.iterdir():
            forms.setdefault(composed(entry.name), []).append(entry)
        return forms

    def locate(path: Path) -> Path:
        if path.exists():
            return path
        folder = locate(path.parent)
        matches = entries(folder).get(composed(path.name), []) if folder.is_dir() else []
        return matches[0] if len(matches) == 1 else path

    return locate
