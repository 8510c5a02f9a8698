"""``genre predict``: files and folders in, one line a file out: its genre, or its tags."""

import csv
import importlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from rich.table import Table

from genre.audio.decode import AudioError
from genre.data.folder import audio_files, describe_unread, unread_files
from genre.ensemble import Ensemble
from genre.errors import GenreError
from genre.predictor import Prediction, load
from genre.tagger import Tagger
from genre.terminal import terminal

#: Genres or tags beside the best one that the table shows. Of tags several are right.
RUNNERS_UP = {"genre": 2, "tag": 4}


def predict(
    checkpoints: Sequence[Path], paths: Sequence[Path], form: str, segments: int | None, modules: Sequence[str]
) -> int:
    """Predicts every file: its genre or, without a checkpoint, its tags by MusiCNN.

    Returns:
        The exit status, 1 if any file was bad.

    Raises:
        GenreError: A checkpoint is no good; or there is none, and MusiCNN's weights are not installed.
    """
    import_modules(modules)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    ensemble = Ensemble([load(path, device=device) for path in checkpoints] or [_tagger(device)])
    if segments is not None:
        for predictor in ensemble.predictors:
            predictor.evaluation_segments = segments
    results = _Results(ensemble, paths)
    {"table": _table, "json": _json, "csv": _csv}[form](results, ensemble.genres, "genre" if checkpoints else "tag")
    return 1 if results.faults else 0


def _tagger(device: str) -> Tagger:
    try:
        return Tagger(device=device)
    except GenreError as error:
        raise GenreError(f"without --ckpt_path CKPT, genre predict names a song's tags, but {error}") from None


def import_modules(modules: Sequence[str]) -> None:
    """Imports modules of the user's, also from the current folder."""
    sys.path.insert(0, "")  # a console script does not look for modules in the current folder by itself
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise GenreError(f"--import {module}: {error}") from None


class _Results:
    """Predictions in the order of the paths; a bad file gives a line on stderr and is counted."""

    def __init__(self, ensemble: Ensemble, paths: Sequence[Path]) -> None:
        self.ensemble, self.paths, self.faults = ensemble, paths, 0

    def __iter__(self) -> Iterator[Prediction]:
        for path in self.paths:
            files = audio_files(path) if path.is_dir() else [path]
            unread = unread_files(path) if path.is_dir() else []
            if unread:
                self._complain(describe_unread(path, unread))
            elif not files:
                self._complain(f"{path}: no audio file in this folder")
            for file in files:
                try:
                    yield self.ensemble.predict(file)
                except AudioError as error:
                    self._complain(str(error))

    def _complain(self, message: str) -> None:
        self.faults += 1
        print(f"genre: {message}", file=sys.stderr)


def _table(results: _Results, genres: Sequence[str], kind: str) -> None:
    table = Table(caption=None if kind == "genre" else "tags by MusiCNN; for genres of your own: genre fit")
    table.add_column("path", overflow="fold")
    table.add_column(kind, style="bold")
    table.add_column("probability", justify="right")
    table.add_column("runners-up")
    try:
        for result in results:
            others = list(result.probabilities.items())[1 : 1 + RUNNERS_UP[kind]]
            runners_up = ", ".join(f"{genre} {probability:.2f}" for genre, probability in others)
            table.add_row(str(result.path), result.genre, f"{result.probability:.2f}", runners_up)
    finally:  # after Ctrl-C, too, what is done is not lost
        if table.row_count:
            terminal().print(table)


def _json(results: _Results, genres: Sequence[str], kind: str) -> None:
    for result in results:
        entry = {
            "path": str(result.path),
            kind: result.genre,
            "probability": result.probability,
            "probabilities": result.probabilities,
        }
        print(json.dumps(entry, ensure_ascii=False), flush=True)


def _csv(results: _Results, genres: Sequence[str], kind: str) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["path", kind, "probability", *genres])
    for result in results:
        values = [f"{result.probabilities[genre]:.6f}" for genre in genres]
        writer.writerow([result.path, result.genre, f"{result.probability:.6f}", *values])
        sys.stdout.flush()
