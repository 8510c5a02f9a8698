"""A CSV file that lists tracks."""

import csv
from pathlib import Path

from genre.data.datamodule import GenreDataModule
from genre.data.track import Corpus, Track
from genre.errors import GenreError


class CSV(GenreDataModule):
    """Tracks listed in a CSV file with the columns ``path``, ``genre`` and, optionally, ``artist``.

    ``root`` is the CSV file itself; relative paths in it start at its folder.
    """

    def read_corpus(self) -> Corpus:  # noqa: D102
        if not self.root.is_file():
            raise GenreError(f"{self.root}: found no file, expected a CSV of tracks; check data.root")
        return read_track_list(self.root)


def read_track_list(path: Path) -> Corpus:
    """The tracks that a CSV file lists.

    Raises:
        GenreError: The file is no CSV, or a column or a value is missing.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise GenreError(f"{path}: not a CSV file in UTF-8 ({error})") from None
    if {"path", "genre"} - set(reader.fieldnames or ()):
        found = ", ".join(reader.fieldnames or ()) or "none"
        raise GenreError(f"{path}: found the columns {found}; expected path, genre and optionally artist")
    for number, row in enumerate(rows, start=2):
        if not row["path"] or not row["genre"]:
            raise GenreError(f"{path}, line {number}: path or genre is empty; fill it in or remove the line")
    return Corpus([Track(path.parent / row["path"], row["genre"], row.get("artist") or None) for row in rows])
