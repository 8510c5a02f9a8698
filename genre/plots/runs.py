"""Several runs on one sheet: learning curves, accuracy against epochs, ROC curves."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from genre.plots.style import (
    COLORS,
    LINES,
    TRAIN,
    VALIDATION,
    WIDTH,
    Curve,
    finish_roc,
    mark_epochs,
    mean_curve,
    roc_curves,
)

#: With more runs than this, curves of the train segments would hide those of the validation tracks.
MOST_WITH_TRAIN = 4

if TYPE_CHECKING:  # the report's pages are made with the pictures of this room
    from genre.report.folder import History
    from genre.report.results import Results


def plot_runs_learning_curves(histories: Mapping[str, History]) -> Figure:
    """Loss, and below it accuracy, of train segments and validation tracks by epoch: a column a run, on one scale.

    Args:
        histories: The metrics of every epoch, by the name of the run.
    """
    columns = min(4, len(histories))
    blocks = -(-len(histories) // columns)
    figure = Figure(figsize=(WIDTH, 1 + 4.6 * blocks), layout="constrained")
    grid = figure.subplots(2 * blocks, columns, squeeze=False, sharex=True)
    for panel in grid.flat:
        panel.set_axis_off()
    for index, (name, history) in enumerate(histories.items()):
        block, column = divmod(index, columns)
        for offset, metric in enumerate(("loss", "accuracy")):
            axes: Axes = grid[2 * block + offset, column]
            axes.set_axis_on()
            if index:
                axes.sharey(grid[offset, 0])
            subsets = (("train", "train segments", TRAIN), ("val", "validation tracks", VALIDATION))
            for color, (subset, label, style) in zip(COLORS, subsets, strict=False):
                _plot(axes, history, f"{subset}_{metric}", color=color, label=label, style=style)
            axes.grid(alpha=0.3)
            axes.tick_params(labelbottom=True)
            if column == 0:
                axes.set_ylabel("cross-entropy in nats" if metric == "loss" else "accuracy")
        axes.set_xlabel("epoch")
        grid[2 * block, column].set_title(wrapped(name), fontsize=10)
    grid[1, 0].set_ylim(0, 1)
    mark_epochs(grid[0, 0], _last(histories), most=5)
    legend = [dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True)) for axes in grid.flat]
    labels = {label: handle for entries in reversed(legend) for label, handle in entries.items()}
    figure.legend(labels.values(), labels.keys(), loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle("Learning curves")
    return figure


def plot_runs_accuracy(histories: Mapping[str, History]) -> Figure:
    """Accuracy of the validation tracks by epoch, a line a run; of a few runs that of the train segments, too, dashed.

    A run without validation tracks has the line of its train segments alone.

    Args:
        histories: The metrics of every epoch, by the name of the run.
    """
    figure = Figure(figsize=(WIDTH, 5.5), layout="constrained")
    axes = figure.add_subplot()
    validated = {name for name, history in histories.items() if any("val_accuracy" in entry for entry in history)}
    with_train = len(histories) <= MOST_WITH_TRAIN or len(validated) < len(histories)
    for index, (name, history) in enumerate(histories.items()):
        color = COLORS[index % 10]
        style = VALIDATION | {"linestyle": LINES[index // 10 % 4]}
        if not history:  # the legend names the run all the same
            axes.plot([], [], color=color, label=wrapped(name))
        _plot(axes, history, "val_accuracy", color=color, style=style, width=2, label=wrapped(name))
        if name not in validated or len(histories) <= MOST_WITH_TRAIN:
            label = "" if name in validated else wrapped(name)
            _plot(axes, history, "train_accuracy", color=color, style=TRAIN, label=label)
    if with_train:
        subsets = [("train segments", TRAIN), *([("validation tracks", VALIDATION)] if validated else [])]
        handles = [Line2D([], [], color="grey", markersize=5, label=label, **style) for label, style in subsets]
        figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    scored = "train segments and validation tracks" if with_train else "the validation tracks"
    scored = scored if validated else "train segments"
    axes.set(xlabel="epoch", ylabel="accuracy", title=f"Accuracy of {scored} by epoch", ylim=(0, 1))
    mark_epochs(axes, _last(histories))
    axes.grid(alpha=0.3)
    axes.legend(title="run", loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure


def plot_runs_roc(results: Mapping[str, Results | Sequence[Results]], areas: Mapping[str, float]) -> Figure:
    """The mean ROC curve of each run over the genres, one against the rest.

    Args:
        results: What the run said of the scored tracks, by its name; with folds, a list with that of every fold: the
            mean of their curves is drawn, since the probabilities of different networks cannot be compared.
        areas: Its macro mean of the areas under the genres' curves, as its ``metrics.json`` has it.
    """
    figure = Figure(figsize=(WIDTH, 7.5), layout="constrained")
    axes = figure.add_subplot()
    for index, (name, result) in enumerate(results.items()):
        curve = _mean_curve(result if isinstance(result, Sequence) else [result])
        if curve:
            style = {"color": COLORS[index % 10], "linestyle": LINES[index // 10 % 4]}
            axes.plot(*curve, linewidth=2, label=wrapped(f"{name} ({areas[name]:.2f})"), **style)
    finish_roc(axes, "ROC curves: mean over the genres, one against the rest", "run (area under curve)")
    axes.grid(alpha=0.3)
    return figure


def _mean_curve(folds: Sequence[Results]) -> Curve | None:
    """The mean over genres, then over folds; ``None`` where no fold has two genres."""
    of_folds = [roc_curves(fold.targets.numpy(), fold.probabilities.numpy()) for fold in folds]
    means = [mean_curve(curves) for curves in of_folds if curves]
    return mean_curve(dict(enumerate(means))) if means else None


def wrapped(name: str, width: int = 30) -> str:
    """A run's name, on several lines where it is long: it would take the room of the axes, or run into the next."""
    return "\n".join(textwrap.wrap(name, width))


def _last(histories: Mapping[str, History]) -> float:
    """The last epoch of all runs."""
    return max((entry["epoch"] for history in histories.values() for entry in history), default=0)


def _plot(axes: Axes, history: History, metric: str, *, color: str, label: str, style: dict[str, Any],
          width: float = 1.2) -> None:  # fmt: skip
    """Draws one metric; epochs at which it was not measured are left out, so that the line goes on."""
    points = [(entry["epoch"], entry[metric]) for entry in history if not math.isnan(entry.get(metric, math.nan))]
    if not points:
        return
    x, y = zip(*points, strict=True)
    marker = style["marker"] if len(points) < 30 else ""  # one epoch alone makes no line
    axes.plot(
        x, y, color=color, linestyle=style["linestyle"], linewidth=width, marker=marker, markersize=5, label=label
    )
