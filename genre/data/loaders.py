"""Loaders: the order in which segments are drawn, and the processes that read them.

Workers draw nothing at random: the sampler, in the main process, gives every segment its position and its seed.
"""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import torch
from torch.utils.data import DataLoader, DistributedSampler

from genre.audio.cache import count_cores
from genre.data.segments import Batch, Draw, EvaluationSegments, EvaluationTracks, Segments, TrainSegments

#: The largest number of decoding processes that is chosen automatically.
MAX_WORKERS = 8


class TrainSampler(DistributedSampler[Draw]):
    """Draws the crops of an epoch. They depend only on seed and epoch, so a resumed fit draws the same ones.

    Every track is drawn ``crops_per_track`` times per epoch in random order. With ``balanced``, every genre is drawn
    equally often, and its tracks take turns. ``ranks`` processes share the epoch; this one has the index ``rank``. The
    class derives from ``DistributedSampler`` because Lightning sets the epoch of such samplers and does not replace
    them.
    """

    def __init__(
        self,
        dataset: TrainSegments,
        seed: int,
        balanced: bool = False,
        crops_per_track: int = 1,
        ranks: int = 1,
        rank: int = 0,
    ) -> None:
        super().__init__(dataset, num_replicas=ranks, rank=rank, seed=seed)
        self.targets = np.asarray(dataset.targets)
        self.balanced = balanced
        self.draws = len(dataset.tracks) * crops_per_track
        self.num_samples = self.draws // ranks

    def __iter__(self) -> Iterator[Draw]:
        random = np.random.default_rng([self.seed, self.epoch])
        if self.balanced:
            order = self._balanced(random)
        else:
            rounds = self.draws // len(self.targets)
            order = np.concatenate([random.permutation(len(self.targets)) for _ in range(rounds)])
        positions, seeds = random.random(len(order)), random.integers(2**31, size=len(order))
        draws = [*map(Draw, order.tolist(), positions.tolist(), seeds.tolist())]
        return iter(draws[self.rank : self.num_samples * self.num_replicas : self.num_replicas])

    def _balanced(self, random: np.random.Generator) -> np.ndarray:
        genres = np.unique(self.targets)
        shares = np.full(len(genres), self.draws // len(genres))
        shares[: self.draws % len(genres)] += 1
        picks = []
        for genre, share in zip(genres, random.permutation(shares), strict=True):
            tracks = np.flatnonzero(self.targets == genre)
            turns = [random.permutation(tracks) for _ in range(-(-share // len(tracks)))]
            picks.append(np.concatenate(turns)[:share])
        return random.permutation(np.concatenate(picks))


class LateLoader(DataLoader[Any]):
    """A ``DataLoader`` that starts to read when its first batch is requested.

    In a resumed fit, Lightning creates the iterator before it sets the sampler's epoch. The workers of a plain
    ``DataLoader`` would then read segments of epoch 0.
    """

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]  # a generator, not torch's own class
        yield from super().__iter__()


def choose_workers(num_workers: int | Literal["auto"], segments: Segments) -> int:
    """The number of processes that read segments.

    ``auto``: one less than there are cores, at least 1 and at most :data:`MAX_WORKERS`. On a machine without a GPU,
    there are none if a cache gives the segments without resampling: the network fills the cores, and a worker would
    take more from it than reading does. With a cache in memory there are none at all.
    """
    cache = segments.cache
    if cache is not None and cache.in_memory:
        return 0
    if num_workers != "auto":
        return num_workers
    if cache and segments.tracks and not (torch.accelerator.is_available() or cache.resamples(segments.tracks[0].path)):
        return 0
    return min(MAX_WORKERS, max(1, count_cores() - 1))


def make_loader(
    dataset: TrainSegments | EvaluationSegments | EvaluationTracks,
    batch_size: int,
    num_workers: int,
    sampler: TrainSampler | None = None,
) -> DataLoader[Any]:
    """A loader of segments, in the sampler's order or in that of the data set.

    If the segments are embedded, there is nothing to decode, and no worker is started.
    """
    if dataset.embedded is not None:
        num_workers = 0
    in_memory = dataset.cache is not None and dataset.cache.in_memory
    return LateLoader(
        dataset,
        batch_size=batch_size,
        sampler=sampler,
        drop_last=sampler is not None and len(sampler) > batch_size,  # batch norm cannot train on a batch of one
        collate_fn=dataset.collate,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        pin_memory=torch.cuda.is_available() and not in_memory,
    )
