"""The built-in corpus, for seeing the whole library work without any data."""

from pathlib import Path

from genre.data.csv import read_track_list
from genre.data.datamodule import GenreDataModule
from genre.data.synthetic_corpus import write_corpus
from genre.data.track import Corpus
from genre.errors import GenreError


class Synthetic(GenreDataModule):
    """Synthetic music, rendered into ``root`` where it is not there yet: 400 clips of 4 s of 10 genres with 5 artists each."""

    def read_corpus(self) -> Corpus:  # noqa: D102
        return read_synthetic(self.root)


def read_synthetic(root: Path) -> Corpus:
    """Renders the corpus into a folder, unless it is there, and lists its tracks.

    Raises:
        GenreError: The folder holds something else, or cannot be written.
    """
    try:
        write_corpus(root)
    except OSError as error:
        raise GenreError(f"{error}; check data.root") from None
    return read_track_list(root / "tracks.csv")
