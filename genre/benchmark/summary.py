"""The summary of a row's finished cells: means over seeds and folds, intervals over tracks, and the cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import torch

from genre.benchmark.plan import Cell, Row
from genre.metrics import SCORES, Fold, fold_areas, intervals, mean_area, mean_area_interval
from genre.metrics import score as score_tracks
from genre.plots.runs import History
from genre.report.folder import read_run
from genre.report.results import Results, calibration_scores, identity, pool, scores


@dataclass(frozen=True)
class Score:
    """One score of a row.

    Attributes:
        value: The mean over seeds. In k-fold cross-validation, a score is computed on the pooled tracks of all folds,
            except AUC-ROC, which is the mean over folds: see :func:`genre.metrics.mean_area`.
        low: Lower bound of the 95 % interval over tracks.
        high: Upper bound of this interval.
        spread: The standard deviation over seeds; ``None`` with one seed.
        folds: The mean over folds and seeds; ``None`` without folds.
        folds_spread: The standard deviation over folds and seeds; ``None`` without folds.
    """

    value: float
    low: float
    high: float
    spread: float | None = None
    folds: float | None = None
    folds_spread: float | None = None


@dataclass(frozen=True)
class Summary:
    """The finished cells of a row.

    Attributes:
        row: The row.
        scores: The scores by the names of :data:`genre.metrics.SCORES`.
        metrics: The ``metrics.json`` of the first cell; only values that all cells share are used.
        tracks: The number of scored tracks.
        seeds: The number of seeds whose folds are all finished.
        seconds: The median of the seconds per epoch.
        memory: The largest peak memory of a cell in MB.
        cells: The names of the cells.
        histories: The metrics of every epoch of each cell.
        results: The results of the first seed, pooled over its folds.
        folds: The results of the first seed for each fold; empty without folds.
        loss: The test loss, averaged over cells.
        sweep: The accuracy by the number of epochs, averaged over seeds; empty if the plan has one number. Otherwise
            the scores are means over these fits, too, and ``results`` are those of the first seed's longest fit.
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
    folds: Sequence[Results] = ()
    loss: float | None = None
    sweep: Mapping[int, float] = field(default_factory=dict)


def summarize_row(row: Row, runs: Mapping[Cell, Path]) -> Summary | None:
    """Summarizes the finished cells of a row; ``None`` if no seed has all its folds."""
    by_seed: dict[tuple[int, int | None], list[Cell]] = {}
    for cell in sorted(runs, key=lambda cell: -(cell.epochs or 0)):  # stable: the first seed's longest fit comes first
        by_seed.setdefault((cell.seed, cell.epochs), []).append(cell)
    complete = {seed: cells for seed, cells in by_seed.items() if len(cells) == (row.folds or 1)}
    if not complete:
        return None
    finished = {cell: read_run(runs[cell]) for cells in complete.values() for cell in cells}
    of_seeds = [pool([finished[cell].results for cell in cells]) for cells in complete.values()]
    by_fold: dict[int, list[Results]] = {}
    for cell, run in finished.items():
        if cell.fold is not None:
            by_fold.setdefault(cell.fold, []).append(run.results)
    costs = [run.cost for run in finished.values()]
    seconds = [cost["seconds_per_epoch"] for cost in costs if cost["seconds_per_epoch"] is not None]
    memory = [cost["peak_memory_mb"] for cost in costs if cost["peak_memory_mb"] is not None]
    return Summary(
        row,
        _scores(of_seeds, list(by_fold.values())),
        next(iter(finished.values())).metrics,
        len(of_seeds[0].tracks),
        len({seed for seed, _ in complete}),
        median(seconds) if seconds else None,
        max(memory) if memory else None,
        [cell.name for cell in finished],
        [run.history for run in finished.values()],
        of_seeds[0],
        [of_fold[0] for of_fold in by_fold.values()],
        mean(run.metrics["loss"] for run in finished.values()),
        _sweep([epochs for _, epochs in complete], of_seeds),
    )


def first_area(summary: Summary) -> float:
    """The AUC-ROC of the first seed."""
    if summary.folds:
        return float(mean_area(fold_areas([_fold([results]) for results in summary.folds])))
    return float(score_tracks(summary.results.probabilities, summary.results.targets)["auroc"])


