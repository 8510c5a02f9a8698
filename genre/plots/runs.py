"""Learning curves, ROC curves and confusion matrix of one run; curves of several runs on one sheet."""

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, roc_curve
from torch import Tensor

from genre.plots.style import COLORS, PAGE_WIDTH, WIDTH, line

#: The metrics of every epoch, in order: ``epoch``, ``train_loss``, ``val_loss`` and others, as far as they are logged.
#: ``epoch`` counts from 0, as Lightning does; the pictures count from 1, as its progress bar does.
History: TypeAlias = Sequence[Mapping[str, float]]

#: False positive rates, and the true positive rates at these.
Curve: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]

#: Line styles and markers of the subsets; colours may show the run, or may be indistinguishable to a reader.
TRAIN: dict[str, Any] = {"linestyle": "--", "marker": "^"}
VALIDATION: dict[str, Any] = {"linestyle": "-", "marker": "o"}

#: The number of genres per column in the legend of ROC curves.
ROWS = 22

#: The largest number of runs whose train curves are drawn: more would hide the validation curves.
MAX_RUNS_WITH_TRAIN = 4


class Scored(Protocol):
    """Scored tracks: ``(N,)`` true class indices and ``(N, genres)`` probabilities."""

    @property
    def targets(self) -> Tensor: ...  # noqa: D102
    @property
    def probabilities(self) -> Tensor: ...  # noqa: D102


def plot_confusion_matrix(
    targets: NDArray[np.int64],
    predicted: NDArray[np.int64],
    genres: Sequence[str],
    subset: str = "",
    unit: str = "tracks",
) -> Figure:
    """Draws the counts of true genres (rows) and predicted genres (columns), shaded by the share of the row.

    Args:
        targets: ``(N,)`` true class indices.
        predicted: ``(N,)`` predicted class indices.
        genres: The names of the classes.
        subset: The subset that is scored, such as ``test``.
        unit: The unit that is scored: ``tracks`` or ``segments``.
    """
    size = len(genres)
    counts = confusion_matrix(targets, predicted, labels=range(size))
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure = Figure(figsize=(3 + 0.5 * size, 2.5 + 0.45 * size), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in zip(*np.nonzero(counts), strict=True):
        color = "white" if share[row, column] > 0.5 else "black"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=color)
    axes.set_xticks(range(size), genres, rotation=45, ha="right")
    axes.set_yticks(range(size), genres)
    axes.set(xlabel="predicted genre", ylabel="true genre")
    figure.suptitle(f"Confusion matrix\nof {scored(len(targets), subset, unit)}")
    figure.colorbar(image, ax=axes, label=f"share of the genre's {unit}")
    return figure


def plot_roc(
    targets: NDArray[np.int64], probabilities: NDArray[np.float32], genres: Sequence[str],
    areas: Mapping[str, float], mean_area: float, subset: str = "", unit: str = "tracks",
) -> Figure:  # fmt: skip
    """Draws one ROC curve per genre (one against the rest), and their mean.

    Args:
        targets: ``(N,)`` true class indices.
        probabilities: ``(N, genres)``.
        genres: The names of the classes.
        areas: The area under the curve of each genre.
        mean_area: The mean of the areas.
        subset: The subset that is scored, such as ``test``.
        unit: The unit that is scored: ``tracks`` or ``segments``.
    """
    curves = roc_curves(targets, probabilities)
    columns = 1 + len(curves) // ROWS
    figure = Figure(figsize=(6.5 + 2 * columns, 6), layout="constrained")
    axes = figure.add_subplot()
    for index, curve in curves.items():
        axes.plot(*curve, label=f"{genres[index]} ({areas[genres[index]]:.2f})", **line(index))
    if curves:
        axes.plot(*mean_curve(curves.values()), color="black", linewidth=3, label=f"mean ({mean_area:.2f})")
    title = f"ROC curves of {scored(len(targets), subset, unit)},\none genre against the rest"
    _finish_roc(axes, title, "genre (area under curve)", columns)
    return figure


def plot_learning_curves(history: History, best_epoch: int | None, unit: str = "tracks") -> Figure:
    """Draws the loss and the accuracy of one run by epoch, for train segments and for the validation subset.

    Args:
        history: The metrics of every epoch.
        best_epoch: The epoch of the checkpoint that is scored, if known, counted from 0.
        unit: The unit of the validation accuracy: ``tracks`` or ``segments``.
    """
    figure = Figure(figsize=(PAGE_WIDTH, 4.2), layout="constrained")
    panels = (("loss", "cross-entropy in nats", "segments"), ("accuracy", "accuracy", unit))
    for axes, (metric, label, validated) in zip(figure.subplots(1, 2), panels, strict=True):
        _plot(axes, history, f"train_{metric}", "train segments", TRAIN | {"color": COLORS[0]})
        _plot(axes, history, f"val_{metric}", f"validation {validated}", VALIDATION | {"color": COLORS[1]})
        if best_epoch is not None and len(history) > 1:
            best_label = f"best checkpoint (epoch {best_epoch + 1})"
            axes.axvline(best_epoch + 1, color="grey", linestyle=":", label=best_label)
        if len(history) == 1:  # a single point gives the axes no scale
            axes.set_ylim(0, 1 if metric == "accuracy" else 1.2 * axes.dataLim.y1)
        axes.set(xlabel="epoch", ylabel=label, title=metric.capitalize())
        _mark_epochs(axes, {"": history})
        axes.grid(alpha=0.3)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), frameon=False)
    return figure


