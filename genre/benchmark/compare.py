"""``genre compare``: tests whether one run is better than another on the same tracks."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, bootstrap

from genre.data.names import same_names
from genre.errors import GenreError
from genre.report.conditions import scored_units
from genre.report.results import Results, identity, read_results
from genre.terminal import make_table, say, terminal

#: The number of resamples of the paired bootstrap.
RESAMPLES = 9999

#: The significance level of McNemar's test.
LEVEL = 0.05


@dataclass(frozen=True)
class Comparison:
    """Two classifiers on the same tracks.

    Attributes:
        tracks: The number of tracks that both have scored.
        accuracies: The accuracies of the first and of the second.
        first_only: The number of tracks that only the first predicts correctly.
        second_only: The number of tracks that only the second predicts correctly.
        p_value: The p-value of McNemar's exact test: how often two equally good classifiers differ at least this much.
        low: Lower bound of the 95 % interval of the difference in accuracy, second minus first.
        high: Upper bound of this interval.
    """

    tracks: int
    accuracies: tuple[float, float]
    first_only: int
    second_only: int
    p_value: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        """The second accuracy minus the first."""
        return self.accuracies[1] - self.accuracies[0]

    @property
    def decided(self) -> bool:
        """Whether one is better: the interval excludes 0, and McNemar's test agrees."""
        return (self.low > 0 or self.high < 0) and self.p_value < LEVEL


def compare_results(first: Results, second: Results) -> Comparison:
    """Compares two classifiers on the tracks that both have scored.

    McNemar's exact test (Q. McNemar, Psychometrika 12, 1947) counts the tracks that exactly one of the two predicts
    correctly. If both are equally good, each of them is expected to be right on half of these. The interval is a paired
    bootstrap over tracks.
    """
    one, other = _paired(first, second)
    first_only, second_only = int((one & ~other).sum()), int((other & ~one).sum())
    differing = first_only + second_only
    p_value = float(binomtest(first_only, differing).pvalue) if differing else 1.0
    low, high = _interval(one, other)
    accuracies = float(one.mean()), float(other.mean())
    return Comparison(len(one), accuracies, first_only, second_only, p_value, low, high)


def compare_runs(runs: Sequence[Path]) -> None:
    """Compares every run with the first one, and prints the comparisons."""
    files = [_predictions(run) for run in runs]
    results = [read_results(file) for file in files]
    metrics = [_metrics(file) for file in files]
    for number in range(1, len(runs)):
        comparison = compare_results(results[0], results[number])
        leaky = [str(runs[index]) for index in (0, number) if metrics[index].get("leaky")]
        unit = scored_units(metrics[index] for index in (0, number))
        _print(runs[0], runs[number], comparison, leaky, unit)
        scored = [len(results[index].tracks) for index in (0, number)]
        if comparison.tracks < max(scored):
            say(f"Only the {unit} that both scored were compared; they scored {scored[0]} and {scored[1]}.", "yellow")


def _print(first: Path, second: Path, comparison: Comparison, leaky: Sequence[str], unit: str) -> None:
    if leaky:
        was, they = ("was", "it was") if len(leaky) == 1 else ("were", "they were")
        say(
            f"Not comparable. LEAKY: {' and '.join(leaky)} {was} trained or chosen on music that {they} scored on.",
            "red",
        )
    table = make_table("run", numbers=["accuracy", "right alone"], title=f"{comparison.tracks} {unit}")
    table.add_row(str(first), f"{comparison.accuracies[0]:.3f}", str(comparison.first_only))
    table.add_row(str(second), f"{comparison.accuracies[1]:.3f}", str(comparison.second_only))
    terminal().print(table)
    say(
        f"difference {comparison.difference:+.3f}, 95 % interval {comparison.low:+.3f} to {comparison.high:+.3f} "
        f"(paired bootstrap); McNemar's exact test: p = {comparison.p_value:.3g}"
    )
    if not leaky:
        better = second if comparison.difference > 0 else first
        decision = f"{better} is better on {unit} like these."
        undecided = f"These {unit} do not tell which of the two is better."
        say(decision if comparison.decided else undecided)


def _predictions(run: Path) -> Path:
    """The ``predictions.csv`` of a run's folder or a report's folder; a ``.csv`` file itself."""
    if run.is_file():
        if run.suffix != ".csv":
            raise GenreError(f"{run}: found a file; expected a run's folder, such as runs/<name>/version_0, or a .csv")
        return run
    for file in (run / "report" / "predictions.csv", run / "predictions.csv"):
        if file.is_file():
            return file
    content = "no report/predictions.csv in it" if run.is_dir() else "nothing"
    raise GenreError(f"{run}: found {content}; expected a run that was tested, such as runs/<name>/version_0")


def _metrics(predictions: Path) -> dict[str, Any]:
    """The ``metrics.json`` beside the predictions; empty without one."""
    file = predictions.with_name("metrics.json")
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}


def _paired(first: Results, second: Results) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether each of the two predicts each common track correctly."""
    places = {identity(track): place for place, track in enumerate(second.tracks)}
    pairs = [(i, places[identity(track)]) for i, track in enumerate(first.tracks) if identity(track) in places]
    if not pairs:
        raise GenreError(
            f"the two runs have no track in common: one scored {first.tracks[0].path}, …, the other "
            f"{second.tracks[0].path}, …; compare runs of the same split of the same data"
        )
    for i, j in pairs:
        if not same_names([first.tracks[i].genre], [second.tracks[j].genre]):
            path, genres = first.tracks[i].path, (first.tracks[i].genre, second.tracks[j].genre)
            raise GenreError(f"{path} is {genres[0]} in one run and {genres[1]} in the other")
    one, other = (list(indices) for indices in zip(*pairs, strict=True))
    return first.correct[one].numpy(), second.correct[other].numpy()


def _interval(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> tuple[float, float]:
    difference = second.astype(float) - first
    if (difference == difference[0]).all():  # every resample is the same
        return float(difference[0]), float(difference[0])
    interval = bootstrap(
        (difference,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    return float(interval.low), float(interval.high)
