"""The file format: what a checkpoint says, and whether that fits a network and its features.

:class:`genre.GenreClassifier` writes it. To resume, to test and to start from, the classifier also reads it; to
predict, :func:`genre.load` does.
"""

import math
import pickle
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import torch
from torch import Tensor

from genre.audio.features import Feature
from genre.config import Config, from_config, show, to_config, without, without_weights
from genre.data.names import same_names
from genre.data.provenance import Provenance
from genre.errors import CheckpointError, GenreError

#: The version of what :func:`checkpoint_entry` returns.
CHECKPOINT_FORMAT = 2

#: The longest segment in seconds: no decoder reserves memory for more.
LONGEST = 3600

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


def checkpoint_entry(
    genres: Sequence[str],
    network: Config | None,
    front_end: FrontEnd,
    provenance: Provenance | None,
    calibration: Calibration,
) -> dict[str, Any]:
    """The ``genre`` entry of a checkpoint, as plain data: all that a prediction needs besides the weights."""
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
    """The features and the segments of a checkpoint, from its ``genre`` entry."""
    features = from_config(content["features"], Feature)
    assert isinstance(features, Feature)
    return FrontEnd(features, content["segment_seconds"], content["evaluation_segments"])


def read_calibration(content: Mapping[str, Any]) -> Calibration:
    """The temperature and the threshold of a checkpoint; an earlier version stored none."""
    return Calibration(**{name: content[name] for name in Calibration._fields if name in content})


def network_config(content: Mapping[str, Any], path: Path | str) -> Config:
    """The network of a checkpoint, without pretrained weights: the checkpoint's own weights replace them."""
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
    """Raises a :class:`~genre.GenreError` if a checkpoint does not fit a classifier.

    The checkpoint has to have its genres, the shapes of its weights and, where they are given, the features of the data
    and the train tracks (``provenance``) of the resumed fit. ``network`` is ``None`` if the network cannot be named.
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
    """
    with suppress(GenreError):  # features that cannot be built differ from those of the data
        saved = to_config(from_config(saved, Feature))
    theirs, ours = without(saved, "mean", "std"), without(to_config(features), "mean", "std")
    return None if theirs == ours else (show(theirs), show(ours))


def require_same_features(saved: Config, features: Feature) -> None:
    """Raises a :class:`~genre.GenreError` if :func:`differing_features` finds a difference."""
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
    except ValueError as error:
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


def _load(stream: BinaryIO) -> Any:
    """Raises a ``ValueError`` that says why a file is no checkpoint."""
    if _is_compressed(stream):
        raise ValueError("it is compressed, which torch.save never does")
    try:
        with warnings.catch_warnings(action="ignore"):  # a foreign pickle's protocol
            return torch.load(stream, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        whole = zipfile.is_zipfile(stream)  # torch.save writes zip archives; a complete one holds more than plain data
        reason = "it holds objects that could run code when they are loaded" if whole else _FOREIGN
        raise ValueError(reason) from error
    except Exception as error:  # torch.load can raise anything for an arbitrary file
        raise ValueError(_FOREIGN) from error


def require_content(checkpoint: Mapping[str, Any], source: object) -> None:
    """Raises a :class:`CheckpointError` if an entry of a checkpoint is missing or has another form.

    The forms are the types and ranges that :mod:`genre.checkpoint` writes; ``source`` is the file or folder.
    """
    content, weights = checkpoint.get("genre"), checkpoint.get("state_dict")
    if not isinstance(content, Mapping) or not isinstance(weights, Mapping):
        raise CheckpointError(f"{source}: damaged: found no description or no weights of a classifier; export it again")
    for name, has_form in _FORMS.items():
        if name not in content:
            raise CheckpointError(f"{source}: damaged: found no entry '{name}'; export it or train it again")
        if not has_form(content[name]):
            value = repr(content[name])
            shown = value if len(value) < 80 else f"{value[:80]}…"
            raise CheckpointError(f"{source}: damaged: its entry '{name}' is {shown}; export it or train it again")
    if not all(isinstance(name, str) and isinstance(value, Tensor) for name, value in weights.items()):
        raise CheckpointError(f"{source}: damaged: its weights are no named tensors; export it or train it again")


def _is_compressed(stream: BinaryIO) -> bool:
    """Whether a zip archive has compressed members, or members longer than itself, which could fill the memory.

    ``torch.save`` compresses nothing. The stream is at its beginning afterwards.
    """
    size = stream.seek(0, 2)
    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError):
        return False  # another format, or a damaged archive: torch.load reads or rejects it
    finally:
        stream.seek(0)
    compressed = any(member.compress_type != zipfile.ZIP_STORED for member in members)
    return compressed or sum(member.file_size for member in members) > size


def _is_config(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("class_path"), str)
        and isinstance(value.get("init_args"), Mapping)
        and all(isinstance(name, str) for name in value["init_args"])
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


#: The entries that a prediction needs, each with the check of its form.
_FORMS: dict[str, Callable[[Any], bool]] = {
    "genres": lambda value: (
        isinstance(value, list | tuple) and len(value) > 0 and all(isinstance(genre, str) for genre in value)
    ),
    "network": lambda value: value is None or _is_config(value),
    "features": _is_config,
    "segment_seconds": lambda value: _is_number(value) and 0 < value <= LONGEST,
    "evaluation_segments": lambda value: _is_number(value) and value == int(value) and value >= 1,
}
