"""``genre embed``: files and folders in, one vector for each file out."""

import inspect
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track as progress
from torch import nn

import genre.models
from genre.audio.decode import AudioError
from genre.audio.features import Feature
from genre.audio.recording import FileRecording
from genre.cli.predict import import_modules
from genre.data.folder import audio_files, describe_unread, unread_files
from genre.embeddings import Embeddings, check_writable, write_embeddings
from genre.errors import GenreError
from genre.predictor import Predictor, load
from genre.terminal import terminal

#: How a pretrained backbone, which no fit has told so, hears a track: the defaults of a DataModule.
SEGMENT_SECONDS, SEGMENTS = 3.0, 10


def embed(names: Sequence[str], paths: Sequence[Path], out: Path, segments: int | None, modules: Sequence[str]) -> int:
    """Embeds every file; returns the exit status, 1 if any file was bad.

    Args:
        names: Checkpoints and backbones, see :func:`load_embedder`; their embeddings stand side by side.
        paths: Audio files and folders of them.
        out: The file to write, see :func:`~genre.embeddings.write_embeddings`.
        segments: The largest number of segments of a file; ``None``: each network's own.
        modules: Modules to import first, which the checkpoints' networks come from.
    """
    check_writable(out)
    import_modules(modules)
    predictors = [load_embedder(name, "cuda" if torch.cuda.is_available() else "cpu") for name in names]
    for predictor in predictors:
        predictor.evaluation_segments = segments or predictor.evaluation_segments
    faults, files = 0, []
    for path in paths:
        inside = audio_files(path) if path.is_dir() else [path]
        unread = unread_files(path) if path.is_dir() else []
        if unread:
            faults += _complain(describe_unread(path, unread))
        elif not inside:
            faults += _complain(f"{path}: no audio file in this folder")
        files += inside
    rows: dict[int, NDArray[np.float32]] = {}
    console = terminal()
    bar = progress(files, "embedding", console=console, transient=True, disable=not console.is_terminal)
    try:
        for index, file in enumerate(bar):
            try:
                rows[index] = side_by_side(predictors, file)
            except AudioError as error:
                faults += _complain(str(error))
    finally:  # after Ctrl-C, too, what is done is not lost
        if rows:
            embeddings = Embeddings([files[index] for index in rows], np.stack(list(rows.values())))
            write_embeddings(out, embeddings)
            count, size = embeddings.values.shape
            console.print(f"{out}: {count} embeddings of {size} values", soft_wrap=True, highlight=False, markup=False)
    return 1 if faults else 0


def side_by_side(predictors: Sequence[Predictor], file: Path) -> NDArray[np.float32]:
    """The embeddings of a file by several networks, one after the other: ``(D1 + D2 + …,)``."""
    return np.concatenate([predictor.average_embedding(FileRecording(file)) for predictor in predictors])


def load_embedder(name: str, device: torch.device | str = "cpu") -> Predictor:
    """Loads what embeds.

    Args:
        name: A checkpoint of a fit; or a pretrained network of :mod:`genre.models` that names the features it was
            trained on, as ``CLASS`` or, with one of several weights or a file of weights, ``CLASS:WEIGHTS``.
        device: Where to compute.

    Raises:
        GenreError: There is no such checkpoint and no such network, or its weights are not at hand.
    """
    class_name, _, weights = name.partition(":")
    kinds = backbones()
    if class_name not in kinds or Path(name).exists():
        if class_name.isidentifier() and not Path(name).exists():
            known = ", ".join(sorted(kinds)) or "none in this version"
            raise GenreError(f"{name}: no such checkpoint, and no pretrained network of that name; known: {known}")
        return load(name, device=device)
    kind = kinds[class_name]
    if weights and "pretrained" not in inspect.signature(kind).parameters:
        raise GenreError(f"{name}: {class_name} takes no weights; name it without :{weights}")
    classes = 2  # of a head that is not used
    network = kind(classes, pretrained=weights) if weights else kind(classes)
    make_features = getattr(network, "features", None)
    assert callable(make_features)
    features = make_features()
    assert isinstance(features, Feature)
    if not features.measured:
        raise GenreError(
            f"{name}: its features have no mean and std of their own; fit it, and embed with the checkpoint"
        )
    return Predictor(network, features, [], SEGMENT_SECONDS, SEGMENTS, device)


def backbones() -> dict[str, type[nn.Module]]:
    """The networks of :mod:`genre.models` that name, by a method ``features``, what they were pretrained on."""
    return {
        name: kind
        for name, kind in vars(genre.models).items()
        if isinstance(kind, type) and issubclass(kind, nn.Module) and callable(getattr(kind, "features", None))
    }


def _complain(message: str) -> int:
    """Prints what is wrong with a file; returns 1, to be counted."""
    print(f"genre: {message}", file=sys.stderr)
    return 1
