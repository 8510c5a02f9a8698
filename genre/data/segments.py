"""Segments: the parts of tracks that loaders read, and batches of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from genre.audio.cache import DecodedCache
from genre.audio.decode import read_segment, read_segments
from genre.data.track import Track
from genre.errors import AudioError


class Draw(NamedTuple):
    """The index of a track, the position of a segment in it, and the seed of the segment's augmentation."""

    track: int
    position: float
    seed: int = 0


class Segment(NamedTuple):
    """A part of a track; ``faults`` maps the index of each unreadable track to the reason."""

    waveform: Tensor  # (1, samples)
    target: int
    track: int
    segment: int
    seed: int
    valid: bool
    faults: dict[int, str]


class Batch(NamedTuple):
    """A batch, before and after the features.

    Attributes:
        inputs: ``(B, 1, samples)`` waveforms from the loader, ``(B, 1, frequency, time)`` features on the device.
        targets: ``(B,)`` class indices; after mixup ``(B, classes)`` probabilities.
        tracks: ``(B,)`` index of each segment's track within its subset.
        segments: ``(B,)`` index of each segment within its subset; repeated segments have the same index.
        valid: ``(B,)`` false if the track cannot be read; ``inputs`` then holds silence.
        seed: Seeds the augmentation and all other random numbers of the step on the device.
        faults: The reasons by the index of each unreadable track.
        segment_counts: ``(B,)`` the number of all segments of each segment's track; 0 in training, with random crops.
        bad_files: The reasons by the file of each unreadable track.
    """

    inputs: Tensor
    targets: Tensor
    tracks: Tensor
    segments: Tensor
    valid: Tensor
    seed: int
    faults: dict[int, str]
    segment_counts: Tensor
    bad_files: dict[Path, str]


def collate(segments: Sequence[Segment]) -> Batch:
    """Stacks segments into a batch, whose seed depends on the seeds of all segments."""
    waveforms = [segment.waveform for segment in segments]
    device = next((waveform.device for waveform in waveforms if waveform.device.type != "cpu"), torch.device("cpu"))
    seeds = np.random.SeedSequence([segment.seed for segment in segments])
    return Batch(
        inputs=torch.stack([waveform.to(device) for waveform in waveforms]),  # on a GPU if one of them is there
        targets=torch.tensor([segment.target for segment in segments]),
        tracks=torch.tensor([segment.track for segment in segments]),
        segments=torch.tensor([segment.segment for segment in segments]),
        valid=torch.tensor([segment.valid for segment in segments]),
        seed=int(seeds.generate_state(1)[0]),
        faults={track: reason for segment in segments for track, reason in segment.faults.items()},
        segment_counts=torch.zeros(len(segments), dtype=torch.long),
        bad_files={},
    )


class Segments:
    """Reads the segments of one subset's tracks.

    Args:
        tracks: The tracks of the subset.
        targets: The class index of each track.
        sample_rate: The rate in hertz.
        samples: The length of a segment in samples.
        cache: The decoded files; ``None``: segments are decoded from the sources.

    Attributes:
        draws: The segments in order: the middle of every track, or its evaluation segments.
        embedded: The segments of ``draws`` with embeddings ``(D,)`` in place of waveforms; ``None`` without
            embeddings. See :mod:`genre.data.embedding_cache`.
    """

    def __init__(
        self,
        tracks: Sequence[Track],
        targets: Sequence[int],
        sample_rate: int,
        samples: int,
        cache: DecodedCache | None = None,
    ) -> None:
        self.tracks, self.targets = tracks, targets
        self.sample_rate, self.samples, self.cache = sample_rate, samples, cache
        self.draws = [Draw(track, 0.5) for track in range(len(tracks))]
        self.embedded: Sequence[Segment] | None = None

    def read(self, draw: Draw, segment: int) -> Segment:
        """Reads a segment; returns silence with a fault if it cannot be read."""
        if self.embedded is not None:
            return self.embedded[draw.track if segment < 0 else segment]._replace(segment=segment, seed=draw.seed)
        track = self.tracks[draw.track]
        try:
            if self.cache is not None:
                steps, step = self.cache.segment(track.path, self.samples, draw.position, track.excerpt)
                return self._segment(draw, segment, steps * step)
            samples = read_segment(track.path, self.sample_rate, self.samples, draw.position, track.excerpt)
        except AudioError as error:
            silence = self._segment(draw, segment, torch.zeros(self.samples))
            return silence._replace(valid=False, faults={draw.track: error.reason})
        return self._segment(draw, segment, torch.from_numpy(samples))

    def read_together(self, places: Sequence[int]) -> list[Segment]:
        """Reads several of the :attr:`draws` as :meth:`read` does; decodes a file in one pass where that is faster."""
        if self.embedded is not None or self.cache is not None:
            return [self.read(self.draws[place], place) for place in places]
        files: dict[Path, list[int]] = {}
        for place in places:
            files.setdefault(self.tracks[self.draws[place].track].path, []).append(place)
        segments: dict[int, Segment] = {}
        for path, of_file in files.items():
            draws = [self.draws[place] for place in of_file]
            stretches = [(draw.position, self.tracks[draw.track].excerpt) for draw in draws]
            try:
                waveforms = read_segments(path, self.sample_rate, self.samples, stretches)
            except AudioError:
                segments |= {place: self.read(draw, place) for place, draw in zip(of_file, draws, strict=True)}
            else:
                for place, draw, waveform in zip(of_file, draws, waveforms, strict=True):
                    segments[place] = self._segment(draw, place, torch.from_numpy(waveform))
        return [segments[place] for place in places]

    def _segment(self, draw: Draw, segment: int, waveform: Tensor) -> Segment:
        return Segment(waveform[None], self.targets[draw.track], draw.track, segment, draw.seed, True, {})

    def collate(self, segments: Sequence[Segment]) -> Batch:
        """Stacks segments into a batch that names its bad files."""
        batch = collate(segments)
        return batch._replace(bad_files={self.tracks[track].path: why for track, why in batch.faults.items()})


