"""Prepares features and augmentation for a DataModule: copies, checks, statistics."""

import copy
from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np
from torch import Tensor, nn

from genre.audio.features import Feature
from genre.data.scan import BadFiles
from genre.data.segments import Draw, Segments
from genre.errors import GenreError

#: The largest number of train tracks that the features' statistics are measured on.
MEASURED_TRACKS = 200

Given = TypeVar("Given")


class Statistics:
    """Tracks where the mean and standard deviation of a DataModule's features come from."""

    def __init__(self, features: Feature) -> None:
        self._given = features.mean, features.std
        self._measured: tuple[object, ...] | None = None

    def begin_fit(self, features: Feature, split: str) -> None:
        """Resets statistics that were measured under another split, or that come from a classifier."""
        if self._measured != (split, features.mean, features.std):
            features.set_statistics(*self._given)

    def measure(self, features: Feature, segments: Segments, bad_files: BadFiles, split: str) -> None:
        """Measures the statistics on up to :data:`MEASURED_TRACKS` train tracks; moves the features to the CPU.

        Reads the middle of tracks that are spread evenly over all, so the same tracks give the same statistics.
        ``split`` is the key of the split, see :func:`genre.data.subsets.split_key`.
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
                    bad_files.note(tracks[index].path, middle.faults[index])

        try:
            features.cpu().measure(waveforms())
        except GenreError as error:
            if all(tracks[index].path in bad_files for index in picked):
                raise GenreError(f"every file of the train split is bad; one is {bad_files.first()}") from error
            raise
        self._measured = split, features.mean, features.std


def require_sample_rate(features: Feature, modules: Iterable[nn.Module]) -> None:
    """Raises a :class:`~genre.GenreError` if a module is made for another sample rate than the features."""
    for module in modules:
        rate = getattr(module, "sample_rate", features.sample_rate)
        if rate != features.sample_rate:
            raise GenreError(
                f"{type(module).__name__} is made for {rate} Hz, the features use {features.sample_rate} Hz; give "
                f"it sample_rate: {features.sample_rate}"
            )


def copy_given(given: Given) -> Given:
    """Copies several objects at once, so that parts that they share stay shared."""
    try:
        return copy.deepcopy(given)
    except Exception as error:  # a module of the caller's may hold anything
        raise GenreError(
            f"the DataModule copies features, split and augmentation, and one of them cannot be copied ({error}); "
            "leave locks, open files and random generators out of their attributes"
        ) from error
