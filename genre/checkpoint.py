"""The file format: what a checkpoint says beside its weights, written and read in one place."""

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from zipfile import is_zipfile

import torch

from genre.audio.features import Feature
from genre.config import Config, from_config, show, to_config, without_weights
from genre.data.names import same_names
from genre.data.provenance import Provenance
from genre.errors import CheckpointError, GenreError

#: The version of what :func:`content` returns.
CHECKPOINT_FORMAT = 2

_FOREIGN = "it is not a file that torch.save wrote, or it is cut short"


class FrontEnd(NamedTuple):
    """How a file becomes the network's inputs: what a checkpoint carries beside the network.

    Not a module of the classifier: its weights stay those of the network alone.
    """

    features: Feature
    segment_seconds: float
    evaluation_segments: int


def content(
    genres: Sequence[str], network: Config | None, front_end: FrontEnd, provenance: Provenance | None
) -> dict[str, Any]:
    """What it takes to name the genre of a song, as plain data: what stands under ``genre`` in a checkpoint.

    Args:
        genres: The names of the classes, in order.
        network: The network's class and arguments; ``None`` where it cannot be named.
        front_end: The features and the segments.
        provenance: What the weights were trained and chosen on; ``None`` where that is not known.
    """
    return {
        "format": CHECKPOINT_FORMAT,
        "genres": list(genres),
        "network": network,
        "features": to_config(front_end.features),
        "segment_seconds": front_end.segment_seconds,
        "evaluation_segments": front_end.evaluation_segments,
        "provenance": None if provenance is None else vars(provenance),
    }


def read_front_end(content: Mapping[str, Any]) -> FrontEnd:
    """The features and the segments of a checkpoint.

    Args:
        content: What the checkpoint says under ``genre``.

    Raises:
        GenreError: The class of the features is not at hand.
    """
    features = from_config(content["features"], Feature)
    assert isinstance(features, Feature)
    return FrontEnd(features, content["segment_seconds"], content["evaluation_segments"])


def network_config(content: Mapping[str, Any], path: Path | str) -> Config:
    """The network of a checkpoint, without its pretrained weights, which the checkpoint's own replace.

    Args:
        content: What the checkpoint says under ``genre``.
        path: The file, for messages.

    Raises:
        GenreError: The checkpoint could not name the class.
    """
    config: Config | None = content["network"]
    if config is None:
        raise GenreError(f"{path}: the checkpoint could not name its network's class; pass network= to genre.load")
    return without_weights(config)


def require_same_network(
    checkpoint: Mapping[str, Any], genres: Sequence[str], network: Config | None, weights: Mapping[str, Any]
) -> None:
    """Checks that a classifier can take a checkpoint's weights.

    Args:
        checkpoint: The checkpoint's content.
        genres: The classifier's genres.
        network: The classifier's network; ``None`` where it cannot be named.
        weights: The classifier's state.

    Raises:
        GenreError: The checkpoint knows other genres, or is one of another network.
    """
    content = checkpoint.get("genre", {})
    saved = content.get("genres", genres)
    if not same_names(saved, genres):
        raise GenreError(
            f"the checkpoint knows {len(saved)} genres ({', '.join(saved)}), the model {len(genres)} "
            f"({', '.join(genres)})"
        )
    if _shapes(checkpoint["state_dict"]) != _shapes(weights):
        config = content.get("network")
        raise GenreError(
            f"the checkpoint is one of {show(config) if config else 'another network'}, whose weights do not fit "
            f"{show(network) if network else 'this one'}; pass the run's own config.yaml, or the checkpoint alone"
        )


def read_checkpoint(path: Path | str) -> dict[str, Any]:
    """Reads a checkpoint's plain content.

    Raises:
        CheckpointError: The file is missing or no checkpoint of this library.
    """
    file = Path(path)
    usual = "a fit writes runs/<name>/version_N/checkpoints/best.ckpt"
    if file.is_dir():
        raise CheckpointError(f"{file}: a folder, where a checkpoint is expected; {usual}")
    if not file.exists():
        raise CheckpointError(f"{file}: no such checkpoint; {usual}")
    try:
        with file.open("rb") as stream:
            checkpoint = _load(stream)
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be read ({error.strerror})") from None
    except _NotLoadedError as error:
        raise CheckpointError(f"{file}: not a checkpoint ({error}); {usual}") from None
    if not isinstance(checkpoint, dict) or "genre" not in checkpoint:
        raise CheckpointError(f"{file}: a checkpoint, but not of a genre classifier trained with a GenreDataModule")
    content = checkpoint["genre"]
    if "heard" in content:  # the name of the key in format 1
        content["provenance"] = content.pop("heard")
    return checkpoint


class _NotLoadedError(Exception):
    """Why a file is no checkpoint."""


def _load(stream: BinaryIO) -> Any:
    try:
        return torch.load(stream, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        whole = is_zipfile(stream)  # torch.save writes archives, so this is a whole one with what is not plain content
        reason = "it holds objects that could run code when they are loaded" if whole else _FOREIGN
        raise _NotLoadedError(reason) from error
    except Exception as error:  # the bytes of an arbitrary file can make it fail in any way
        raise _NotLoadedError(_FOREIGN) from error


def _shapes(weights: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in weights.items() if name.startswith("network.")}
