"""``genre predict``: files and folders in, one line a file out."""

import csv
import importlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from rich.table import Table

from genre.audio.decode import AudioError
from genre.data.folder import audio_files
from genre.ensemble import Ensemble
from genre.errors import GenreError
from genre.predictor import Prediction, load
from genre.terminal import terminal

#: Genres beside the best one that the table shows.
RUNNERS_UP = 2


def predict(
    checkpoints: Sequence[Path], paths: Sequence[Path], form: str, segments: int | None, modules: Sequence[str]
) -> int:
    """Predicts every file; returns the exit status, 1 if any file was bad."""
    import_modules(modules)
    ensemble = Ensemble([load(path, device="cuda" if torch.cuda.is_available() else "cpu") for path in checkpoints])
    if segments is not None:
        for predictor in ensemble.predictors:
            predictor.evaluation_segments = segments
    results = _Results(ensemble, paths)
    {"table": _table, "json": _json, "csv": _csv}[form](results, ensemble.genres)
    return 1 if results.faults else 0


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
            if not files:
                self._complain(f"{path}: no audio file in this folder")
            for file in files:
                try:
                    yield self.ensemble.predict(file)
                except AudioError as error:
                    self._complain(str(error))

    def _complain(self, message: str) -> None:
        self.faults += 1
        print(f"genre: {message}", file=sys.stderr)


def _table(results: _Results, genres: Sequence[str]) -> None:
    table = Table()
    table.add_column("path", overflow="fold")
    table.add_column("genre", style="bold")
    table.add_column("probability", justify="right")
    table.add_column("runners-up")
    try:
        for result in results:
            others = list(result.probabilities.items())[1 : 1 + RUNNERS_UP]
            runners_up = ", ".join(f"{genre} {probability:.2f}" for genre, probability in others)
            table.add_row(str(result.path), result.genre, f"{result.probability:.2f}", runners_up)
    finally:  # after Ctrl-C, too, what is done is not lost
        if table.row_count:
            terminal().print(table)


def _json(results: _Results, genres: Sequence[str]) -> None:
    for result in results:
        entry = {
            "path": str(result.path),
            "genre": result.genre,
            "probability": result.probability,
            "probabilities": result.probabilities,
        }
        print(json.dumps(entry, ensure_ascii=False), flush=True)


def _csv(results: _Results, genres: Sequence[str]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["path", "genre", "probability", *genres])
    for result in results:
        values = [f"{result.probabilities[genre]:.6f}" for genre in genres]
        writer.writerow([result.path, result.genre, f"{result.probability:.6f}", *values])
        sys.stdout.flush()
