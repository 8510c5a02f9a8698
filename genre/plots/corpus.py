"""Pictures of a corpus: numbers of tracks and artists of each genre, and tracks as points (PCA and t-SNE)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.preprocessing import StandardScaler

from genre.audio.features import Feature
from genre.data.splits import Partition
from genre.data.track import SUBSETS, Track, count_genres
from genre.errors import GenreError
from genre.plots.inputs import Clip, shorten
from genre.plots.style import COLORS, WIDTH

#: The markers of genres, since some genres share a colour, and some colours are hard to distinguish.
MARKERS = ("o", "s", "^", "D", "P", "v", "X", "*", "h", "<", "p", ">", "d")

#: The number of components in the scree plot.
SHOWN = 10

#: The perplexity of t-SNE, if there are enough points: roughly the number of neighbours that stay near a point.
PERPLEXITY = 30.0


class Points(NamedTuple):
    """Tracks as points ``(tracks, values)``, and the genre of each track."""

    values: NDArray[np.float64]
    genres: list[str]


def plot_counts(partition: Partition, unit: str = "tracks") -> Figure:
    """Draws the number of tracks of every genre in each subset of a split, as labelled bars.

    Args:
        partition: The tracks of each subset.
        unit: The unit that is counted: ``tracks`` or ``segments``.
    """
    genres = sorted({track.genre for tracks in partition.values() for track in tracks})
    total = sum(map(len, partition.values()))
    figure, axes = _bars(genres, 0.55)
    for index, subset in enumerate(SUBSETS):
        counts = Counter(track.genre for track in partition[subset])
        bars = axes.barh(
            np.arange(len(genres)) + 0.27 * (index - 1),
            [counts[genre] for genre in genres],
            0.25,
            color=COLORS[index],
            label=f"{subset} ({len(partition[subset])})",
        )
        axes.bar_label(bars, padding=3, fontsize=9)
    axes.set(xlabel=f"number of {unit}", title=f"{total} {unit} of {len(genres)} genres, by subset of the split")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(x=0.06)
    figure.legend(title=f"subset ({unit})", loc="outside lower center", ncols=3, frameon=False)
    return figure


def plot_artists(tracks: Sequence[Track]) -> Figure:
    """Draws the artists of every genre, and the share of its tracks by the largest one: bars with their numbers."""
    counts = count_genres(tracks)
    genres, artists = list(counts), list(counts.values())
    places = np.arange(len(genres))
    figure, left = _bars(genres, 0.36, columns=2)
    right: Axes = figure.axes[1]
    bars = left.barh(places, [entry.artists for entry in artists], 0.7, color=COLORS[0])
    labels = [
        f"{entry.artists}; {entry.unknown} track{'s' * (entry.unknown > 1)} of unknown artist"
        if entry.unknown
        else entry.artists
        for entry in artists
    ]
    left.bar_label(bars, labels, padding=3, fontsize=9)
    left.set(xlabel="number of known artists", title="Artists per genre")
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.margins(x=0.6 if any(entry.unknown for entry in artists) else 0.1)
    bars = right.barh(places, [100 * entry.share for entry in artists], 0.7, color=COLORS[1])
    for place, entry in zip(places, artists, strict=True):
        share = f"{shorten(entry.largest, 30)}: {entry.largest_tracks} of {entry.tracks}"
        label = share if entry.largest else "none known"
        inside = entry.share > 0.5
        end = 100 * entry.share + (-1 if inside else 1)
        right.text(end, float(place), label, va="center", ha="right" if inside else "left", fontsize=9)
    right.set(xlabel="share of the genre's tracks in per cent", title="Largest artist of each genre", xlim=(0, 100))
    return figure


def feature_points(clips: Iterable[Clip], feature: Feature) -> Points:
    """One point per clip: mean and standard deviation over time of every row of the features, not normalised."""
    values, genres = [], []
    with torch.no_grad():
        for clip in clips:
            rows = feature.cpu().decibels(clip.waveform).double()
            values.append(torch.cat([rows.mean(-1), rows.std(-1, correction=0)]).numpy())
            genres.append(clip.track.genre)
    return Points(np.array(values), genres)


def embedding_points(paths: Sequence[Path], values: NDArray[np.float32], tracks: Sequence[Track]) -> Points:
    """One point per embedding of a track, with its genre; leaves out embeddings ``(files, values)`` of other files."""
    known = {track.path.resolve(): track.genre for track in tracks}
    genres = [known.get(path.resolve()) for path in paths]
    rows = [index for index, genre in enumerate(genres) if genre is not None]
    return Points(values[rows].astype(np.float64), [genre for genre in genres if genre is not None])


def plot_pca(points: Points, title: str = "") -> Figure:
    """Draws the first two principal components of standardised points, and the variance that each component explains.

    Args:
        points: At least two points.
        title: The title, which describes the points.
    """
    pca = PCA().fit(standard := StandardScaler().fit_transform(points.values))
    share = 100 * pca.explained_variance_ratio_
    figure = Figure(figsize=(WIDTH, 7), layout="constrained")
    axes = figure.subplot_mosaic([["points", "scree"], ["points", "legend"]], width_ratios=(2.3, 1))
    _scatter(axes["points"], axes["legend"], pca.transform(standard)[:, :2], points.genres)
    axes["points"].set(
        xlabel=f"first principal component ({share[0]:.1f} % of the variance)",
        ylabel=f"second principal component ({share[1]:.1f} % of the variance)",
        title=title,
    )
    numbers = np.arange(1, min(SHOWN, len(share)) + 1)
    scree, cumulative = axes["scree"], np.cumsum(share)[: len(numbers)]
    scree.bar(numbers, share[: len(numbers)], color=COLORS[0], label="of the component")
    scree.plot(numbers, cumulative, color=COLORS[1], marker="o", markersize=4, label="cumulative")
    scree.set(xlabel="component (number)", ylabel="explained variance in per cent", title="Scree plot", ylim=(0, 100))
    scree.xaxis.set_major_locator(MaxNLocator(SHOWN, integer=True))
    scree.legend(frameon=False)
    return figure


def plot_tsne(points: Points, title: str = "", seed: int = 0) -> Figure:
    """Draws t-SNE of standardised points: near points are similar; distances between clusters mean little.

    L. van der Maaten and G. Hinton, "Visualizing data using t-SNE", Journal of Machine Learning Research 9, 2008.

    Args:
        points: At least three points.
        title: The title, which describes the points.
        seed: The seed of the optimisation.

    Raises:
        GenreError: All points are the same.
    """
    if not np.ptp(points.values, axis=0).any():  # scikit-learn's tree of points would crash the process
        raise GenreError(f"all {len(points.genres)} embeddings are the same: there is nothing to draw")
    perplexity = min(PERPLEXITY, (len(points.genres) - 1) / 3)
    standard = StandardScaler().fit_transform(points.values)
    init = "pca" if standard.shape[1] > 1 else "random"
    places = TSNE(perplexity=perplexity, init=init, random_state=seed).fit_transform(standard)
    figure = Figure(figsize=(WIDTH, 7), layout="constrained")
    axes = figure.subplot_mosaic([["points", "legend"]], width_ratios=(3.2, 1))
    _scatter(axes["points"], axes["legend"], places, points.genres)
    axes["points"].set(
        xlabel="first dimension of t-SNE (no unit)",
        ylabel="second dimension of t-SNE (no unit)",
        title=f"{title}; perplexity {perplexity:.3g}" if title else "",
    )
    return figure


def _bars(genres: Sequence[str], inches: float, columns: int = 1) -> tuple[Figure, Axes]:
    """A figure for horizontal bars with one row per genre, and the first of its axes."""
    figure = Figure(figsize=(WIDTH, 1.4 + inches * len(genres)), layout="constrained")
    axes: Axes = figure.subplots(1, columns, sharey=True, squeeze=False)[0, 0]
    axes.set_yticks(range(len(genres)), genres)
    axes.set(ylabel="genre", ylim=(len(genres) - 0.4, -0.6))
    for panel in figure.axes:
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(axis="x", alpha=0.3)
        panel.set_axisbelow(True)
    return figure, axes


def _scatter(axes: Axes, legend: Axes, places: NDArray[np.float64], genres: Sequence[str]) -> None:
    """Draws points ``(N, 2)``, with a colour and a marker per genre, and their legend on separate axes."""
    for index, genre in enumerate(sorted(set(genres))):
        x, y = places[[name == genre for name in genres]].T
        marker = MARKERS[index % len(MARKERS)]
        size = 80 if marker == "*" else 42  # a star's area is that of the circle around it
        color = COLORS[index % 10]
        axes.scatter(x, y, size, color, marker=marker, alpha=0.85, edgecolors="black", linewidths=0.4, label=genre)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    handles, labels = axes.get_legend_handles_labels()
    columns = 1 + (len(labels) - 1) // 12
    legend.set_axis_off()
    legend.legend(handles, labels, title="genre", loc="upper left", ncols=columns, frameon=False)
