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
            for _, row in rows:
                row |= {name: (row.get(name) or "").strip() for name in ("genre", "artist")}
    except (UnicodeDecodeError, csv.Error) as error:
        raise GenreError(f"{path}: not a CSV file in UTF-8 ({error})") from None
    if {"path", "genre"} - set(columns):
        names = ", ".join(columns) or "none"
        raise GenreError(f"{path}: found the columns {names}; expected path, genre and optionally artist")
    files: list[Path] = []
    seen: dict[Path, int] = {}
    locate = _locator(path.parent)
    for number, row in rows:
        if not row["path"] or not row["genre"]:
            raise GenreError(f"{path}, line {number}: path or genre is empty; fill it in or remove the line")
        files.append(locate(row["path"]))
        first = seen.setdefault(files[-1], number)
        if first != number:
            raise GenreError(f"{path}, line {number}: {row['path']} stands on line {first} already; remove one of them")
    return Corpus([Track(file, row["genre"], row["artist"]) for file, (_, row) in zip(files, rows, strict=True)])


def _locator(base: Path) -> Callable[[str], Path]:
    """A function that finds a listed file, also where its name on disk has another Unicode form than in the list."""

    @cache
    def names(folder: Path) -> dict[str, list[str]]:
        forms: dict[str, list[str]] = {}
        for entry in folder.iterdir():
            forms.setdefault(composed(entry.name), []).append(entry.name)
        return forms

    def locate(listed: str) -> Path:
        path = base / listed
        if listed.isascii() or path.exists():
            return path
        place = Path(path.anchor)
        for part in path.relative_to(place).parts:
            if not (place / part).exists():
                forms = names(place).get(composed(part), []) if place.is_dir() else []
                if len(forms) != 1:
                    return path
                part = forms[0]
            place /= part
        return place

    return locate
