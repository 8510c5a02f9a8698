"""Replaces waveforms by embeddings: a frozen network runs once on the segments of a fit.

This way a linear probe (:class:`genre.LinearProbe` with ``cache``) needs no second pass of its backbone.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader

from genre.audio.features import Feature
from genre.config import show, to_config
from genre.data.provenance import digest
from genre.data.segments import Segment, Segments, collate
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


def embed_segments(
    segments: Segments, embedder: Embedder, features: Feature, device: torch.device, num_workers: int
) -> None:
    """Replaces the waveforms of all segments of a subset by embeddings: sets their ``embedded``.

    ``features`` are the network's inputs, with their statistics; ``device`` is where to compute.
    """
    kept = None if embedder.folder is None else embedder.folder / _space(embedder.network, features, segments.samples)
    known: dict[int, Segment] = {}
    missing: dict[int, tuple[str, list[int]]] = {}  # the files without embeddings, by the place of their last segment
    for key, places in _by_file(segments):
        vectors = None if kept is None else _read(kept / f"{key}.npy", len(places))
        if vectors is None:
            missing[places[-1]] = key, places
            continue
        for place, vector in zip(places, vectors, strict=True):
            track = segments.draws[place].track
            known[place] = Segment(torch.from_numpy(vector), segments.targets[track], track, place, 0, True, {})
    to_read = [place for _, places in missing.values() for place in places]
    for segment in _compute(segments, to_read, embedder.network, features, device, num_workers):
        known[segment.segment] = segment
        if kept is not None and segment.segment in missing:
            key, places = missing[segment.segment]
            if all(known[place].valid for place in places):
                _write(kept / f"{key}.npy", np.stack([known[place].waveform.numpy() for place in places]))
    segments.embedded = [known[place] for place in range(len(segments.draws))]


@torch.no_grad()
def _compute(
    segments: Segments,
    places: Sequence[int],
    network: nn.Module,
    features: Feature,
    device: torch.device,
    num_workers: int,
) -> Iterator[Segment]:
    """Yields the segments in these places with embeddings in place of waveforms."""
    if not places:
        return
    training = {module: module.training for module in network.modules()}
    network.to(device).eval()
    features.to(device)
    loader: DataLoader[Any] = DataLoader(
        places,  # type: ignore[arg-type]  # a sequence is a data set, too; the workers read its segments
        BATCH,
        collate_fn=segments.read_together,
        num_workers=num_workers,
    )
    for batch in progress(loader, "embedding", len(loader)):
        vectors = penultimate(network, features(collate(batch).inputs.to(device))).float().cpu()
        for segment, vector in zip(batch, vectors, strict=True):
            yield segment._replace(waveform=vector if segment.valid else torch.zeros_like(vector))
    for module, mode in training.items():
        module.training = mode


def _by_file(segments: Segments) -> Iterator[tuple[str, list[int]]]:
    """Yields a digest of each file's content and of its segments' positions, equal for copies; and their places."""
    places: dict[Path, list[int]] = {}
    for place, draw in enumerate(segments.draws):
        places.setdefault(segments.tracks[draw.track].path, []).append(place)
    for of_file in places.values():
        draws = [segments.draws[place] for place in of_file]
        stretches = [(segments.tracks[draw.track].excerpt, draw.position) for draw in draws]
        whole = replace(segments.tracks[draws[0].track], excerpt=None)
        yield _hash(digest(whole).encode(), repr(stretches).encode()), of_file


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
