"""Replaces waveforms by embeddings: a frozen network runs once on the segments of a fit.

This way a linear probe (:class:`genre.LinearProbe` with ``cache``) needs no second pass of its backbone.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader, Dataset

from genre.audio.features import Feature
from genre.config import show, to_config
from genre.data.provenance import digest
from genre.data.segments import Draw, Segment, Segments, collate
from genre.models.head import find_head, penultimate
from genre.terminal import progress

#: Segments per batch of the network.
BATCH = 16


class Embedder(NamedTuple):
    """A frozen network, whose head's inputs are the embeddings, and the folder with one file of them per recording.

    Without a folder, the embeddings are not kept beyond the fit.
    """

    network: nn.Module
    folder: Path | None


class _Reading(Dataset[tuple[int, Segment]]):
    """The segments without a known embedding, with their places among all segments."""

    def __init__(self, segments: Segments, draws: Sequence[Draw], places: Sequence[int]) -> None:
        self.segments, self.draws, self.places = segments, draws, places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> tuple[int, Segment]:
        place = self.places[index]
        return place, self.segments.read(self.draws[place], place)

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[int, Segment]]:
        places = [self.places[index] for index in indices]
        return [*zip(places, self.segments.read_together([self.draws[i] for i in places], places), strict=True)]


def embed_segments(
    segments: Segments, embedder: Embedder, features: Feature, device: torch.device, num_workers: int
) -> None:
    """Replaces the waveforms of all segments of a subset by embeddings: sets their ``embedded``.

    ``features`` are the network's inputs, with their statistics; ``device`` is where to compute.
    """
    draws = segments.in_order()
    files = _by_file(segments, draws)
    known: dict[int, Segment] = {}
    kept = None if embedder.folder is None else embedder.folder / _space(embedder.network, features, segments.samples)
    for key, places in files:
        vectors = None if kept is None else _read(kept / f"{key}.npy", len(places))
        for place, vector in zip(places, () if vectors is None else vectors, strict=vectors is not None):
            track = draws[place].track
            known[place] = Segment(torch.from_numpy(vector), segments.targets[track], track, place, 0, True, {})
    missing = [place for _, places in files for place in places if place not in known]
    last = {places[-1]: (key, places) for key, places in files if places[0] not in known}
    for place, segment in _compute(_Reading(segments, draws, missing), embedder.network, features, device, num_workers):
        known[place] = segment
        if kept is not None and place in last:  # the last segment of a file
            key, places = last[place]
            of_file = [known[place] for place in places]
            if all(segment.valid for segment in of_file):
                _write(kept / f"{key}.npy", np.stack([segment.waveform.numpy() for segment in of_file]))
    segments.embedded = [known[place] for place in range(len(draws))]


@torch.no_grad()
def _compute(
    reading: _Reading, network: nn.Module, features: Feature, device: torch.device, num_workers: int
) -> Iterator[tuple[int, Segment]]:
    """Yields the embedded segments in the order of their places."""
    if not reading.places:
        return
    training = {module: module.training for module in network.modules()}
    network.to(device).eval()
    features.to(device)
    loader = DataLoader(reading, BATCH, collate_fn=list, num_workers=num_workers)
    for pairs in progress(loader, "embedding", len(loader)):
        batch = collate([segment for _, segment in pairs])
        vectors = penultimate(network, features(batch.inputs.to(device))).float().cpu()
        for (place, segment), vector in zip(pairs, vectors, strict=True):
            yield place, segment._replace(waveform=vector if segment.valid else torch.zeros_like(vector))
    for module, mode in training.items():
        module.training = mode


def _by_file(segments: Segments, draws: Sequence[Draw]) -> list[tuple[str, list[int]]]:
    """A digest of each file's content and of its segments' positions, equal for copies; and the segments' places."""
    places: dict[Path, list[int]] = {}
    for place, draw in enumerate(draws):
        places.setdefault(segments.tracks[draw.track].path, []).append(place)
    files = []
    for of_file in places.values():
        whole = replace(segments.tracks[draws[of_file[0]].track], excerpt=None)
        stretches = [(segments.tracks[draws[place].track].excerpt, draws[place].position) for place in of_file]
        files.append((_hash(digest(whole).encode(), repr(stretches).encode()), of_file))
    return files


def _space(network: nn.Module, features: Feature, samples: int) -> str:
    """A digest of everything that an embedding depends on, except the recording."""
    head, _ = find_head(network)
    weights = {name: value for name, value in network.state_dict().items() if name.rpartition(".")[0] != head}
    content = (value.detach().cpu().contiguous().numpy().tobytes() for value in weights.values())
    names = f"{type(network).__qualname__} {' '.join(weights)} {show(to_config(features))} {samples}"
    return _hash(names.encode(), *content)


def _hash(*parts: bytes) -> str:
    content = hashlib.blake2b(digest_size=12)
    for part in parts:
        content.update(b"%d:" % len(part))
        content.update(part)
    return content.hexdigest()


def _read(path: Path, count: int) -> NDArray[np.float32] | None:
    """Reads ``(count, D)`` embeddings; ``None`` if the file is missing or damaged."""
    with suppress(OSError, ValueError, EOFError):
        vectors: NDArray[np.float32] = np.load(path, allow_pickle=False)
        if vectors.ndim == 2 and len(vectors) == count and vectors.dtype == np.float32:
            return vectors
    return None


def _write(path: Path, vectors: NDArray[np.float32]) -> None:
    """Writes a temporary file and renames it, since several fits may write the file at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with part.open("wb") as file:
        np.save(file, vectors)
    part.replace(path)