class TrainSegments(Segments, Dataset[Segment]):
    """Random crops, indexed by a :class:`Draw` of :class:`~genre.data.loaders.TrainSampler`.

    An integer index gives the middle of a track, in an order that mixes the genres. ``Trainer(overfit_batches=…)`` uses
    such indices, because it replaces the loader's sampler by a sequential one.
    """

    def __len__(self) -> int:
        return len(self.tracks)

    def __getitem__(self, draw: Draw | int) -> Segment:
        """Reads the drawn segment; if its track cannot be read, uses the next readable track."""
        if isinstance(draw, int):
            order = np.random.default_rng(0).permutation(len(self.tracks))
            draw = Draw(int(order[draw]), 0.5, draw)
        faults: dict[int, str] = {}
        for step in range(len(self.tracks)):
            segment = self.read(draw._replace(track=(draw.track + step) % len(self.tracks)), -1)
            faults |= segment.faults
            if segment.valid:
                break
        return segment._replace(faults=faults)


class EvaluationSegments(Segments, Dataset[Segment]):
    """The fixed segments of every track, track by track.

    ``positions`` are those of each track's segments; for the other arguments see :class:`Segments`.
    """

    def __init__(
        self,
        tracks: Sequence[Track],
        targets: Sequence[int],
        positions: Sequence[Sequence[float]],
        sample_rate: int,
        samples: int,
        cache: DecodedCache | None = None,
    ) -> None:
        super().__init__(tracks, targets, sample_rate, samples, cache)
        self.positions = positions
        self.draws = [Draw(track, place) for track, places in enumerate(positions) for place in places]

    def __len__(self) -> int:
        return len(self.draws)

    def __getitem__(self, index: int) -> Segment:
        """Reads the segment; if it cannot be read, marks all excerpts of its file as bad."""
        return self._mark(self.read(self.draws[index], index))

    def __getitems__(self, indices: Sequence[int]) -> list[Segment]:
        """Reads the segments of a batch, those of one file in one pass; PyTorch's loader calls this."""
        return [self._mark(segment) for segment in self.read_together(indices)]

    def _mark(self, segment: Segment) -> Segment:
        if segment.valid:
            return segment
        path, reason = self.tracks[segment.track].path, segment.faults[segment.track]
        return segment._replace(faults={i: reason for i, track in enumerate(self.tracks) if track.path == path})

    def collate(self, segments: Sequence[Segment]) -> Batch:
        """Stacks segments into a batch with the number of segments of each track."""
        counts = torch.tensor([len(self.positions[segment.track]) for segment in segments])
        return super().collate(segments)._replace(segment_counts=counts)


class EvaluationTracks(Dataset[list[Segment]]):
    """Each item holds all segments of a track, so no sampler can distribute a track over several processes."""

    def __init__(self, segments: EvaluationSegments) -> None:
        self.segments, self.cache, self.embedded = segments, segments.cache, segments.embedded
        self.ends = np.cumsum([len(places) for places in segments.positions]).tolist()

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> list[Segment]:
        first = self.ends[index] - len(self.segments.positions[index])
        return self.segments.__getitems__(range(first, self.ends[index]))

    def collate(self, tracks: Sequence[Sequence[Segment]]) -> Batch:
        """Stacks all segments of several tracks into a batch."""
        return self.segments.collate([segment for segments in tracks for segment in segments])
