"""Reliability diagram and coverage-accuracy curve."""

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from genre.calibration import BINS, bins, calibration_error, coverage
from genre.plots.runs import scored
from genre.plots.style import COLORS, PAGE_WIDTH


def plot_reliability(
    targets: Tensor, after: Tensor, before: Tensor | None = None, subset: str = "", unit: str = "tracks"
) -> Figure:
    """Draws the accuracy of tracks by their highest probability, and their number below.

    Args:
        targets: ``(N,)`` true class indices.
        after: ``(N, genres)`` probabilities with the temperature.
        before: ``(N, genres)`` probabilities without it, drawn to the left, if given.
        subset: The subset that is scored, such as ``test``.
        unit: The unit that is scored: ``tracks`` or ``segments``.
    """
    panels = {"before temperature scaling": before, "after temperature scaling": after}
    given = {title: values for title, values in panels.items() if values is not None}
    figure = Figure(figsize=(PAGE_WIDTH * (0.5 + 0.5 * (len(given) > 1)), 5), layout="constrained")
    grid = figure.subplots(2, len(given), squeeze=False, sharex=True, sharey="row", height_ratios=(3, 1))
    for column, (title, probabilities) in enumerate(given.items()):
        _reliability(grid[0, column], grid[1, column], probabilities.cpu(), targets.cpu())
        error = float(calibration_error(probabilities, targets))
        grid[0, column].set_title(f"{title if before is not None else 'probabilities'}\ncalibration error {error:.3f}")
    grid[0, 0].set(ylabel="accuracy", ylim=(0, 1.03))
    grid[1, 0].set(ylabel=unit, xlim=(0, 1.02))
    grid[0, -1].legend(loc="upper left", frameon=False, fontsize=9)
    figure.supxlabel("probability of the most probable genre", fontsize=10)
    figure.suptitle(f"Reliability of {scored(len(targets), subset, unit)}")
    return figure


def plot_coverage(
    targets: Tensor, probabilities: Tensor, threshold: float | None, subset: str = "", unit: str = "tracks"
) -> Figure:
    """Draws the accuracy of the tracks that a threshold keeps by their share, over all thresholds.

    Args:
        targets: ``(N,)`` true class indices.
        probabilities: ``(N, genres)``.
        threshold: The threshold that is marked, if any.
        subset: The subset that is scored, such as ``test``.
        unit: The unit that is scored: ``tracks`` or ``segments``.
    """
    levels, kept, right = coverage(probabilities, targets)
    figure = Figure(figsize=(PAGE_WIDTH * 0.7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    accuracy, share = right / kept, kept / len(targets)
    axes.plot(share, accuracy, color=COLORS[0], drawstyle="steps-pre", label="accuracy of the most probable tracks")
    axes.axhline(float(accuracy[-1]), color="grey", linestyle=":", label=f"accuracy of all ({float(accuracy[-1]):.2f})")
    count = int((levels >= threshold).sum()) if threshold is not None else 0
    if count:
        kept_share, right_share = 100 * float(share[count - 1]), 100 * float(accuracy[count - 1])
        label = f"threshold {threshold:.3f}: {kept_share:.0f} % kept, {right_share:.0f} % right"
        axes.plot(share[count - 1], accuracy[count - 1], "o", color=COLORS[1], markersize=9, label=label)
    axes.set(xlabel=f"coverage: share of {unit} that are not called unknown", ylabel="accuracy", xlim=(0, 1.01))
    axes.set_ylim(0, 1.02)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left", frameon=False)
    axes.set_title(f"Accuracy by coverage, {scored(len(targets), subset, unit)}")
    return figure


def _reliability(above: Axes, below: Axes, probabilities: Tensor, targets: Tensor) -> None:
    confidences, predicted = probabilities.max(1)
    places = bins(confidences)
    counts = places.bincount(minlength=BINS)
    right = torch.zeros(BINS).index_add_(0, places, (predicted == targets).float())
    means = torch.zeros(BINS).index_add_(0, places, confidences) / counts.clamp(min=1)
    centers, width = (torch.arange(BINS) + 0.5) / BINS, 1 / BINS
    full = counts > 0
    accuracy = right / counts.clamp(min=1)
    above.bar(centers[full], accuracy[full], width, color=COLORS[0], edgecolor="white", alpha=0.8, label="accuracy")
    above.plot(means[full], accuracy[full], ".", color=COLORS[1], label="at the bin's mean probability")
    above.plot([0, 1], [0, 1], color="grey", linestyle=":", label="perfect calibration")
    below.bar(centers, counts, width, color=COLORS[0], edgecolor="white", alpha=0.8)
    for axes in (above, below):
        axes.grid(alpha=0.3)
