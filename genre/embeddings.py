"""Embeddings of tracks: the networks that compute them, and their file formats (``.npz`` and ``.parquet``)."""

import importlib.util
import inspect
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import genre.models
from genre.audio.features import Feature
from genre.errors import GenreError, one_line, printable
from genre.predictor import Predictor, load

#: The suffixes of the file formats.
ENDINGS = (".npz", ".parquet")

#: The segments of a pretrained network without a checkpoint: the defaults of a DataModule.
SEGMENT_SECONDS, SEGMENTS = 3.0, 10


class Embeddings(NamedTuple):
    """Tracks as vectors.

    Attributes:
        paths: The N files.
        values: ``(N, D)`` in float32.
    """

    paths: list[Path]
    values: NDArray[np.float32]


def load_embedder(name: str, device: torch.device | str = "cpu") -> Predictor:
    """Loads a network that computes embeddings.

    ``name`` is a checkpoint of a fit; or a pretrained network of :mod:`genre.models` that has a method ``features``, as
    ``CLASS`` or ``CLASS:WEIGHTS``. ``WEIGHTS`` is the name of weights or a file.
    """
    class_name, _, weights = name.partition(":")
    networks = pretrained_networks()
    if class_name not in networks or Path(name).exists():
        if class_name.isidentifier() and not Path(name).exists():
            known = ", ".join(sorted(networks)) or "none in this version"
            raise GenreError(f"{name}: no such checkpoint, and no pretrained network of that name; known: {known}")
        return load(name, device=device)
    cls = networks[class_name]
    if weights and "pretrained" not in inspect.signature(cls).parameters:
        raise GenreError(f"{name}: {class_name} takes no weights; name it without :{weights}")
    num_classes = 2  # the head is not used
    network: Any = cls(num_classes, pretrained=weights) if weights else cls(num_classes)
    features: Feature = network.features()
    if not features.measured:
        raise GenreError(
            f"{name}: its features have no mean and std of their own; fit it, and embed with the checkpoint"
        )
    return Predictor(network, features, [], SEGMENT_SECONDS, SEGMENTS, device)


def pretrained_networks() -> dict[str, type[nn.Module]]:
    """The networks of :mod:`genre.models` with a method ``features``, which gives the features of their training."""
    names = sorted({*dir(genre.models), *vars(genre.models)})  # those to be imported, and those that are
    return {
        name: cls
        for name, cls in ((name, getattr(genre.models, name)) for name in names)
        if isinstance(cls, type) and issubclass(cls, nn.Module) and callable(getattr(cls, "features", None))
    }


def check_writable(file: Path) -> None:
    """Checks the ending of a file before it is written, and that the package for its format is installed."""
    _ending(file)
    if file.is_dir():
        raise GenreError(f"{file}: found a folder; expected a file to write")


def write_embeddings(file: Path, embeddings: Embeddings) -> None:
    """Writes embeddings; an interrupted call leaves no file.

    An ``.npz`` file has the arrays ``paths`` (text) and ``embeddings`` (``(N, D)``, float32). A ``.parquet`` file has
    the columns ``path`` and ``embedding`` (a list of floats).
    """
    ending = _ending(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    if ending == ".npz":
        with part.open("wb") as stream:
            np.savez(stream, paths=np.array([str(path) for path in embeddings.paths]), embeddings=embeddings.values)
    else:
        _write_parquet(part, embeddings)
    os.replace(part, file)  # noqa: PTH105  # Path.replace is the same


def read_embeddings(file: Path) -> Embeddings:
    """Reads what :func:`write_embeddings` wrote."""
    ending = _ending(file)
    if not file.is_file():
        raise GenreError(f"{file}: no such file; expected what `genre embed --out` writes")
    try:
        paths, values = (_read_npz if ending == ".npz" else _read_parquet)(file)
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:  # pyarrow's are ValueErrors
        line = one_line(error)[:160]
        raise GenreError(f"{file}: not what `genre embed --out` writes ({line})") from None
    if values.ndim != 2 or len(paths) != len(values):
        raise GenreError(f"{file}: found {len(paths)} paths and embeddings of shape {values.shape}; expected one each")
    if not np.isfinite(values).all():
        raise GenreError(f"{file}: found NaN or infinite values")
    return Embeddings([Path(path) for path in paths], values.astype(np.float32))


def _ending(file: Path) -> str:
    """The ending of a file, for whose format the package is installed."""
    ending = file.suffix.lower()
    if ending not in ENDINGS:
        raise GenreError(f"{file}: unknown ending; expected {' or '.join(ENDINGS)}")
    if ending == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise GenreError(f"{file}: parquet needs pyarrow; pip install 'lightning-genre[parquet]', or use .npz")
    return ending


def _read_npz(file: Path) -> tuple[Sequence[str], NDArray[np.float32]]:
    with np.load(file, allow_pickle=False) as content:
        return content["paths"].tolist(), content["embeddings"]


def _write_parquet(file: Path, embeddings: Embeddings) -> None:
    import pyarrow
    import pyarrow.parquet

    columns = {
        "path": pyarrow.array([printable(path) for path in embeddings.paths], pyarrow.string()),
        "embedding": pyarrow.array(list(embeddings.values), pyarrow.list_(pyarrow.float32())),
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), file)


def _read_parquet(file: Path) -> tuple[Sequence[str], NDArray[np.float32]]:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(file, columns=["path", "embedding"])
    return table["path"].to_pylist(), np.array(table["embedding"].to_pylist(), np.float32)
