"""Checks what a checkpoint or a hub folder of unknown origin says, before anything is built from it."""

import math
import zipfile
from collections.abc import Mapping
from typing import Any, BinaryIO

from torch import Tensor

from genre.errors import CheckpointError

#: The longest segment in seconds: no decoder reserves memory for more.
LONGEST = 3600

#: What a prediction cannot do without.
ENTRIES = ("genres", "network", "features", "segment_seconds", "evaluation_segments")


def require_content(checkpoint: Mapping[str, Any], source: object) -> None:
    """Raises a :class:`CheckpointError` if an entry of a checkpoint is missing or has another form.

    The forms are the types and ranges that :mod:`genre.checkpoint` writes; ``source`` is the file or folder.
    """
    content, weights = checkpoint.get("genre"), checkpoint.get("state_dict")
    if not isinstance(content, Mapping) or not isinstance(weights, Mapping):
        raise CheckpointError(f"{source}: damaged: found no description or no weights of a classifier; export it again")
    for name in ENTRIES:
        if name not in content:
            raise CheckpointError(f"{source}: damaged: found no entry '{name}'; export it or train it again")
        if not _FORMS[name](content[name]):
            value = repr(content[name])
            shown = value if len(value) < 80 else f"{value[:80]}…"
            raise CheckpointError(f"{source}: damaged: its entry '{name}' is {shown}; export it or train it again")
    if not all(isinstance(name, str) and isinstance(value, Tensor) for name, value in weights.items()):
        raise CheckpointError(f"{source}: damaged: its weights are no named tensors; export it or train it again")


def require_stored(stream: BinaryIO, size: int) -> str | None:
    """Why a zip archive of ``size`` bytes could fill the memory; ``None`` if it cannot.

    ``torch.save`` compresses nothing, so the members together are no longer than the file. The stream is read from its
    beginning afterwards.
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError):
        return None  # another format, or a damaged archive: torch.load reads or rejects it
    finally:
        stream.seek(0)
    compressed = any(member.compress_type != zipfile.ZIP_STORED for member in members)
    if compressed or sum(member.file_size for member in members) > size:
        return "it is compressed, which torch.save never does"
    return None


def _is_config(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("class_path"), str)
        and isinstance(value.get("init_args"), Mapping)
        and all(isinstance(name, str) for name in value["init_args"])
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_FORMS: dict[str, Any] = {
    "genres": lambda value: (
        isinstance(value, list | tuple) and len(value) > 0 and all(isinstance(genre, str) for genre in value)
    ),
    "network": lambda value: value is None or _is_config(value),
    "features": _is_config,
    "segment_seconds": lambda value: _is_number(value) and 0 < value <= LONGEST,
    "evaluation_segments": lambda value: _is_number(value) and value == int(value) and value >= 1,
}
