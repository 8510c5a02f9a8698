"""The built-in corpus, for seeing the whole library work without any data."""

from genre.data.csv import read_track_list
from genre.data.datamodule import GenreDataModule
from genre.data.synthetic_corpus import write_corpus
from genre.data.track import Corpus
from genre.errors import GenreError


class Synthetic(GenreDataModule):
    """Synthetic music, rendered into ``root`` when it is not there yet: 10 genres, 5 artists each, 400 clips of 4 s."""

    def read_corpus(self) -> Corpus:  # noqa: D102
        try:
            write_corpus(self.root)
        except OSError as error:
            raise GenreError(f"{error}; check data.root") from None
        return read_track_list(self.root / "tracks.csv")
