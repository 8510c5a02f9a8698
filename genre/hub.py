"""Reads a checkpoint, or a classifier in the hub's layout: ``config.json`` and ``model.safetensors`` in a folder.

:mod:`genre.export.hub` writes them. Neither file can hold code; :mod:`genre.config` says which classes a configuration
can name.
"""

import json
import re
from pathlib import Path
from typing import Any

import huggingface_hub
import safetensors.torch
from torch import Tensor

from genre.checkpoint import read_checkpoint, require_content
from genre.errors import CheckpointError, describe_error

CONFIG, WEIGHTS = "config.json", "model.safetensors"

#: The entries of ``config.json`` that a checkpoint does not have.
LIBRARY, SCORES = "library_name", "scores"

#: The largest header of a safetensors file in bytes: 100,000 tensors fit in it.
MAX_HEADER = 16 << 20

MAX_CONFIG = 64 << 20


def read_classifier(source: Path | str) -> dict[str, Any]:
    """Reads a classifier's description ``genre`` and weights ``state_dict``, as from a checkpoint.

    Args:
        source: A checkpoint, a folder in the hub's layout, or a repository of the hub, ``user/name`` or
            ``user/name@revision``, which is downloaded into the hub's cache where it is not there.

    Raises:
        CheckpointError: There is no such classifier, or its files are damaged.
    """
    folder = Path(source)
    if not folder.exists() and re.fullmatch(r"[\w.-]+/[\w.-]+(@[\w./-]+)?", str(source)) and folder.suffix != ".ckpt":
        folder = _download(str(source))
    elif not (folder / CONFIG).exists():
        return read_checkpoint(source)
    config = _read_config(folder / CONFIG)
    content = {name: value for name, value in config.items() if name not in (LIBRARY, SCORES)}
    weights = _read_weights(folder / WEIGHTS)
    checkpoint = {"genre": content, "state_dict": {f"network.{name}": tensor for name, tensor in weights.items()}}
    require_content(checkpoint, folder)
    return checkpoint


def _read_config(file: Path) -> dict[str, Any]:
    _require_file(file)
    if file.stat().st_size > MAX_CONFIG:
        raise CheckpointError(f"{file}: found {file.stat().st_size:,} bytes; a classifier's config.json has a few kB")
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{file}: not JSON ({describe_error(error)}); export the classifier again") from None
    if not isinstance(config, dict) or "genres" not in config:
        raise CheckpointError(f"{file}: not the configuration of a genre classifier; `genre export` writes one")
    return config


def _read_weights(file: Path) -> dict[str, Tensor]:
    _require_file(file)
    size = file.stat().st_size
    with file.open("rb") as stream:
        header = int.from_bytes(stream.read(8), "little")
    if header > MAX_HEADER or header > size - 8:
        raise CheckpointError(
            f"{file}: not a safetensors file, or cut short: it announces a header of {header:,} bytes and has "
            f"{size:,} bytes; download or export it again"
        )
    try:
        return safetensors.torch.load_file(file)
    except Exception as error:  # safetensors raises many types for an arbitrary file
        raise CheckpointError(
            f"{file}: damaged or cut short ({describe_error(error)}); download or export it again"
        ) from None


def _require_file(file: Path) -> None:
    if not file.is_file():
        kind = "no regular file" if file.exists() else "no such file"
        raise CheckpointError(f"{file}: {kind}; a classifier's folder has {CONFIG} and {WEIGHTS}")


def _download(source: str) -> Path:
    repository, _, revision = source.partition("@")
    try:
        return Path(
            huggingface_hub.snapshot_download(repository, revision=revision or None, allow_patterns=[CONFIG, WEIGHTS])
        )
    except Exception as error:  # the hub, the network and the file system raise many types
        raise CheckpointError(
            f"{source}: no such checkpoint or folder, and the hub's repository of that name could not be loaded "
            f"({describe_error(error)})"
        ) from None
