"""The tracks of a corpus by subset, with and without bad files."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from genre.data.exclusions import exclude
from genre.data.names import class_indices, unknown_names
from genre.data.scan import BadFiles, Readable, scan
from genre.data.splits import Split
from genre.data.tags import tag_artists
from genre.data.track import Corpus, Subset, Track
from genre.errors import GenreError

log = logging.getLogger(__name__)


def select_tracks(
    corpus: Corpus, root: Path, exclusions: Path | None, artist: Literal["tags"] | None, data_set: str
) -> Corpus:
    """Selects the tracks of a data set: those below its root without the excluded ones; sets their artists.

    ``exclusions`` is a list for :func:`genre.data.exclusions.read_exclusions`; the artists are those of the corpus or,
    with ``tags``, those of the files' tags; ``data_set`` is the name of the data set, for messages.
    """
    if exclusions is not None:
        corpus = exclude(corpus, exclusions, root)
    corpus.require_distinct_genres(root)
    if len(corpus.genres) < 2:
        raise GenreError(
            f"{root}: found {len(corpus.tracks)} tracks of {len(corpus.genres)} genre(s) for {data_set}, expected at "
            "least 2 genres; check data.root" + (" and data.exclude" if exclusions else "")
        )
    return tag_artists(corpus) if artist == "tags" else corpus


def require_known_genres(corpus: Corpus, classes: Sequence[str]) -> None:
    """Raises a :class:`~genre.GenreError` if a corpus has a genre that is not among the classes of a model."""
    unknown = unknown_names(corpus.genres, classes)
    if unknown:
        raise GenreError(
            f"the data has {len(unknown)} genre(s) that the model does not know: {', '.join(unknown)}; "
            f"it knows {', '.join(classes)}"
        )


def weigh_classes(
    weights: Sequence[float] | Literal["balanced"] | None, genres: Sequence[str], tracks: Sequence[Track] | None
) -> Sequence[float] | None:
    """The weight of each genre in the training loss.

    ``balanced`` weights are inverse to the number of train tracks, with a mean of 1 over all tracks; ``tracks`` is
    ``None`` if they are unknown.
    """
    if weights == "balanced":
        if tracks is None:
            raise GenreError("class_weights: balanced needs trainer.fit(classifier, datamodule=GenreDataModule(…))")
        targets = class_indices((track.genre for track in tracks), genres)
        return [len(targets) / max(1, targets.count(index)) / len(genres) for index in range(len(genres))]
    if weights is not None and len(weights) != len(genres):
        raise GenreError(f"class_weights has {len(weights)} weights for {len(genres)} genres")
    return weights


def split_key(split: Split) -> str:
    """Identifies the state of a split by its class and its attributes, which may be changed in place."""
    return f"{type(split).__qualname__} {vars(split)}"


class Subsets:
    """The tracks of a corpus by subset, under one state of a split.

    Attributes:
        partition: The tracks of each subset, including bad files: a split does not depend on the content of files.

    Raises:
        GenreError: The train subset is empty, or the validation subset, or (without validation) the test subset.
    """

    def __init__(self, corpus: Corpus, split: Split, bad_files: BadFiles) -> None:
        self.partition = split(corpus)
        self.split_name = type(split).__name__
        self.bad_files = bad_files
        self._readable: dict[Subset, list[Readable]] = {}
        needed: tuple[Subset, ...] = ("train", "validation") if split.has_validation else ("train", "test")
        for subset in needed:
            if not self.partition[subset]:
                raise GenreError(f"the split leaves no {subset} track of {len(corpus.tracks)}; choose another")

    @property
    def test_subset(self) -> Subset:
        """The subset that is tested: ``validation`` if the split has no test track."""
        return "test" if self.partition["test"] else "validation"

    def prepare(self, stage: str) -> None:
        """Reads the headers of the subsets that a stage of the Trainer needs."""
        if stage == "validate" and not self.partition["validation"]:
            raise GenreError(
                f"{self.split_name} has no validation subset here: there is nothing to validate; score the "
                "test tracks, or choose a split with a validation subset"
            )
        subsets: dict[str, tuple[Subset, ...]] = {"fit": ("train", "validation"), "validate": ("validation",)}
        for subset in subsets.get(stage, (self.test_subset,)):
            self.readable(subset)
        if stage in ("test", "predict") and self.test_subset != "test":
            log.warning("the split has no test track at hand: testing on the validation tracks")

    def readable(self, subset: Subset) -> list[Readable]:
        """The readable tracks of a subset, whose headers are read once; empty if the split has no such subset.

        Raises:
            GenreError: Every file of the subset is bad.
        """
        tracks = self.partition[subset]
        if subset not in self._readable:
            readable = scan(tracks, self.bad_files)
            if tracks and not readable:
                raise GenreError(
                    f"every file of the {subset} split is bad ({len(tracks)} files); one is {self.bad_files.first()}"
                )
            self._readable[subset] = readable
        return self._readable[subset]

    def cut_train_tracks(self, seconds: float) -> list[Track]:
        """The non-overlapping segments of the train tracks, ``seconds`` long each."""
        return [segment for track, duration in self.readable("train") for segment in track.cut(duration, seconds)]
