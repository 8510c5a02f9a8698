"""``genre compare``: is one run better than another on the same tracks?"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import binomtest, bootstrap

from genre.data.names import same_names
from genre.errors import GenreError
from genre.report.results import Results, identity, read_results
from genre.terminal import terminal

#: The draws of the paired bootstrap.
RESAMPLES = 9999

#: McNemar's test tells two classifiers apart below this.
LEVEL = 0.05


@dataclass(frozen=True)
class Comparison:
    """Two classifiers on the same tracks.

    Attributes:
        tracks: How many both have scored.
        accuracies: That of the first and that of the second.
        first_only: Tracks that only the first names correctly.
        second_only: Tracks that only the second names correctly.
        p_value: Of McNemar's exact test: how often two equally good classifiers would differ by as much or more.
        low: Lower bound of the 95 % interval of the difference in accuracy, second minus first.
        high: Its upper bound.
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
        """Whether one is better: the interval leaves out 0, and McNemar's test agrees."""
        return (self.low > 0 or self.high < 0) and self.p_value < LEVEL


def compare(first: Results, second: Results, seed: int = 0) -> Comparison:
    """Compares two classifiers on the tracks that both have scored.

    McNemar's exact test (Q. McNemar, Psychometrika 12, 1947) looks at the tracks on which just one of them is right:
    between equals, each is the one as often as the other. The interval is a paired bootstrap over tracks.

    Args:
        first: Of one classifier.
        second: Of the other.
        seed: Of the bootstrap.

    Raises:
        GenreError: They have no track in common, or give one of them different genres.
    """
    one, other = _paired(first, second)
    first_only, second_only = int((one & ~other).sum()), int((other & ~one).sum())
    differing = first_only + second_only
    p_value = float(binomtest(first_only, differing).pvalue) if differing else 1.0
    low, high = _interval(one, other, seed)
    accuracies = float(one.mean()), float(other.mean())
    return Comparison(len(one), accuracies, first_only, second_only, p_value, low, high)


def compare_runs(runs: Sequence[Path]) -> int:
    """Compares every run with the first one, and prints what was found; returns the exit status."""
    results = [read_results(_predictions(run)) for run in runs]
    console = terminal()
    for run, other in zip(runs[1:], results[1:], strict=True):
        found = compare(results[0], other)
        leaky = [str(place) for place in (runs[0], run) if _is_leaky(place)]
        _print(console, runs[0], run, found, leaky, len(results[0].tracks), len(other.tracks))
    return 0


def _print(
    console: Console, first: Path, second: Path, found: Comparison, leaky: Sequence[str], of_first: int, of_second: int
) -> None:
    table = Table(title=f"{found.tracks} tracks")
    table.add_column("run", overflow="fold")
    table.add_column("accuracy", justify="right")
    table.add_column("right alone", justify="right")
    table.add_row(str(first), f"{found.accuracies[0]:.3f}", str(found.first_only))
    table.add_row(str(second), f"{found.accuracies[1]:.3f}", str(found.second_only))
    console.print(table)
    console.print(
        f"difference {found.difference:+.3f}, 95 % interval {found.low:+.3f} to {found.high:+.3f} (paired bootstrap); "
        f"McNemar's exact test: p = {found.p_value:.3g}",
        highlight=False,
    )
    if leaky:
        verdict = f"Not comparable. LEAKY: {' and '.join(leaky)} was trained or chosen on music that it was scored on."
    elif found.decided:
        verdict = f"{second if found.difference > 0 else first} is better on tracks like these."
    else:
        verdict = "These tracks do not tell which of the two is better."
    console.print(verdict, soft_wrap=True, highlight=False)
    if found.tracks < max(of_first, of_second):
        console.print(
            f"Only the tracks that both scored were compared; they scored {of_first} and {of_second}.",
            style="yellow",
            highlight=False,
        )


def _predictions(run: Path) -> Path:
    """The ``predictions.csv`` of a run's folder, of a report's folder, or itself."""
    if run.is_file():
        if run.suffix != ".csv":
            raise GenreError(f"{run}: found a file; expected a run's folder, such as runs/<name>/version_0, or a .csv")
        return run
    for place in (run / "report" / "predictions.csv", run / "predictions.csv"):
        if place.is_file():
            return place
    found = "no report/predictions.csv in it" if run.is_dir() else "nothing"
    raise GenreError(f"{run}: found {found}; expected a run that was tested, such as runs/<name>/version_0")


def _is_leaky(run: Path) -> bool:
    """Whether the report that the predictions are of says so."""
    metrics = _predictions(run).with_name("metrics.json")
    return metrics.is_file() and bool(json.loads(metrics.read_text(encoding="utf-8")).get("leaky"))


def _paired(first: Results, second: Results) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of the common tracks each names correctly."""
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
    one, other = (list(side) for side in zip(*pairs, strict=True))
    return first.correct[one].numpy(), second.correct[other].numpy()


def _interval(first: NDArray[np.bool_], second: NDArray[np.bool_], seed: int) -> tuple[float, float]:
    difference = second.astype(float) - first
    if (difference == difference[0]).all():  # every resample is the same
        return float(difference[0]), float(difference[0])
    interval = bootstrap(
        (difference,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(seed)
    ).confidence_interval
    return float(interval.low), float(interval.high)
