"""The features' statistics, measured on train tracks."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from genre.audio.decode import AudioError, read_segment
from genre.audio.features import Feature
from genre.data.scan import BadFiles
from genre.data.track import Track
from genre.errors import GenreError


def measure(features: Feature, tracks: Sequence[Track], samples: int, most: int, bad_files: BadFiles) -> None:
    """Sets the features' mean and standard deviation from the middles of tracks, the same ones every time.

    Args:
        features: What is measured; it ends up on the CPU.
        tracks: The train tracks.
        samples: The length of a middle in samples.
        most: The largest number of tracks, spread over all of them.
        bad_files: Takes in what cannot be read.

    Raises:
        GenreError: Every track is bad, or the features cannot be measured on them.
    """
    spread = np.linspace(0, len(tracks) - 1, min(most, len(tracks))).round().astype(int)
    picked = [tracks[index] for index in spread]

    def waveforms() -> Iterator[Tensor]:
        for track in picked:
            try:
                wave = read_segment(track.path, features.sample_rate, samples, 0.5, track.excerpt)
            except AudioError as error:
                bad_files.note(track.path, error.reason)
            else:
                yield torch.from_numpy(wave)

    try:
        features.cpu().measure(waveforms())
    except GenreError as error:
        if all(track.path in bad_files for track in picked):
            raise GenreError(f"every file of the train split is bad; one is {bad_files.first()}") from error
        raise
