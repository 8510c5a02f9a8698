"""What the finished cells of a row come to: means over seeds and folds, intervals over tracks, and what it took."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import torch

from genre.benchmark.plan import Cell, Row
from genre.metrics import SCORES, intervals
from genre.metrics import score as score_tracks
from genre.report.finished_run import read_run
from genre.report.folder import History
from genre.report.results import Results, identity, pool, scores


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
        cells: The names of its cells.
        histories: The metrics of every epoch of each.
        results: Those of the first seed, of all its folds.
    """

    row: Row
    scores: Mapping[str, Score]
    metrics: Mapping[str, Any]
    tracks: int
    seeds: int
    seconds: float | None
    memory: int | None
    cells: Sequence[str]
    histories: Sequence[History]
    results: Results


def summarize(row: Row, runs: Mapping[Cell, Path]) -> Summary | None:
    """Sums up a row from the runs of its finished cells; ``None`` while no seed has all its folds."""
    by_seed: dict[int, list[Cell]] = {}
    for cell in runs:
        by_seed.setdefault(cell.seed, []).append(cell)
    whole = {seed: cells for seed, cells in by_seed.items() if len(cells) == (row.folds or 1)}
    if not whole:
        return None
    found = {cell: read_run(runs[cell]) for cells in whole.values() for cell in cells}
    of_seeds = [pool([found[cell].results for cell in cells]) for cells in whole.values()]
    seconds = [run.cost["seconds_per_epoch"] for run in found.values() if run.cost["seconds_per_epoch"] is not None]
    memory = [run.cost["peak_memory_mb"] for run in found.values() if run.cost["peak_memory_mb"] is not None]
    return Summary(
        row,
        _scores(of_seeds, [run.results for run in found.values()] if row.folds else []),
        next(iter(found.values())).metrics,
        len(of_seeds[0].tracks),
        len(whole),
        median(seconds) if seconds else None,
        max(memory) if memory else None,
        [cell.name for cell in found],
        [run.history for run in found.values()],
        of_seeds[0],
    )


def pooled_metrics(summary: Summary) -> dict[str, Any]:
    """The ``metrics.json`` of all folds together."""
    split = {**summary.metrics["split"], "fold": "all"}
    metrics = {name: value for name, value in summary.metrics.items() if name != "loss"}
    return metrics | scores(summary.results) | {"split": split, "tracks": len(summary.results.tracks)}


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
