"""Reads the parts of tracks that pictures show, without repeating or padding them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genre.audio.decode import AudioError, probe, read_segment
from genre.audio.features import Feature
from genre.data.scan import BadFiles
from genre.data.track import Track


@dataclass(frozen=True)
class Clip:
    """A part of a track.

    Attributes:
        track: The track.
        waveform: ``(samples,)`` at the rate of the features.
        start: The start of the clip in the file, in seconds.
    """

    track: Track
    waveform: Tensor
    start: float = 0.0


def read_clip(track: Track, feature: Feature, seconds: float, position: float = 0.0) -> Clip:
    """Reads a part of a track, or all of a shorter track.

    Args:
        track: The track.
        feature: Gives the sample rate and the minimal length; an even shorter track is repeated.
        seconds: The length of the part.
        position: The start of the part, from 0 (the track's beginning) to 1 (the last possible start).

    Raises:
        AudioError: The file cannot be read.
    """
    first, last = track.excerpt or (0.0, probe(track.path).seconds)
    length = min(seconds, last - first)
    samples = max(round(length * feature.sample_rate), int(getattr(feature, "n_fft", 2048)))
    waveform = torch.from_numpy(read_segment(track.path, feature.sample_rate, samples, position, track.excerpt))
    return Clip(track, waveform, first + position * (last - first - length))


def read_clips(
    tracks: Iterable[Track], feature: Feature, seconds: float, position: float, bad_files: BadFiles
) -> Iterable[Clip]:
    """Yields a clip of each track, see :func:`read_clip`; notes bad files and leaves them out."""
    for track in tracks:
        try:
            yield read_clip(track, feature, seconds, position)
        except AudioError as error:
            bad_files.note(track.path, error.reason)


def draw_clips(
    tracks: Sequence[Track], feature: Feature, count: int, seconds: float, seed: int, bad_files: BadFiles
) -> dict[str, list[Clip]]:
    """Reads the middle of ``count`` random tracks of every genre; replaces a bad file by another track."""
    random = np.random.default_rng(seed)
    clips: dict[str, list[Clip]] = {}
    for genre in sorted({track.genre for track in tracks}):
        of_genre = [track for track in tracks if track.genre == genre]
        shuffled = [of_genre[index] for index in random.permutation(len(of_genre))]
        readable = read_clips(shuffled, feature, seconds, 0.5, bad_files)
        clips[genre] = [clip for _, clip in zip(range(count), readable, strict=False)]
    return {genre: of_genre for genre, of_genre in clips.items() if of_genre}


def describe_number(clips: Mapping[str, Sequence[Clip]]) -> str:
    """The number of clips, such as ``3 to 5 random tracks per genre``."""
    low, high = min(map(len, clips.values())), max(map(len, clips.values()))
    number = str(high) if low == high else f"{low} to {high}"
    return f"{number} random track{'s' * (high > 1)} per genre"
