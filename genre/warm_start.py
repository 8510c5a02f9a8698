"""Warm start: all of a network but its head from the checkpoint of an earlier fit."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from genre.audio.features import Feature
from genre.config import Config, from_config, show, to_config, without
from genre.errors import GenreError
from genre.models.head import find_head

log = logging.getLogger(__name__)


def take_weights(network: nn.Module, checkpoint: Mapping[str, Any], file: Path | str) -> None:
    """Takes every parameter and buffer of a network but those of its head, see :func:`~genre.models.head.find_head`.

    Args:
        network: The network, which is changed only if all fits.
        checkpoint: The content of a checkpoint.
        file: Where it was read, for the message.

    Raises:
        GenreError: The checkpoint is of another network, or of other sizes.
    """
    head, _ = find_head(network)
    ours = _without_head(network.state_dict(), head)
    prefix = "network."
    saved = {
        name.removeprefix(prefix): tensor
        for name, tensor in checkpoint["state_dict"].items()
        if name.startswith(prefix)
    }
    theirs = _without_head(saved, head)
    names = sorted(ours.keys() | theirs.keys())
    differing = [name for name in names if _shape(ours, name) != _shape(theirs, name)]
    if differing:
        config, example = checkpoint["genre"]["network"], differing[0]
        raise GenreError(
            f"{file}: the checkpoint of {show(config) if config else 'a network'} does not fit "
            f"{type(network).__name__}: {len(differing)} of {len(names)} tensors beside the head differ, such as "
            f"{example}: {_shape(theirs, example)} in the checkpoint, {_shape(ours, example)} in the network; pretrained "
            "takes a checkpoint of the same network"
        )
    network.load_state_dict(theirs, strict=False)  # the head alone is missing


def warn_of_other_checkpoint_features(checkpoint: Mapping[str, Any], features: Feature, file: Path | str) -> None:
    """Logs in one line where a checkpoint was trained on other features; their mean and std may differ."""
    ours = without(to_config(features), "mean", "std")
    theirs = without(_complete(checkpoint["genre"]["features"]), "mean", "std")
    if theirs != ours:
        log.warning("%s was trained on %s; this fit's data gives %s", file, show(theirs), show(ours))


def _complete(config: Config) -> Config:
    """The same with the arguments that came with a later version at their defaults."""
    try:
        return to_config(from_config(config, Feature))
    except GenreError:  # a class that is not at hand is another one anyway
        return config


def _without_head(weights: Mapping[str, Tensor], head: str) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in weights.items() if name.rpartition(".")[0] != head}


def _shape(weights: Mapping[str, Tensor], name: str) -> str:
    return str(tuple(weights[name].shape)) if name in weights else "nothing"
