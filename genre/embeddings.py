"""Embeddings of tracks in a file: ``.npz`` for NumPy, ``.parquet`` for data frames."""

import importlib.util
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from genre.errors import GenreError, printable

#: The endings that are written and read.
ENDINGS = (".npz", ".parquet")


class Embeddings(NamedTuple):
    """Tracks as vectors.

    Attributes:
        paths: The N files.
        values: ``(N, D)`` in float32.
    """

    paths: list[Path]
    values: NDArray[np.float32]


def check_writable(file: Path) -> None:
    """Checks the ending of a file that is to be written, and that its format is at hand.

    Raises:
        GenreError: The ending is unknown, the file is a folder, or its format needs a package that is missing.
    """
    ending = _ending(file)
    if file.is_dir():
        raise GenreError(f"{file}: found a folder; expected a file to write")
    if ending == ".parquet":
        _require_pyarrow(file)


def write_embeddings(file: Path, embeddings: Embeddings) -> None:
    """Writes embeddings so that the file is there whole or not at all.

    An ``.npz`` file has the arrays ``paths`` (text) and ``embeddings`` (``(N, D)``, float32); a ``.parquet`` file the
    columns ``path`` and ``embedding`` (a list of floats).
    """
    write = _write_npz if _ending(file) == ".npz" else _write_parquet
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    write(part, embeddings)
    os.replace(part, file)  # noqa: PTH105  # Path.replace is the same


def read_embeddings(file: Path) -> Embeddings:
    """Reads what :func:`write_embeddings` wrote.

    Raises:
        GenreError: The file is missing or is no such file.
    """
    ending = _ending(file)
    if not file.is_file():
        raise GenreError(f"{file}: no such file; expected what `genre embed --out` writes")
    if ending == ".parquet":
        _require_pyarrow(file)
    try:
        paths, values = (_read_npz if ending == ".npz" else _read_parquet)(file)
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:  # pyarrow's are ValueErrors
        line = " ".join(str(error).split())[:160]
        raise GenreError(f"{file}: not what `genre embed --out` writes ({line})") from None
    if values.ndim != 2 or len(paths) != len(values):
        raise GenreError(f"{file}: found {len(paths)} paths and embeddings of shape {values.shape}; expected one each")
    if not np.isfinite(values).all():
        raise GenreError(f"{file}: found NaN or infinite values")
    return Embeddings([Path(path) for path in paths], values.astype(np.float32))


def _ending(file: Path) -> str:
    ending = file.suffix.lower()
    if ending not in ENDINGS:
        raise GenreError(f"{file}: unknown ending; expected {' or '.join(ENDINGS)}")
    return ending


def _require_pyarrow(file: Path) -> None:
    if importlib.util.find_spec("pyarrow") is None:
        raise GenreError(f"{file}: parquet needs pyarrow; pip install 'lightning-genre[parquet]', or use .npz")


def _write_npz(file: Path, embeddings: Embeddings) -> None:
    with file.open("wb") as stream:
        np.savez(stream, paths=np.array([str(path) for path in embeddings.paths]), embeddings=embeddings.values)


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
