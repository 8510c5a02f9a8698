"""ImageNet backbones: timm's networks, their weights from its hub, from a local file, or none."""

import logging
from collections.abc import Mapping
from pathlib import Path

import huggingface_hub
import timm
from timm.models import load_state_dict
from torch import nn

from genre.errors import GenreError

#: The names that timm gives to weights on its hub, the preferred one first.
HUB_FILES = ("model.safetensors", "pytorch_model.bin")


def create_backbone(name: str, pretrained: bool | str, in_channels: int) -> nn.Module:
    """Builds a network of timm that ends with its pooled feature vector.

    Args:
        name: timm's name of the architecture, with the tag of its weights.
        pretrained: ``True``: the weights of that name from the hub or its local cache; a string: a ``.pth`` or
            ``.safetensors`` file, or another timm name of the same architecture; ``False``: random weights.
        in_channels: Channels of the input; the kernels of RGB weights are summed into fewer.

    Raises:
        GenreError: The weights cannot be had.
    """
    if pretrained is False:
        return _timm(name, in_channels, None)
    if pretrained is True:
        return _timm(name, in_channels, _hub_file(name))
    file = Path(pretrained).expanduser()
    if file.is_file():
        return _timm(name, in_channels, file)
    architecture = name.partition(".")[0]
    if timm.is_model(pretrained) and pretrained.partition(".")[0] == architecture:
        return _timm(pretrained, in_channels, _hub_file(pretrained))
    raise GenreError(
        f"pretrained: {pretrained} is no file and no name of weights for {architecture}; pass a .pth or .safetensors "
        f"file, a name such as {name}, or false"
    )


def _timm(name: str, in_channels: int, weights: Path | None) -> nn.Module:
    overlay = {"file": str(weights)} if weights else None
    try:
        model: nn.Module = timm.create_model(
            name,
            pretrained=weights is not None,
            pretrained_cfg_overlay=overlay,
            num_classes=0,
            in_chans=in_channels,
        )
        # timm passes over what does not fit: a file of another network would leave random weights.
        missing = _learned(model.state_dict()) - _learned(load_state_dict(str(weights))) if weights else set()
    except Exception as error:  # whatever torch, safetensors or timm find wrong with the file
        raise GenreError(f"{weights}: no weights for {name.partition('.')[0]} ({_first_line(error)})") from None
    if missing:
        raise GenreError(
            f"{weights}: no weights for {name.partition('.')[0]} ({len(missing)} of its tensors are not in the file, "
            f"{min(missing)} among them)"
        )
    return model


def _learned(state: Mapping[str, object]) -> set[str]:
    """The names of a state's tensors, without the counters that older files lack."""
    return {name for name in state if not name.endswith("num_batches_tracked")}


def _hub_file(name: str) -> Path:
    """The weights file of that name in the hub's local cache, downloaded if it is not there yet."""
    config = timm.get_pretrained_cfg(name)
    repository = config.hf_hub_id if config else None
    if repository is None:
        raise GenreError(f"timm has no weights named {name}; pass a .pth or .safetensors file, or pretrained: false")
    for filename in HUB_FILES:
        cached = huggingface_hub.try_to_load_from_cache(repository, filename)
        if isinstance(cached, str):
            return Path(cached)
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        # One quick question first, since the hub's client would try for most of a minute without a network.
        huggingface_hub.get_session().head(huggingface_hub.hf_hub_url(repository, HUB_FILES[0]), timeout=10)
        return Path(huggingface_hub.hf_hub_download(repository, HUB_FILES[0]))
    except Exception as error:  # the hub's, the network's and the file system's errors, of many types
        raise GenreError(
            f"the ImageNet weights {name} could not be downloaded ({_first_line(error)}); pass pretrained: "
            "FILE.safetensors (or .pth), or pretrained: false to train from scratch"
        ) from None


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:160]}"
