"""What the finished cells of a row come to: means over seeds and folds, intervals over tracks, and what it took."""

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
from genre.report.results import Results, identity, pool, scores


@dataclass(frozen=True)
class Score:
    """One score of a row.

    Attributes:
        value: The mean over seeds; under k-fold cross-validation, of the tracks of all folds together, but for
            AUC-ROC, which is the mean over folds: see :func:`genre.metrics.mean_area`.
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
        folds: The same, fold by fold; empty without folds.
        loss: The mean over cells of the test loss.
        sweep: The mean accuracy over seeds by the number of epochs, where the plan has several: the scores are then the
            means over these fits, too, and the first seed's results those of its longest fit.
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


def summarize(row: Row, runs: Mapping[Cell, Path]) -> Summary | None:
    """Sums up a row from the runs of its finished cells; ``None`` while no seed has all its folds."""
    by_seed: dict[tuple[int, int | None], list[Cell]] = {}
    for cell in sorted(runs, key=lambda cell: -(cell.epochs or 0)):  # stable: the first seed's longest fit comes first
        by_seed.setdefault((cell.seed, cell.epochs), []).append(cell)
    whole = {seed: cells for seed, cells in by_seed.items() if len(cells) == (row.folds or 1)}
    if not whole:
        return None
    found = {cell: read_run(runs[cell]) for cells in whole.values() for cell in cells}
    of_seeds = [pool([found[cell].results for cell in cells]) for cells in whole.values()]
    by_fold: dict[int, list[Results]] = {}
    for cell, run in found.items():
        if cell.fold is not None:
            by_fold.setdefault(cell.fold, []).append(run.results)
    seconds = [run.cost["seconds_per_epoch"] for run in found.values() if run.cost["seconds_per_epoch"] is not None]
    memory = [run.cost["peak_memory_mb"] for run in found.values() if run.cost["peak_memory_mb"] is not None]
    return Summary(
        row,
        _scores(of_seeds, list(by_fold.values())),
        next(iter(found.values())).metrics,
        len(of_seeds[0].tracks),
        len({seed for seed, _ in whole}),
        median(seconds) if seconds else None,
        max(memory) if memory else None,
        [cell.name for cell in found],
        [run.history for run in found.values()],
        of_seeds[0],
        [of_fold[0] for of_fold in by_fold.values()],
        mean(run.metrics["loss"] for run in found.values()),
        _sweep([epochs for _, epochs in whole], of_seeds),
    )


def first_area(summary: Summary) -> float:
    """AUC-ROC of the first seed."""
    if summary.folds:
        return float(mean_area(fold_areas([_fold([results]) for results in summary.folds])))
    return float(score_tracks(summary.results.probabilities, summary.results.targets)["auroc"])


def measured(summary: Summary, name: str) -> float | None:
    """Ours by the name of a published figure: of a fit's history the mean over cells; ``None`` where there is none."""
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
    """The ``metrics.json`` of all folds together, with the areas of :func:`genre.metrics.mean_area`."""
    split = {**summary.metrics["split"], "fold": "all"}
    metrics = {name: value for name, value in summary.metrics.items() if name != "loss"} | scores(summary.results)
    folds = [_fold([results]) for results in summary.folds]
    low, high = mean_area_interval(folds)
    metrics["auroc"] = {"value": round(first_area(summary), 4), "low": round(low, 4), "high": round(high, 4)}
    areas = fold_areas(folds)[0].nanmean(0).nan_to_num(0.5).tolist()
    for of_genre, area in zip(metrics["genres"].values(), areas, strict=True):
        of_genre["auroc"] = round(area, 4) if of_genre["tracks"] else None
    absent = [genre for genre, values in metrics["genres"].items() if not values["tracks"]]
    metrics["absent_genres"] = {"test": absent} if absent else {}  # the cells have those of their folds
    return metrics | {"split": split, "tracks": len(summary.results.tracks)}


def _sweep(epochs: Sequence[int | None], of_seeds: Sequence[Results]) -> dict[int, float]:
    """The mean accuracy by the number of epochs, in order."""
    accuracies: dict[int, list[float]] = {}
    for number, results in zip(epochs, of_seeds, strict=True):
        if number is not None:
            accuracies.setdefault(number, []).append(float(results.correct.float().mean()))
    return {number: mean(accuracies[number]) for number in sorted(accuracies)}


def _scores(of_seeds: Sequence[Results], of_folds: Sequence[Sequence[Results]]) -> dict[str, Score]:
    """The scores, given the results of every seed and, of every fold, those of all seeds."""
    aligned = [_aligned(results, of_seeds[0]) for results in of_seeds]
    targets = of_seeds[0].targets
    bounds = intervals(torch.stack(aligned), targets)
    by_seed = [score_tracks(probabilities, targets) for probabilities in aligned]
    by_fold = [score_tracks(results.probabilities, results.targets) for of_fold in of_folds for results in of_fold]
    found = {
        name: _score(
            [float(of_all[name]) for of_all in by_seed], bounds[name], [float(of_all[name]) for of_all in by_fold]
        )
        for name in SCORES
    }
    return found | ({"auroc": _area([_fold(of_fold) for of_fold in of_folds])} if of_folds else {})


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
    """What the networks of several seeds said of the tracks of one fold."""
    return torch.stack([_aligned(results, of_seeds[0]) for results in of_seeds]), of_seeds[0].targets


def _aligned(results: Results, reference: Results) -> torch.Tensor:
    """The probabilities in the order of the reference's tracks."""
    places = {identity(track): place for place, track in enumerate(results.tracks)}
    return results.probabilities[[places[identity(track)] for track in reference.tracks]]
