"""The pictures of a run."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import librosa.display
import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

#: Ten colours that colour-blind readers can tell apart; genres beyond them repeat the colours with other lines.
COLORS = [entry["color"] for entry in matplotlib.style.library["petroff10"]["axes.prop_cycle"]]
LINES = ("-", "--", ":", "-.")

#: What tells train segments from validation tracks where colours tell something else, or are not seen.
TRAIN: dict[str, Any] = {"linestyle": "--", "marker": "^"}
VALIDATION: dict[str, Any] = {"linestyle": "-", "marker": "o"}

#: Genres in a column of the legend of their ROC curves.
ROWS = 22

#: Inches across a full sheet: 1200 pixels, as :func:`save` writes them.
WIDTH = 1200 / 110

#: False positive rates, and the true positive rate at each.
Curve: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]


def plot_confusion_matrix(targets: NDArray[np.int64], predicted: NDArray[np.int64], genres: Sequence[str]) -> Figure:
    """What was scored, by genre (rows) and prediction (columns): counts, shaded by the share of the row."""
    size = len(genres)
    counts = np.zeros((size, size), dtype=int)
    np.add.at(counts, (targets, predicted), 1)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure, axes = _figure(3 + 0.5 * size, 2.5 + 0.45 * size)
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in zip(*np.nonzero(counts), strict=True):
        color = "white" if share[row, column] > 0.5 else "black"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=color)
    axes.set_xticks(range(size), genres, rotation=45, ha="right")
    axes.set_yticks(range(size), genres)
    axes.set(xlabel="predicted genre", ylabel="true genre", title=f"Confusion matrix ({len(targets)} scored)")
    figure.colorbar(image, ax=axes, label="share of the genre's tracks")
    return figure


def plot_roc(targets: NDArray[np.int64], probabilities: NDArray[np.float32], genres: Sequence[str],
             areas: Mapping[str, float], mean_area: float) -> Figure:  # fmt: skip
    """One ROC curve a genre, one against the rest, and their mean."""
    curves = roc_curves(targets, probabilities)
    columns = 1 + len(curves) // ROWS
    figure, axes = _figure(6.5 + 2 * columns, 6)
    for index, (false_positive, true_positive) in curves.items():
        style = {"color": COLORS[index % 10], "linestyle": LINES[index // 10 % 4]}
        axes.plot(false_positive, true_positive, label=f"{genres[index]} ({areas[genres[index]]:.2f})", **style)
    if curves:
        axes.plot(*mean_curve(curves), color="black", linewidth=3, label=f"mean ({mean_area:.2f})")
    finish_roc(axes, "ROC curves, one genre against the rest", "genre (area under curve)", columns)
    return figure


def roc_curves(targets: NDArray[np.int64], probabilities: NDArray[np.float32]) -> dict[int, Curve]:
    """False and true positive rates of every class against the rest, where it has tracks and the rest has, too."""
    curves = {}
    for index in range(probabilities.shape[1]):
        positive = targets == index
        if positive.any() and not positive.all():
            curves[index] = roc_curve(positive, probabilities[:, index])[:2]
    return curves


def mean_curve(curves: Mapping[int, Curve]) -> Curve:
    """The mean true positive rate of several curves at each false positive rate."""
    grid = np.linspace(0, 1, 201)
    mean = np.mean([np.interp(grid, *curve) for curve in curves.values()], 0)
    return np.append(0.0, grid), np.append(0.0, mean)  # all curves begin at (0, 0), most go straight up from there


def finish_roc(axes: Axes, title: str, legend: str, columns: int = 1) -> None:
    """Adds the line of chance, labels and legend to axes with ROC curves."""
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", label="chance (0.50)")
    axes.set(xlabel="false positive rate", ylabel="true positive rate", title=title)
    axes.set(xlim=(-0.01, 1), ylim=(0, 1.01), aspect="equal")
    axes.legend(fontsize=9, title=legend, loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False, ncols=columns)


def plot_learning_curves(history: Sequence[Mapping[str, float]], best_epoch: int | None) -> Figure:
    """Loss and accuracy of train segments and validation tracks, epoch by epoch."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    epochs = [entry["epoch"] for entry in history]
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        subsets = (("train", "train segments", TRAIN), ("val", "validation", VALIDATION))
        for color, (key, label, style) in zip(COLORS, subsets, strict=False):
            values = [entry.get(f"{key}_{name}", np.nan) for entry in history]
            if np.isnan(values).all():  # a split without a validation subset
                continue
            axes.plot(epochs, values, color=color, markersize=3, label=label, **style)
        if best_epoch is not None:
            axes.axvline(best_epoch, color="grey", linestyle=":", label=f"best checkpoint (epoch {best_epoch})")
        axes.set(xlabel="epoch", ylabel="cross-entropy" if name == "loss" else name, title=name.capitalize())
        mark_epochs(axes, max(epochs, default=0))
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def mark_epochs(axes: Axes, last: float, most: int = 9) -> None:
    """Ticks at whole epochs, at most so many, and room beside the first and the last, which may be one and the same."""
    axes.set_xlim(-0.5, last + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(most, integer=True, min_n_ticks=1))


def plot_inputs(inputs: Mapping[str, NDArray[np.float32]], sample_rate: int, hop_length: int, kind: str) -> Figure:
    """What the network sees of one track a genre: ``(frequency, time)`` each, by genre."""
    columns = min(5, len(inputs))
    rows = -(-len(inputs) // columns)
    figure = Figure(figsize=(2.6 * columns + 1, 2.2 * rows + 0.6), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    low, high = np.percentile(np.concatenate([values.ravel() for values in inputs.values()]), (1, 99))
    scale = {"MelSpectrogram": "mel", "Spectrogram": "linear"}.get(kind)
    for axes, (genre, values) in zip(grid.flat, inputs.items(), strict=False):
        image = librosa.display.specshow(
            values, sr=sample_rate, hop_length=hop_length, n_fft=2 * (len(values) - 1) if scale == "linear" else None,
            x_axis="time", y_axis=scale, ax=axes, vmin=low, vmax=high, cmap="magma",
        )  # fmt: skip
        axes.set(title=genre, xlabel="", ylabel="")
    for axes in grid.flat[len(inputs) :]:
        axes.set_visible(False)
    figure.supxlabel("time in seconds")
    figure.supylabel("frequency in hertz" if scale else "coefficient")
    figure.colorbar(image, ax=grid, label="normalised decibels" if scale else "normalised value")
    return figure


def save(figure: Figure, path: Path) -> None:
    """Writes a figure as PNG; names of genres and files stand in it as they are."""
    with matplotlib.rc_context({"text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # drawn as a box
        for text in figure.findobj(Text):
            text.set_parse_math(False)  # $ is no formula
        figure.savefig(path, dpi=110)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()
