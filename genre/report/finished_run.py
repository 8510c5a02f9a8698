"""What a finished run left behind, read back for comparison."""

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genre.errors import GenreError
from genre.report.results import Results, read_results


@dataclass(frozen=True)
class Run:
    """What a finished run left behind.

    Attributes:
        history: The metrics of every epoch.
        results: What it said of the scored tracks.
        metrics: Its scores, and the conditions of the run.
        cost: What it took: ``seconds_per_epoch`` and ``peak_memory_mb``, each a number or ``None``.
    """

    history: list[dict[str, float]]
    results: Results
    metrics: dict[str, Any]
    cost: dict[str, Any]


def read_run(folder: Path) -> Run:
    """Reads the report of a run.

    Args:
        folder: The run's, such as ``runs/<name>/version_0``.

    Raises:
        GenreError: A file of the report is missing or damaged.
    """
    report = folder / "report"
    if not report.is_dir():
        found = "no report in it" if folder.is_dir() else "nothing"
        raise GenreError(f"{folder}: found {found}; expected a finished run, such as runs/<name>/version_0")
    return Run(
        _read_history(report / "history.csv"),
        read_results(report / "predictions.csv"),
        _read_metrics(report / "metrics.json"),
        json.loads((report / "cost.json").read_text(encoding="utf-8")),
    )


def read_runs(folders: Sequence[Path]) -> dict[str, Run]:
    """Reads several runs; returns them by the shortest names that tell them apart, a leaky one marked as such.

    Raises:
        GenreError: See :func:`read_run`.
    """
    folders = list(dict.fromkeys(folder.resolve() for folder in folders))
    names = [_names(folder) for folder in folders]
    taken = [Counter(candidates) for candidates in zip(*names, strict=True)]
    runs = {}
    for folder, candidates in zip(folders, names, strict=True):
        name = next(name for name, counts in zip(candidates, taken, strict=True) if counts[name] == 1)
        run = read_run(folder)
        runs[f"{name}, LEAKY" if run.metrics.get("leaky") else name] = run
    return runs


def _read_history(path: Path) -> list[dict[str, float]]:
    if not path.is_file():
        raise GenreError(f"{path}: no such file; only a fit writes it: fit this run again, or leave it out")
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    try:
        history = [{name: float(value) for name, value in row.items() if value} for row in rows]
    except (TypeError, ValueError):
        history = []
    if not history or any("epoch" not in entry for entry in history):
        raise GenreError(f"{path}: expected a column 'epoch' and a row of numbers an epoch; fit this run again")
    return history


def _read_metrics(path: Path) -> dict[str, Any]:
    try:
        metrics: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        float(metrics["auroc"]["value"])
    except FileNotFoundError:
        raise GenreError(f"{path}: no such file; test the run's checkpoint to write it") from None
    except (ValueError, TypeError, KeyError):
        raise GenreError(f"{path}: expected the scores of a run, with auroc; test the run's checkpoint again") from None
    return metrics


def _names(folder: Path) -> tuple[str, str, str]:
    """What a run may be called, shortest first."""
    version = folder.name.startswith("version_")
    return folder.parent.name if version else folder.name, f"{folder.parent.name}/{folder.name}", str(folder)
