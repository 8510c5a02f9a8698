"""The file format: what a checkpoint says, and whether that fits a network and its features.

:class:`genre.GenreClassifier` writes it. To resume, to test and to start from, the classifier also reads it; to
predict, :func:`genre.load` does.
"""

import logging
import pickle
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from zipfile import is_zipfile

import torch
from torch import Tensor, nn

from genre.audio.features import Feature
from genre.config import Config, from_config, show, to_config, without, without_weights
from genre.content import require_content, require_stored
from genre.data.names import same_names
from genre.data.provenance import Provenance
from genre.errors import CheckpointError, GenreError
from genre.models.head import find_head

log = logging.getLogger(__name__)

#: The version of what :func:`content` returns.
CHECKPOINT_FORMAT = 2

_FOREIGN = "it is not a file that torch.save wrote, or it is cut short"


class FrontEnd(NamedTuple):
    """The features and segments that turn a file into the network's inputs.

    It is not a submodule of the classifier, so the classifier's state holds only the network's weights.
    """

    features: Feature
    segment_seconds: float
    evaluation_segments: int


class Calibration(NamedTuple):
    """What makes probabilities mean what they say; :func:`genre.calibration.calibrate` chooses it.

    Attributes:
        temperature: The divisor of the logits.
        threshold: A genre whose probability is lower is better called unknown; ``None``: no threshold is known.
        calibrated_on: The number of validation tracks that both were chosen on; 0: none, so the temperature is 1.
    """

    temperature: float = 1.0
    threshold: float | None = None
    calibrated_on: int = 0


def content(
    genres: Sequence[str],
    network: Config | None,
    front_end: FrontEnd,
    provenance: Provenance | None,
    calibration: Calibration,
) -> dict[str, Any]:
    """The ``genre`` entry of a checkpoint, as plain data: all that a prediction needs besides the weights.

    Args:
        genres: The names of the classes, in order.
        network: The network's class and arguments; ``None`` if they cannot be named.
        front_end: The features and the segments.
        provenance: The tracks that the weights were trained and chosen on; ``None`` if they are unknown.
        calibration: The temperature and the threshold.
    """
    return {
        "format": CHECKPOINT_FORMAT,
        "genres": list(genres),
        "network": network,
        "features": to_config(front_end.features),
        "segment_seconds": front_end.segment_seconds,
        "evaluation_segments": front_end.evaluation_segments,
        "provenance": None if provenance is None else vars(provenance),
        **calibration._asdict(),
    }


def read_front_end(content: Mapping[str, Any]) -> FrontEnd:
    """The features and the segments of a checkpoint.

    Args:
        content: The ``genre`` entry of the checkpoint.

    Raises:
        GenreError: The class of the features is unknown or not imported.
    """
    features = from_config(content["features"], Feature)
    assert isinstance(features, Feature)
    return FrontEnd(features, content["segment_seconds"], content["evaluation_segments"])


def read_calibration(content: Mapping[str, Any]) -> Calibration:
    """The temperature and the threshold of a checkpoint; an earlier version stored none.

    Args:
        content: The ``genre`` entry of the checkpoint.
    """
    return Calibration(**{name: content[name] for name in Calibration._fields if name in content})


def network_config(content: Mapping[str, Any], path: Path | str) -> Config:
    """The network of a checkpoint, without pretrained weights: the checkpoint's own weights replace them.

    Args:
        content: The ``genre`` entry of the checkpoint.
        path: The file, for messages.

    Raises:
        GenreError: The checkpoint does not name the class.
    """
    config: Config | None = content["network"]
    if config is None:
        raise GenreError(f"{path}: the checkpoint could not name its network's class; pass network= to genre.load")
    return without_weights(config)


def require_same(
    checkpoint: Mapping[str, Any],
    genres: Sequence[str],
    network: Config | None,
    weights: Mapping[str, Tensor],
    features: Feature | None = None,
    provenance: Provenance | None = None,
) -> None:
    """Checks that a checkpoint fits a classifier.

    Args:
        checkpoint: The checkpoint's content.
        genres: The classifier's genres.
        network: The classifier's network; ``None`` if it cannot be named.
        weights: The classifier's state.
        features: The features of the data; ``None``: any.
        provenance: The tracks of the resumed fit; ``None``: any.

    Raises:
        GenreError: The checkpoint has other genres, another network, other features or other train tracks.
    """
    content = checkpoint.get("genre", {})
    saved = content.get("genres", genres)
    if not same_names(saved, genres):
        raise GenreError(
            f"the checkpoint knows {len(saved)} genres ({', '.join(saved)}), the model {len(genres)} "
            f"({', '.join(genres)})"
        )
    theirs, ours = network_weights(checkpoint["state_dict"]), network_weights(weights)
    if {name: tensor.shape for name, tensor in theirs.items()} != {name: tensor.shape for name, tensor in ours.items()}:
        config = content.get("network")
        raise GenreError(
            f"the checkpoint is one of {show(config) if config else 'another network'}, whose weights do not fit "
            f"{show(network) if network else 'this one'}; pass the run's own config.yaml, or the checkpoint alone"
        )
    if content and features is not None:
        require_same_features(content["features"], features)
    earlier = Provenance.read(content.get("provenance"))
    if earlier is not None and provenance is not None:
        earlier.require_same(provenance)