def measured(summary: Summary, name: str) -> float | None:
    """Our value of a published figure; ``None`` if unknown. Values from histories are averaged over cells."""
    histories = summary.histories
    if name in SCORES:
        return summary.scores[name].value
    if name == "loss":
        return summary.loss
    if name == "parameters":
        return float(summary.metrics["parameters"])
    if name == "seconds_per_epoch":
        return summary.seconds
    if name == "training_seconds":
        return mean(sum(epoch.get("seconds", 0.0) for epoch in history) for history in histories)
    if name == "validation_accuracy":
        best = [max((epoch["val_accuracy"] for epoch in history if "val_accuracy" in epoch), default=None)
                for history in histories]  # fmt: skip
    else:
        best = [history[-1].get(name) for history in histories]
    known = [value for value in best if value is not None]
    return round(mean(known), 4) if known else None


def pooled_metrics(summary: Summary) -> dict[str, Any]:
    """The ``metrics.json`` of the pooled folds; AUC-ROC is that of :func:`genre.metrics.mean_area`."""
    split = {**summary.metrics["split"], "fold": "all"}
    metrics = {name: value for name, value in summary.metrics.items() if name != "loss"} | scores(summary.results)
    folds = [_fold([results]) for results in summary.folds]
    low, high = mean_area_interval(folds)
    metrics["auroc"] = {"value": round(first_area(summary), 4), "low": round(low, 4), "high": round(high, 4)}
    areas = fold_areas(folds)[0].nanmean(0).nan_to_num(0.5).tolist()
    for of_genre, area in zip(metrics["genres"].values(), areas, strict=True):
        of_genre["auroc"] = round(area, 4) if of_genre["tracks"] else None
    absent = [genre for genre, values in metrics["genres"].items() if not values["tracks"]]
    metrics["calibration"] = calibration_scores(summary.results)
    metrics["absent_genres"] = {"test": absent} if absent else {}  # replaces those of a single fold
    return metrics | {"split": split, "tracks": len(summary.results.tracks)}


def _sweep(epochs: Sequence[int | None], of_seeds: Sequence[Results]) -> dict[int, float]:
    """The mean accuracy by the number of epochs, sorted."""
    accuracies: dict[int, list[float]] = {}
    for number, results in zip(epochs, of_seeds, strict=True):
        if number is not None:
            accuracies.setdefault(number, []).append(float(results.correct.float().mean()))
    return {number: mean(accuracies[number]) for number in sorted(accuracies)}


def _scores(of_seeds: Sequence[Results], of_folds: Sequence[Sequence[Results]]) -> dict[str, Score]:
    """The scores from the results of each seed, and from the results of each fold with all seeds."""
    aligned = [_aligned(results, of_seeds[0]) for results in of_seeds]
    targets = of_seeds[0].targets
    bounds = intervals(torch.stack(aligned), targets)
    by_seed = [score_tracks(probabilities, targets) for probabilities in aligned]
    by_fold = [score_tracks(results.probabilities, results.targets) for of_fold in of_folds for results in of_fold]
    computed = {
        name: _score(
            [float(of_all[name]) for of_all in by_seed], bounds[name], [float(of_all[name]) for of_all in by_fold]
        )
        for name in SCORES
    }
    return computed | ({"auroc": _area([_fold(of_fold) for of_fold in of_folds])} if of_folds else {})


def _area(folds: Sequence[Fold]) -> Score:
    areas = fold_areas(folds)
    by_fold = areas.nanmean(-1).flatten()
    return _score(mean_area(areas).tolist(), mean_area_interval(folds), by_fold[~by_fold.isnan()].tolist())


def _score(by_seed: Sequence[float], bounds: tuple[float, float], by_fold: Sequence[float]) -> Score:
    return Score(
        mean(by_seed),
        *bounds,
        spread=stdev(by_seed) if len(by_seed) > 1 else None,
        folds=mean(by_fold) if by_fold else None,
        folds_spread=stdev(by_fold) if len(by_fold) > 1 else None,
    )


def _fold(of_seeds: Sequence[Results]) -> Fold:
    """Stacks the results of one fold with several seeds."""
    return torch.stack([_aligned(results, of_seeds[0]) for results in of_seeds]), of_seeds[0].targets


def _aligned(results: Results, reference: Results) -> torch.Tensor:
    """The probabilities in the order of the reference's tracks."""
    places = {identity(track): place for place, track in enumerate(results.tracks)}
    return results.probabilities[[places[identity(track)] for track in reference.tracks]]
