"""Pictures of a corpus: the tracks of each genre in each subset of the split, and the artists of each genre."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from genre.data.splits import Partition
from genre.data.track import SUBSETS, Track, count_genres
from genre.plots.style import COLORS, WIDTH


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
        label = f"{_cut(entry.largest)}: {entry.largest_tracks} of {entry.tracks}" if entry.largest else "none known"
        inside = entry.share > 0.5
        end = 100 * entry.share + (-1 if inside else 1)
        right.text(end, float(place), label, va="center", ha="right" if inside else "left", fontsize=9)
    right.set(xlabel="share of the genre's tracks in per cent", title="Largest artist of each genre", xlim=(0, 100))
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


def _cut(name: str, length: int = 30) -> str:
    return name if len(name) <= length else f"{name[: length - 1]}…"