def differing_features(saved: Config, features: Feature) -> tuple[str, str] | None:
    """The features of a checkpoint and those of the data as text; ``None`` if they agree.

    The mean and the standard deviation may differ. Arguments that an older checkpoint lacks have their defaults.

    Args:
        saved: The features of the checkpoint.
        features: The features of the data.
    """
    with suppress(GenreError):  # features that cannot be built differ from those of the data
        saved = to_config(from_config(saved, Feature))
    theirs, ours = without(saved, "mean", "std"), without(to_config(features), "mean", "std")
    return None if theirs == ours else (show(theirs), show(ours))


def require_same_features(saved: Config, features: Feature) -> None:
    """Raises a :class:`GenreError` if a checkpoint was trained on other features, see :func:`differing_features`."""
    difference = differing_features(saved, features)
    if difference is not None:
        raise GenreError(
            f"the checkpoint was trained on {difference[0]}, the data gives {difference[1]}; pass the run's own "
            "config.yaml"
        )


def take_statistics(saved: Config, features: Feature) -> None:
    """Sets the mean and the standard deviation of features to those of a checkpoint, if it has them."""
    mean, std = saved["init_args"]["mean"], saved["init_args"]["std"]
    if mean is not None and std is not None:
        features.set_statistics(mean, std)


def network_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The network's weights in the state of a classifier."""
    prefix = "network."
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def take_weights(network: nn.Module, checkpoint: Mapping[str, Any], file: Path | str) -> None:
    """Loads all parameters and buffers except those of the head, see :func:`~genre.models.head.find_head`.

    Args:
        network: The network; it stays as it is if the checkpoint does not fit.
        checkpoint: The content of a checkpoint.
        file: The checkpoint's file, for the message.

    Raises:
        GenreError: The checkpoint has another network, or tensors of other sizes.
    """
    head, _ = find_head(network)
    ours, theirs = (
        {name: tensor for name, tensor in weights.items() if name.rpartition(".")[0] != head}
        for weights in (network.state_dict(), network_weights(checkpoint["state_dict"]))
    )
    names = sorted(ours.keys() | theirs.keys())
    differing = [name for name in names if _shape(ours, name) != _shape(theirs, name)]
    if differing:
        config, example = checkpoint["genre"]["network"], differing[0]
        raise GenreError(
            f"{file}: the checkpoint of {show(config) if config else 'a network'} does not fit "
            f"{type(network).__name__}: {len(differing)} of {len(names)} tensors beside the head differ, such as "
            f"{example}: {_shape(theirs, example)} in the checkpoint, {_shape(ours, example)} in the network; "
            "pretrained takes a checkpoint of the same network"
        )
    network.load_state_dict(theirs, strict=False)  # only the head is missing


def warm_start(network: nn.Module, file: Path, features: Feature | None) -> Provenance | None:
    """Loads the weights of a checkpoint except those of the head, see :func:`take_weights`.

    Args:
        network: The network.
        file: The checkpoint.
        features: The features of the data; a warning is logged if the checkpoint was trained on others.

    Returns:
        The tracks that the checkpoint was trained and chosen on; ``None``, with a warning, if they are unknown.

    Raises:
        GenreError: The file is missing, is no checkpoint of this library, or has another network.
    """
    checkpoint = read_checkpoint(file)
    take_weights(network, checkpoint, file)
    difference = None if features is None else differing_features(checkpoint["genre"]["features"], features)
    if difference is not None:
        log.warning("%s was trained on %s; this fit's data gives %s", file, *difference)
    provenance = Provenance.read(checkpoint["genre"].get("provenance"))
    if provenance is None:
        log.warning("%s does not say on which tracks it was trained: whether a score leaks cannot be told", file)
    return provenance


def _shape(weights: Mapping[str, Tensor], name: str) -> str:
    return str(tuple(weights[name].shape)) if name in weights else "nothing"


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
    upgrade(checkpoint)
    require_content(checkpoint, file)
    return checkpoint


def upgrade(checkpoint: Mapping[str, Any]) -> None:
    """Changes the ``genre`` entry of an earlier version to the present format, in place."""
    content = checkpoint.get("genre", {})
    if isinstance(content, dict) and "heard" in content:  # format 1
        content["provenance"] = content.pop("heard")
    state = checkpoint.get("state_dict", {})
    for name in [name for name in state if name.startswith("network.backbone.pretrained_features.")]:
        del state[name]  # an earlier version of SideBySide kept its features there


class _NotLoadedError(Exception):
    """Why a file is no checkpoint."""


def _load(stream: BinaryIO) -> Any:
    reason = require_stored(stream, stream.seek(0, 2))
    if reason:
        raise _NotLoadedError(reason)
    try:
        with warnings.catch_warnings(action="ignore"):  # a foreign pickle's protocol
            return torch.load(stream, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        whole = is_zipfile(stream)  # torch.save writes zip archives; a complete one holds objects, not only plain data
        reason = "it holds objects that could run code when they are loaded" if whole else _FOREIGN
        raise _NotLoadedError(reason) from error
    except Exception as error:  # torch.load can raise anything for an arbitrary file
        raise _NotLoadedError(_FOREIGN) from error
