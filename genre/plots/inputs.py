"""One track in all four kinds of input; random tracks of every genre in one of them."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from genre.audio.features import Feature
from genre.plots.clips import Clip, describe_number
from genre.plots.kinds import (
    COLOR_LABELS,
    KINDS,
    TITLES,
    Y_LABELS,
    Kind,
    features_of,
    limits,
    show_feature,
    show_waveform,
)
from genre.plots.style import WIDTH

#: Ticks in hertz on the mel scale that stand apart: in a large picture, and in one of an inch.
MEL_TICKS = (0, 500, 1000, 2000, 4000, 8000, 16000)
FEW_MEL_TICKS = (0, 500, 2000, 8000)


def plot_track(clip: Clip, feature: Feature) -> Figure:
    """Waveform, spectrogram, mel spectrogram and MFCC of one clip, one below the other on one time axis.

    Args:
        clip: What is drawn.
        feature: That of the recipe, whose arguments the three others share.
    """
    features = features_of(feature)
    figure = Figure(figsize=(WIDTH, 10.5), layout="constrained")
    rows: Sequence[Axes] = figure.subplots(4, 1, sharex=True, height_ratios=(1, 1.6, 1.6, 1.2))
    for axes, kind in zip(rows, KINDS, strict=True):
        if kind == "waveform":
            show_waveform(axes, clip, feature.sample_rate)
        else:
            values = features[kind](clip.waveform).numpy()
            mesh = show_feature(axes, values, features[kind], clip.start, limits(kind, values))
            figure.colorbar(mesh, ax=axes, label=COLOR_LABELS[kind], extend="both", extendfrac=0.03, pad=0.01)
        axes.set(ylabel=Y_LABELS[kind].replace(" (mel scale)", "\n(mel scale)").replace(" (full", "\n(full"))
        axes.set_title(f"{TITLES[kind]}{_arguments(features.get(kind))}", loc="left")
        if kind == "mfcc":
            axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
        if kind == "mel":
            _set_ticks(axes, MEL_TICKS)
    rows[-1].set(xlabel="time in seconds", xlim=(clip.start, clip.start + len(clip.waveform) / feature.sample_rate))
    rows[-1].tick_params(labelbottom=True)
    figure.suptitle(f"{clip.track.path.name}{f', {clip.track.genre}' if clip.track.genre else ''}")
    return figure


def plot_tracks(clips: Mapping[str, Sequence[Clip]], feature: Feature, kind: Kind) -> Figure:
    """One kind of input of several tracks a genre: a row a genre, all on one scale.

    Args:
        clips: The clips of each genre.
        feature: That of the recipe, whose arguments the others share.
        kind: What is drawn.
    """
    columns = max(len(of_genre) for of_genre in clips.values())
    rate = feature.sample_rate
    layout = ConstrainedLayoutEngine(h_pad=0.02, w_pad=0.02, hspace=0.01, wspace=0.01)
    figure = Figure(figsize=(WIDTH, 1.6 + 1.15 * len(clips)), layout=layout)
    grid = figure.subplots(len(clips), columns, squeeze=False, sharex=True, sharey=True)
    _fill(figure, grid.tolist(), clips, feature, kind)
    for row, (genre, of_genre) in zip(grid, clips.items(), strict=True):
        row[0].set_ylabel(_wrapped(genre), fontweight="bold")
        for axes in row[len(of_genre) :]:
            axes.set_axis_off()
        for axes, clip in zip(row, of_genre, strict=False):
            axes.set_title(_short(clip, min(28, 120 // columns)), fontsize=8, pad=2)
            axes.tick_params(labelsize=8)
    seconds = max(len(clip.waveform) for of_genre in clips.values() for clip in of_genre) / rate
    grid[0, 0].set_xlim(0, seconds)
    grid[0, 0].xaxis.set_major_locator(MaxNLocator(4 if columns < 6 else 2, steps=[1, 2, 5, 10]))
    if kind == "mel":
        _set_ticks(grid[0, 0], FEW_MEL_TICKS)
    else:
        grid[0, 0].yaxis.set_major_locator(MaxNLocator(4, steps=[1, 5, 10], integer=kind != "waveform"))
    figure.supxlabel("time in seconds, from the beginning of the clip", fontsize=10)
    figure.supylabel(Y_LABELS[kind], fontsize=10)
    figure.suptitle(f"{TITLES[kind]} of {describe_number(clips)}: the {seconds:.3g} s in their middle, or less")
    return figure


def _fill(figure: Figure, grid: Sequence[Sequence[Axes]], clips: Mapping[str, Sequence[Clip]], feature: Feature,
          kind: Kind) -> None:  # fmt: skip
    """Draws every clip into its place, and the colour bar that holds for all."""
    places = [
        (axes, Clip(clip.track, clip.waveform))  # all of them start at 0 on the shared axis
        for row, of_genre in zip(grid, clips.values(), strict=True)
        for axes, clip in zip(row, of_genre, strict=False)
    ]
    if kind == "waveform":
        for axes, clip in places:
            show_waveform(axes, clip, feature.sample_rate)
        return
    drawn = features_of(feature)[kind]
    values = [drawn(clip.waveform).numpy() for _, clip in places]
    scale = limits(kind, np.concatenate(values, axis=-1))
    for (axes, _), value in zip(places, values, strict=True):
        mesh = show_feature(axes, value, drawn, 0.0, scale)
    figure.colorbar(
        mesh,
        ax=[axes for row in grid for axes in row],
        label=COLOR_LABELS[kind],
        extend="both",
        extendfrac=0.01,
        aspect=50,
        fraction=0.03,
        pad=0.01,
    )


def _set_ticks(axes: Axes, hertz: Sequence[int]) -> None:
    axes.yaxis.set_major_locator(FixedLocator(hertz))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(bottom=0)


def _arguments(feature: Feature | None) -> str:
    """The arguments that tell what the rows and frames are."""
    if feature is None:
        return ""
    names = [name for name in ("n_mfcc", "n_mels", "n_fft", "hop_length") if getattr(feature, name, None) is not None]
    return f" ({', '.join(f'{name} {getattr(feature, name)}' for name in names)})"


def _wrapped(genre: str) -> str:
    """A genre's name, on two lines where it is long."""
    words = genre.replace("_", " ").replace("-", " ").split()
    return "\n".join(words) if len(genre) > 10 else genre


def _short(clip: Clip, most: int) -> str:
    """The name of a clip's file, cut in its middle to fit: names of an album often begin alike."""
    name, half = PurePath(clip.track.path).stem, (most - 1) // 2
    return name if len(name) <= most else f"{name[:half]}…{name[-half:]}"
