"""The tracks of a data set that are used, by subset, with and without bad files, and the statistics of the features."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from torch import Tensor

from genre.audio.features import Feature, Statistic
from genre.data.exclusions import exclude
from genre.data.files import BadFiles, Readable, scan
from genre.data.names import class_indices, unknown_names
from genre.data.segments import Draw, Segments
from genre.data.splits import Split
from genre.data.tags import tag_artists
from genre.data.track import Corpus, Subset, Track
from genre.errors import GenreError

log = logging.getLogger(__name__)

#: The largest number of train tracks that the features' statistics are measured on.
MEASURED_TRACKS = 200


def select_tracks(
    corpus: Corpus, root: Path, exclusions: Path | None, artist: Literal["tags"] | None, data_set: str
) -> Corpus:
    """Drops the excluded tracks of a data set below ``root``, checks its genres, and sets the artists.

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


def class_names(corpus: Corpus, classes: Sequence[str] | None) -> list[str]:
    """The names of the classes: the genres of a corpus, or the classes of a model.

    Raises:
        GenreError: The corpus has a genre that is not among the classes of the model.
    """
    if classes is None:
        return list(corpus.genres)
    unknown = unknown_names(corpus.genres, classes)
    if unknown:
        raise GenreError(
            f"the data has {len(unknown)} genre(s) that the model does not know: {', '.join(unknown)}; "
            f"it knows {', '.join(classes)}"
        )
    return list(classes)


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
        key: Identifies the state of the split, see :func:`split_key`.
        partition: The tracks of each subset, including bad files: a split does not depend on the content of files.
        statistics: The features' mean and standard deviation, where they were measured on the train tracks.

    Raises:
        GenreError: The train subset is empty, or the validation subset, or (without validation) the test subset.
    """

    def __init__(self, corpus: Corpus, split: Split, bad_files: BadFiles) -> None:
        self.partition = split(corpus)
        self.split_name, self.key = type(split).__name__, split_key(split)  # the call may have changed the split
        self.bad_files = bad_files
        self.statistics: tuple[Statistic, Statistic] | None = None
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

    def measure(self, features: Feature, segments: Segments) -> None:
        """Measures the statistics on up to :data:`MEASURED_TRACKS` train tracks; moves the features to the CPU.

        Reads the middle of tracks that are spread evenly over all, so the same tracks give the same statistics.

        Raises:
            GenreError: None of these tracks can be read.
        """
        tracks = segments.tracks
        count = min(MEASURED_TRACKS, len(tracks))
        picked = np.linspace(0, len(tracks) - 1, count).round().astype(int).tolist()

        def waveforms() -> Iterator[Tensor]:
            for index in picked:
                middle = segments.read(Draw(index, 0.5), -1)
                if middle.valid:
                    yield middle.waveform[0].cpu()
                else:
                    self.bad_files.note(tracks[index].path, middle.faults[index])

        try:
            features.cpu().measure(waveforms())
        except GenreError as error:
            if all(tracks[index].path in self.bad_files for index in picked):
                raise GenreError(f"every file of the train split is bad; one is {self.bad_files.first()}") from error
            raise
        self.statistics = features.mean, features.std
