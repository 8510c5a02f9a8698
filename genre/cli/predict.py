"""``genre predict`` and ``genre embed``: genres, tags or embeddings of files and folders."""

import csv
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track as progress
from rich.table import Table

from genre.audio.decode import AudioError
from genre.embeddings import Embeddings, check_writable, load_embedder, write_embeddings
from genre.errors import GenreError
from genre.predictor import Ensemble, Prediction, Tagger, load
from genre.recordings import list_files
from genre.terminal import terminal

Format = Literal["table", "json", "csv"]

#: The number of runners-up in the table. A song can have several tags, so it has more of them.
RUNNERS_UP = {"genre": 2, "tag": 4}

T = TypeVar("T")


class AudioFiles:
    """The audio files of several paths, in order. Bad files are counted, and each prints a line on stderr.

    Args:
        paths: Files, and folders of files.

    Attributes:
        paths: The audio files.
        faults: The number of bad files and folders so far.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths: list[Path] = []
        self.faults = 0
        for path in paths:
            files, problem = list_files(path)
            self.paths += files
            if problem:
                self._report(problem)

    def apply(self, function: Callable[[Path], T]) -> Iterator[tuple[Path, T]]:
        """Yields every readable file with the function's result."""
        for path in self.paths:
            try:
                yield path, function(path)
            except AudioError as error:
                self._report(str(error))

    def _report(self, problem: str) -> None:
        self.faults += 1
        print(f"genre: {problem}", file=sys.stderr)


def predict_files(checkpoints: Sequence[Path], paths: Sequence[Path], form: Format, segments: int | None) -> int:
    """Prints the genre of every file, or without a checkpoint its tags; returns the exit status."""
    ensemble = Ensemble([load(path, device=_device()) for path in checkpoints] or [_tagger()])
    for predictor in ensemble.predictors:
        predictor.evaluation_segments = segments or predictor.evaluation_segments
    files = AudioFiles(paths)
    predictions = (prediction for _, prediction in files.apply(ensemble.predict))
    name = "genre" if checkpoints else "tag"
    if form == "table":
        _print_table(predictions, name)
    elif form == "json":
        _print_json(predictions, name)
    else:
        _print_csv(predictions, name, ensemble.genres)
    return 1 if files.faults else 0


def embed_files(networks: Sequence[str], paths: Sequence[Path], out: Path, segments: int | None) -> int:
    """Writes the embeddings of every file, concatenated over the networks; returns the exit status."""
    check_writable(out)
    predictors = [load_embedder(network, _device()) for network in networks]
    for predictor in predictors:
        predictor.evaluation_segments = segments or predictor.evaluation_segments
    files = AudioFiles(paths)
    rows: list[tuple[Path, NDArray[np.float32]]] = []
    console = terminal()
    bar = progress(
        files.apply(lambda path: np.concatenate([predictor.embed(path) for predictor in predictors])),
        "embedding", len(files.paths), console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    try:
        rows.extend(bar)
    finally:  # Ctrl-C keeps what is done
        if rows:
            values = np.stack([row for _, row in rows])
            write_embeddings(out, Embeddings([path for path, _ in rows], values))
            line = f"{out}: {len(values)} embeddings of {values.shape[1]} values"
            console.print(line, soft_wrap=True, highlight=False, markup=False)
    return 1 if files.faults else 0


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _tagger() -> Tagger:
    try:
        return Tagger(device=_device())
    except GenreError as error:
        raise GenreError(f"without --ckpt_path CKPT, genre predict names a song's tags, but {error}") from None


def _print_table(predictions: Iterator[Prediction], name: str) -> None:
    table = Table(caption="tags by MusiCNN; for genres of your own: genre fit" if name == "tag" else None)
    table.add_column("path", overflow="fold")
    table.add_column(name, style="bold")
    table.add_column("probability", justify="right")
    table.add_column("runners-up")
    try:
        for prediction in predictions:
            others = list(prediction.probabilities.items())[1 : 1 + RUNNERS_UP[name]]
            runners_up = ", ".join(f"{genre} {probability:.2f}" for genre, probability in others)
            table.add_row(str(prediction.path), prediction.genre, f"{prediction.probability:.2f}", runners_up)
    finally:  # Ctrl-C keeps what is done
        if table.row_count:
            terminal().print(table)


def _print_json(predictions: Iterator[Prediction], name: str) -> None:
    for prediction in predictions:
        entry = {
            "path": str(prediction.path),
            name: prediction.genre,
            "probability": prediction.probability,
            "probabilities": prediction.probabilities,
        }
        print(json.dumps(entry, ensure_ascii=False), flush=True)


def _print_csv(predictions: Iterator[Prediction], name: str, genres: Sequence[str]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["path", name, "probability", *genres])
    for prediction in predictions:
        values = [f"{prediction.probabilities[genre]:.6f}" for genre in genres]
        writer.writerow([prediction.path, prediction.genre, f"{prediction.probability:.6f}", *values])
        sys.stdout.flush()
