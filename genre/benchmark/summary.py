"""What the finished cells of a row come to: means over seeds and folds, intervals over tracks, and what it took."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import torch

from genre.benchmark.plan import Cell, Row
from genre.metrics import SCORES, intervals
from genre.metrics import score as score_tracks
from genre.results import Results, identity, pool, read_results, scores


@dataclass(frozen=True)
class Score:
    """One score of a row.

    Attributes:
        value: The mean over seeds; under k-fold cross-validation, of the tracks of all folds together.
        low: Lower bound of its 95 % interval over tracks.
        high: Its upper bound.
        spread: The standard deviation over seeds; ``None`` with one seed.
        folds: The mean over folds, if there are any, of all seeds.
        folds_spread: The standard deviation over folds.
    """

    value: float
    low: float
    high: float
    spread: float | None = None
    folds: float | None = None
    folds_spread: float | None = None


@dataclass(frozen=True)
class Summary:
    """A row of the table, as far as its cells are finished.

    Attributes:
        row: The row.
        scores: By the names of :data:`genre.metrics.SCORES`.
        metrics: The ``metrics.json`` of one of its cells, for what they have in common.
        tracks: How many tracks were scored.
        seeds: How many seeds are finished, with all their folds.
        seconds: The median of the seconds that an epoch took.
        memory: The most memory that a cell took, in MB.
        runs: The runs' folders by the cells' names.
        histories: The metrics of every epoch of every cell, by the cells' names.
        results: Those of the first seed, of all its folds.
    """

    row: Row
    scores: Mapping[str, Score]
    metrics: Mapping[str, Any]
    tracks: int
    seeds: int
    seconds: float | None
    memory: int | None
    runs: Mapping[str, Path]
    histories: Mapping[str, Sequence[Mapping[str, float]]]
    results: Results


def summarize(row: Row, runs: Mapping[Cell, Path]) -> Summary | None:
    """Sums up a row from the runs of its finished cells; ``None`` while no seed has all its folds."""
    by_seed: dict[int, list[Cell]] = {}
    for cell in runs:
        by_seed.setdefault(cell.seed, []).append(cell)
    whole = {seed: cells for seed, cells in by_seed.items() if len(cells) == (row.folds or 1)}
    if not whole:
        return None
    of_cells = {
        cell: read_results(runs[cell] / "report" / "predictions.csv") for cells in whole.values() for cell in cells
    }
    of_seeds = [pool([of_cells[cell] for cell in cells]) for cells in whole.values()]
    first = next(iter(of_cells))
    costs = [_read_json(runs[cell] / "report" / "cost.json") for cell in of_cells]
    seconds = [cost["seconds_per_epoch"] for cost in costs if cost["seconds_per_epoch"] is not None]
    memory = [cost["peak_memory_mb"] for cost in costs if cost["peak_memory_mb"] is not None]
    return Summary(
        row,
        _scores(of_seeds, list(of_cells.values()) if row.folds else []),
        _read_json(runs[first] / "report" / "metrics.json"),
        len(of_seeds[0].tracks),
        len(whole),
        median(seconds) if seconds else None,
        max(memory) if memory else None,
        {cell.name: runs[cell] for cell in of_cells},
        {cell.name: read_history(runs[cell] / "report" / "history.csv") for cell in of_cells},
        of_seeds[0],
    )


def pooled_metrics(summary: Summary) -> dict[str, Any]:
    """The ``metrics.json`` of all folds together."""
    split = {**summary.metrics["split"], "fold": "all"}
    metrics = {name: value for name, value in summary.metrics.items() if name != "loss"}
    return metrics | scores(summary.results) | {"split": split, "tracks": len(summary.results.tracks)}


def read_history(path: Path) -> list[dict[str, float]]:
    """The metrics of every epoch, as a report keeps them; empty where it has none."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as lines:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(lines)]


def _scores(of_seeds: Sequence[Results], of_folds: Sequence[Results]) -> dict[str, Score]:
    aligned = [_aligned(results, of_seeds[0]) for results in of_seeds]
    targets = of_seeds[0].targets
    bounds = intervals(torch.stack(aligned), targets)
    by_seed = [score_tracks(probabilities, targets) for probabilities in aligned]
    by_fold = [score_tracks(results.probabilities, results.targets) for results in of_folds]
    found = {}
    for name in SCORES:
        values = [float(of_all[name]) for of_all in by_seed]
        folds = [float(of_all[name]) for of_all in by_fold]
        found[name] = Score(
            mean(values),
            *bounds[name],
            spread=stdev(values) if len(values) > 1 else None,
            folds=mean(folds) if folds else None,
            folds_spread=stdev(folds) if folds else None,
        )
    return found


def _aligned(results: Results, reference: Results) -> torch.Tensor:
    """The probabilities in the order of the reference's tracks."""
    places = {identity(track): place for place, track in enumerate(results.tracks)}
    return results.probabilities[[places[identity(track)] for track in reference.tracks]]


def _read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