def plot_runs_learning_curves(histories: Mapping[str, History], unit: str = "tracks") -> Figure:
    """Draws the loss and, below it, the accuracy of several runs by epoch, with one column per run and one scale.

    Args:
        histories: The metrics of every epoch, by the name of the run.
        unit: The unit of the validation accuracy: ``tracks``, ``segments``, or both.
    """
    columns = min(4, len(histories))
    blocks = -(-len(histories) // columns)
    figure = Figure(figsize=(WIDTH, 1 + 4.6 * blocks), layout="constrained")
    grid = figure.subplots(2 * blocks, columns, squeeze=False, sharex=True)
    for panel in grid.flat:
        panel.set_axis_off()
    labels: dict[str, Any] = {}
    for index, (name, history) in enumerate(histories.items()):
        block, column = divmod(index, columns)
        for offset, metric in enumerate(("loss", "accuracy")):
            axes: Axes = grid[2 * block + offset, column]
            axes.set_axis_on()
            if index:
                axes.sharey(grid[offset, 0])
            _plot(axes, history, f"train_{metric}", "train segments", TRAIN | {"color": COLORS[0]})
            _plot(axes, history, f"val_{metric}", f"validation {unit}", VALIDATION | {"color": COLORS[1]})
            labels |= dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
            axes.grid(alpha=0.3)
            axes.tick_params(labelbottom=True)
            if column == 0:
                axes.set_ylabel("cross-entropy in nats" if metric == "loss" else "accuracy")
        axes.set_xlabel("epoch")
        grid[2 * block, column].set_title(wrapped(name), fontsize=10)
    grid[1, 0].set_ylim(0, 1)
    _mark_epochs(grid[0, 0], histories, ticks=5)
    in_order = {label: labels[label] for label in ("train segments", f"validation {unit}") if label in labels}
    figure.legend(in_order.values(), in_order.keys(), loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle("Learning curves")
    return figure


def plot_runs_accuracy(histories: Mapping[str, History], unit: str = "tracks") -> Figure:
    """Draws the validation accuracy of several runs by epoch, with one line per run.

    For a few runs, dashed lines show the accuracy of train segments. A run without a validation subset has only the
    dashed line.

    Args:
        histories: The metrics of every epoch, by the name of the run.
        unit: The unit of the validation accuracy: ``tracks``, ``segments``, or both.
    """
    figure = Figure(figsize=(WIDTH, 5.5), layout="constrained")
    axes = figure.add_subplot()
    validated = {name for name, history in histories.items() if any("val_accuracy" in entry for entry in history)}
    few = len(histories) <= MAX_RUNS_WITH_TRAIN
    for index, (name, history) in enumerate(histories.items()):
        style = VALIDATION | line(index)
        if not history:  # names the run in the legend
            axes.plot([], [], color=style["color"], label=wrapped(name))
        _plot(axes, history, "val_accuracy", wrapped(name), style, width=2)
        if few or name not in validated:
            label = "" if name in validated else wrapped(name)
            _plot(axes, history, "train_accuracy", label, TRAIN | {"color": style["color"]})
    subsets = {"train segments": TRAIN} if few or len(validated) < len(histories) else {}
    subsets |= {f"validation {unit}": VALIDATION} if validated else {}
    if "train segments" in subsets:
        handles = [Line2D([], [], color="grey", markersize=5, label=label, **style) for label, style in subsets.items()]
        figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    axes.set(xlabel="epoch", ylabel="accuracy", title=f"Accuracy of {' and '.join(subsets)} by epoch", ylim=(0, 1))
    _mark_epochs(axes, histories)
    axes.grid(alpha=0.3)
    axes.legend(title="run", loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure


def plot_runs_roc(
    results: Mapping[str, Scored | Sequence[Scored]], areas: Mapping[str, float], unit: str = "tracks"
) -> Figure:
    """Draws the ROC curve of each run, averaged over the genres (one against the rest).

    Args:
        results: The scored tracks of each run, or a list with those of each fold. For folds, the mean of their curves
            is drawn, because the probabilities of different networks cannot be compared.
        areas: The mean area under the curves of each run, as in its ``metrics.json``.
        unit: The unit that is scored: ``tracks``, ``segments``, or both.
    """
    figure = Figure(figsize=(WIDTH, 7.5), layout="constrained")
    axes = figure.add_subplot()
    for index, (name, result) in enumerate(results.items()):
        folds = result if isinstance(result, Sequence) else [result]
        of_folds = [roc_curves(fold.targets.numpy(), fold.probabilities.numpy()) for fold in folds]
        means = [mean_curve(curves.values()) for curves in of_folds if curves]
        if means:
            axes.plot(*mean_curve(means), linewidth=2, label=wrapped(f"{name} ({areas[name]:.2f})"), **line(index))
    _finish_roc(axes, f"ROC curves of {unit}: mean over the genres, one against the rest", "run (area under curve)")
    axes.grid(alpha=0.3)
    return figure


def plot_sweep(accuracies: Mapping[str, Mapping[int, float]], published: Mapping[str, float | None]) -> Figure:
    """Draws the test accuracies of a benchmark's rows by the number of epochs; published means are dashed."""
    figure = Figure(figsize=(WIDTH, 5.5), layout="constrained")
    axes = figure.add_subplot()
    for index, (name, values) in enumerate(accuracies.items()):
        style = line(index)
        label = wrapped(f"{name} (mean {np.mean([*values.values()]):.3f})")
        axes.plot(list(values), list(values.values()), marker="o", markersize=4, label=label, **style)
        theirs = published.get(name)
        if theirs is not None:
            label = f"published mean {theirs:.4g}"
            axes.axhline(theirs, color=style["color"], linestyle="--", linewidth=1, label=label)
    axes.set(xlabel="epochs trained", ylabel="test accuracy", title="Accuracy by the number of epochs", ylim=(0, 1.02))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)
    axes.legend(title="row", loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure


def roc_curves(targets: NDArray[np.int64], probabilities: NDArray[np.float32]) -> dict[int, Curve]:
    """The ROC curve of every class against the rest, if both have tracks."""
    present = np.unique(targets).tolist()
    if len(present) < 2:
        return {}
    return {index: roc_curve(targets == index, probabilities[:, index])[:2] for index in present}


def mean_curve(curves: Iterable[Curve]) -> Curve:
    """The mean true positive rate of several curves at each false positive rate."""
    grid = np.linspace(0, 1, 201)
    mean = np.mean([np.interp(grid, *curve) for curve in curves], 0)
    return np.append(0.0, grid), np.append(0.0, mean)  # all curves begin at (0, 0), and most rise vertically there


def wrapped(name: str) -> str:
    """A run's name on lines of at most 30 characters, so that it does not narrow the axes."""
    return textwrap.fill(name, 30)


def scored(number: int, subset: str, unit: str) -> str:
    """The number, subset and unit in a title, such as ``70 test tracks``."""
    return " ".join(filter(None, (str(number), subset, unit if number != 1 else unit.removesuffix("s"))))


def _finish_roc(axes: Axes, title: str, legend: str, columns: int = 1) -> None:
    """Adds the line of chance, labels and a legend to axes with ROC curves."""
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", label="chance (0.50)")
    axes.set(xlabel="false positive rate", ylabel="true positive rate", title=title)
    axes.set(xlim=(-0.01, 1), ylim=(0, 1.01), aspect="equal")
    axes.legend(fontsize=9, title=legend, loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False, ncols=columns)


def _mark_epochs(axes: Axes, histories: Mapping[str, History], ticks: int = 9) -> None:
    """Puts ticks at whole epochs, and leaves room beside the first and the last."""
    last = max((entry["epoch"] for history in histories.values() for entry in history), default=0)
    axes.set_xlim(0.5, last + 1.5)
    axes.xaxis.set_major_locator(MaxNLocator(ticks, integer=True, min_n_ticks=1))


def _plot(axes: Axes, history: History, metric: str, label: str, style: dict[str, Any], width: float = 1.2) -> None:
    """Draws one metric; the line skips epochs without a value."""
    points = [(entry["epoch"] + 1, entry[metric]) for entry in history if not math.isnan(entry.get(metric, math.nan))]
    if not points:
        return
    x, y = zip(*points, strict=True)
    look = style | {"marker": style["marker"] if len(points) < 30 else "", "markersize": 9 if len(points) == 1 else 5}
    axes.plot(x, y, linewidth=width, label=label, **look)
    if len(points) == 1:  # one epoch has no line: the value is written beside its marker
        axes.margins(y=0.2)  # the edge does not cut the marker
        place, color = (x[0], y[0]), style["color"]
        axes.annotate(f"{y[0]:.3f}", place, (9, 0), textcoords="offset points", va="center", color=color)
