"""Principal components of the features, coloured by genre."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from genre.audio.features import Feature
from genre.plots.clips import Clip
from genre.plots.style import COLORS, WIDTH

#: Markers that tell apart what shares a colour, and help where colours are hard to tell.
MARKERS = ("o", "s", "^", "D", "P", "v", "X", "*", "h", "<", "p", ">", "d")

#: Components in the scree plot.
SHOWN = 10


class Points(NamedTuple):
    """Tracks as points: ``(tracks, 2 × rows)``, and the genre of each."""

    values: NDArray[np.float64]
    genres: list[str]


def summarize(clips: Iterable[Clip], feature: Feature) -> Points:
    """Mean and standard deviation over time of every row of the features, a point a clip."""
    values, genres = [], []
    with torch.no_grad():
        for clip in clips:
            rows = feature.cpu().decibels(clip.waveform).double()
            values.append(torch.cat([rows.mean(-1), rows.std(-1, correction=0)]).numpy())
            genres.append(clip.track.genre)
    return Points(np.array(values), genres)


def plot_pca(points: Points, title: str = "") -> Figure:
    """The first two principal components of standardised points, and the variance that each component explains.

    Args:
        points: What :func:`summarize` gives.
        title: What a point is.
    """
    pca = PCA().fit(standard := StandardScaler().fit_transform(points.values))
    share = 100 * pca.explained_variance_ratio_
    figure = Figure(figsize=(WIDTH, 7), layout="constrained")
    axes = figure.subplot_mosaic([["points", "scree"], ["points", "legend"]], width_ratios=(2.3, 1))
    scatter(axes["points"], pca.transform(standard)[:, :2], points.genres)
    axes["points"].set(
        xlabel=f"first principal component ({share[0]:.1f} % of the variance)",
        ylabel=f"second principal component ({share[1]:.1f} % of the variance)",
        title=title,
    )
    _scree(axes["scree"], share)
    show_legend(axes["legend"], axes["points"])
    return figure


def show_legend(axes: Axes, points: Axes) -> None:
    """Names the genres of a scatter plot on axes of their own."""
    axes.set_axis_off()
    handles, labels = points.get_legend_handles_labels()
    columns = 1 + (len(labels) - 1) // 12
    axes.legend(handles, labels, title="genre", loc="upper left", ncols=columns, frameon=False)


def scatter(axes: Axes, places: NDArray[np.float64], genres: Sequence[str]) -> None:
    """Draws points ``(N, 2)``, each genre in a colour and a marker of its own."""
    for index, genre in enumerate(sorted(set(genres))):
        x, y = places[[name == genre for name in genres]].T
        marker = MARKERS[index % len(MARKERS)]
        size = 80 if marker == "*" else 42  # a star's area is that of the circle around it
        color = COLORS[index % 10]
        axes.scatter(x, y, size, color, marker=marker, alpha=0.85, edgecolors="black", linewidths=0.4, label=genre)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)


def _scree(axes: Axes, share: NDArray[np.float64]) -> None:
    numbers = np.arange(1, min(SHOWN, len(share)) + 1)
    axes.bar(numbers, share[: len(numbers)], color=COLORS[0], label="of the component")
    axes.plot(numbers, np.cumsum(share)[: len(numbers)], color=COLORS[1], marker="o", markersize=4, label="cumulative")
    axes.set(xlabel="component (number)", ylabel="explained variance in per cent", title="Scree plot", ylim=(0, 100))
    axes.xaxis.set_major_locator(MaxNLocator(SHOWN, integer=True))
    axes.legend(frameon=False)
