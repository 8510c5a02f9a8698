"""Waveform, spectrogram, mel spectrogram and MFCC of tracks, and the inputs of a network."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple, TypeAlias

import librosa
import librosa.display
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from genre.audio.features import Feature, MelSpectrogram, Spectrogram
from genre.audio.mfcc import MFCC
from genre.plots.clips import Clip, describe_number
from genre.plots.style import COLORS, DIVERGING, PAGE_WIDTH, SEQUENTIAL, WIDTH

Input: TypeAlias = Literal["waveform", "spectrogram", "mel", "mfcc"]
Framed: TypeAlias = Spectrogram | MelSpectrogram | MFCC


class Labels(NamedTuple):
    """The texts of a picture: its title, and the units of its vertical axis and of its colours."""

    title: str
    y: str
    color: str = ""


INPUTS: dict[Input, Labels] = {
    "waveform": Labels("Waveform", "amplitude (full scale = 1)"),
    "spectrogram": Labels("Spectrogram", "frequency in hertz", "power in decibels"),
    "mel": Labels("Mel spectrogram", "frequency in hertz (mel scale)", "power in decibels"),
    "mfcc": Labels("MFCC", "coefficient (number)", "coefficient in decibels"),
}

#: Ticks in hertz on the mel scale that do not overlap, for a large picture and for a small one.
MEL_TICKS = (0, 500, 1000, 2000, 4000, 8000, 16000)
FEW_MEL_TICKS = (0, 500, 2000, 8000)


def plot_track(clip: Clip, feature: Feature) -> Figure:
    """Draws waveform, spectrogram, mel spectrogram and MFCC of one clip, below each other on one time axis.

    Args:
        clip: The clip.
        feature: The feature of the recipe; all inputs share its arguments.
    """
    features = features_of(feature)
    figure = Figure(figsize=(WIDTH, 10.5), layout="constrained")
    rows: Sequence[Axes] = figure.subplots(4, 1, sharex=True, height_ratios=(1, 1.6, 1.6, 1.2))
    for axes, (name, labels) in zip(rows, INPUTS.items(), strict=True):
        if name == "waveform":
            _show_waveform(axes, clip, feature.sample_rate)
        else:
            values = features[name](clip.waveform).numpy()
            times = clip.start + _frame_times(features[name], values.shape[1])
            mesh = show_feature(axes, values, features[name], times, limits(name, values))
            figure.colorbar(mesh, ax=axes, label=labels.color, extend="both", extendfrac=0.03, pad=0.01)
        axes.set(ylabel=labels.y.replace(" (mel scale)", "\n(mel scale)").replace(" (full", "\n(full"))
        axes.set_title(labels.title + _arguments(features.get(name)), loc="left")
    set_mel_ticks(rows[2], MEL_TICKS)
    rows[3].yaxis.set_major_locator(MaxNLocator(6, integer=True))
    rows[3].set(xlabel="time in seconds", xlim=(clip.start, clip.start + len(clip.waveform) / feature.sample_rate))
    figure.suptitle(f"{clip.track.path.name}{f', {clip.track.genre}' if clip.track.genre else ''}")
    return figure


def plot_tracks(clips: Mapping[str, Sequence[Clip]], feature: Feature, name: Input) -> Figure:
    """Draws one input of several tracks per genre, with one row per genre and one scale for all.

    Args:
        clips: The clips of each genre.
        feature: The feature of the recipe; all inputs share its arguments.
        name: The input that is drawn.
    """
    columns = max(len(of_genre) for of_genre in clips.values())
    layout = ConstrainedLayoutEngine(h_pad=0.02, w_pad=0.02, hspace=0.01, wspace=0.01)
    figure = Figure(figsize=(WIDTH, 1.6 + 1.15 * len(clips)), layout=layout)
    grid = figure.subplots(len(clips), columns, squeeze=False, sharex=True, sharey=True)
    _fill(figure, grid, clips, feature, name)
    for row, (genre, of_genre) in zip(grid, clips.items(), strict=True):
        row[0].set_ylabel(_wrapped(genre), fontweight="bold")
        for axes in row[len(of_genre) :]:
            axes.set_axis_off()
        for axes, clip in zip(row, of_genre, strict=False):
            axes.set_title(_short(clip.track.name, min(28, 120 // columns)), fontsize=8, pad=2)
            axes.tick_params(labelsize=8)
    seconds = max(len(clip.waveform) for of_genre in clips.values() for clip in of_genre) / feature.sample_rate
    grid[0, 0].set_xlim(0, seconds)
    grid[0, 0].xaxis.set_major_locator(MaxNLocator(4 if columns < 6 else 2, steps=[1, 2, 5, 10]))
    if name == "mel":
        set_mel_ticks(grid[0, 0], FEW_MEL_TICKS)
    else:
        grid[0, 0].yaxis.set_major_locator(MaxNLocator(4, steps=[1, 5, 10], integer=name != "waveform"))
    figure.supxlabel("time in seconds, from the beginning of the clip", fontsize=10)
    figure.supylabel(INPUTS[name].y, fontsize=10)
    figure.suptitle(f"{INPUTS[name].title} of {describe_number(clips)}: the {seconds:.3g} s in their middle, or less")
    return figure


def plot_inputs(inputs: Mapping[str, NDArray[np.float32]], feature: Feature, seconds: float) -> Figure:
    """Draws the network's input for one track per genre, on one scale, in the width of a report's page.

    Args:
        inputs: The output ``(frequency, time)`` of ``feature`` for each genre.
        feature: The feature of the recipe.
        seconds: The length of a segment.
    """
    columns = min(4, len(inputs))
    rows = -(-len(inputs) // columns)
    figure = Figure(figsize=(PAGE_WIDTH, 0.8 + 2.1 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    low, high = np.percentile(np.concatenate([values.ravel() for values in inputs.values()]), (1, 99))
    if isinstance(feature, MFCC):  # its colours diverge from 0
        low, high = -max(-low, high), max(-low, high)
    for axes, (genre, values) in zip(grid.flat, inputs.items(), strict=False):
        times = np.linspace(0, seconds, values.shape[1])
        mesh = show_feature(axes, values, feature, times, (float(low), float(high)))
        axes.set_title(_short(genre, 24))
    for axes in grid.flat[len(inputs) :]:
        axes.set_axis_off()
    for axes in grid.flat[max(0, len(inputs) - columns) : len(inputs)]:  # the last one of each column
        axes.tick_params(labelbottom=True)
    grid[0, 0].xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    if isinstance(feature, MelSpectrogram):
        set_mel_ticks(grid[0, 0], MEL_TICKS)
    in_hertz = isinstance(feature, Spectrogram | MelSpectrogram)
    figure.supxlabel("time in seconds", fontsize=10)
    figure.supylabel("frequency in hertz" if in_hertz else "row (number)", fontsize=10)
    unit = "log power" if getattr(feature, "compression", None) == "log10" else "decibels" if in_hertz else "value"
    normalised = (feature.mean, feature.std) != (0, 1)
    figure.colorbar(mesh, ax=grid, label=f"{'normalised ' * normalised}{unit}", extend="both", pad=0.02, aspect=30)
    return figure


def features_of(feature: Feature) -> dict[Input, Framed]:
    """Spectrogram, mel spectrogram and MFCC with the arguments of a recipe's feature, not normalised."""
    n_fft = int(getattr(feature, "n_fft", 2048))
    n_mels = int(getattr(feature, "n_mels", min(128, n_fft // 4)))  # more bands would fall between the bins
    n_mfcc = int(getattr(feature, "n_mfcc", min(20, n_mels)))
    own = vars(feature) | {"n_mels": n_mels, "n_mfcc": n_mfcc, "mean": 0.0, "std": 1.0, "compression": "decibels"}

    def build(cls: type[Framed]) -> Framed:
        return cls(**{name: own[name] for name in inspect.signature(cls).parameters if name in own})

    return {"spectrogram": build(Spectrogram), "mel": build(MelSpectrogram), "mfcc": build(MFCC)}


def limits(name: Input, values: NDArray[np.float32]) -> tuple[float, float]:
    """The lowest and the highest value of the colour scale for ``(…, frequency, time)`` values."""
    if name == "mfcc":  # without the 0th coefficient, the loudness, which is much larger than the others
        widest = float(np.percentile(np.abs(values[..., 1:, :] if values.shape[-2] > 1 else values), 99.5))
        return -widest, widest
    low, high = np.percentile(values, (2, 99.9))
    return float(low), float(high)


def _fill(
    figure: Figure, grid: NDArray[np.object_], clips: Mapping[str, Sequence[Clip]], feature: Feature, name: Input
) -> None:
    """Draws every clip, from second 0, and one colour bar for all."""
    rows = zip(grid, clips.values(), strict=True)
    places = [place for row, of_genre in rows for place in zip(row, of_genre, strict=False)]
    if name == "waveform":
        for axes, clip in places:
            _show_waveform(axes, replace(clip, start=0.0), feature.sample_rate)
        return
    framed = features_of(feature)[name]
    values = [framed(clip.waveform).numpy() for _, clip in places]
    scale = limits(name, np.concatenate(values, axis=-1))
    for (axes, _), value in zip(places, values, strict=True):
        mesh = show_feature(axes, value, framed, _frame_times(framed, value.shape[1]), scale)
    label = INPUTS[name].color
    figure.colorbar(mesh, ax=grid, label=label, extend="both", extendfrac=0.01, aspect=50, fraction=0.03, pad=0.01)


def _show_waveform(axes: Axes, clip: Clip, sample_rate: int) -> None:
    librosa.display.waveshow(
        clip.waveform.numpy(), sr=sample_rate, axis="s", offset=clip.start, ax=axes, color=COLORS[0], linewidth=0.5
    )
    axes.set(xlabel="", ylabel="")


def show_feature(
    axes: Axes, values: NDArray[np.float32], feature: Feature, times: NDArray[np.float64], scale: tuple[float, float]
) -> QuadMesh:
    """Draws ``(frequency, time)`` with time in seconds and frequency in hertz; rows of other features are numbered.

    Args:
        axes: The axes.
        values: The output of ``feature``.
        feature: The feature, of any class.
        times: ``(time,)`` the second of each frame.
        scale: The lowest and the highest value of the colour scale.
    """
    rows = len(values)
    frequencies, y_axis = np.arange(rows, dtype=float), None
    if isinstance(feature, Spectrogram):
        frequencies, y_axis = frequencies * feature.sample_rate / feature.n_fft, "linear"
    elif isinstance(feature, MelSpectrogram):
        top = feature.f_max or feature.sample_rate / 2
        frequencies = librosa.mel_frequencies(rows + 2, fmin=feature.f_min, fmax=top, htk=feature.mel_scale == "htk")
        frequencies, y_axis = frequencies[1:-1], "mel"
    mesh: QuadMesh = librosa.display.specshow(
        values,
        x_coords=times,
        y_coords=frequencies,
        x_axis="s",
        y_axis=y_axis,
        ax=axes,
        cmap=DIVERGING if isinstance(feature, MFCC) else SEQUENTIAL,
        vmin=scale[0],
        vmax=scale[1],
        rasterized=True,
    )
    axes.set(xlabel="", ylabel="")
    return mesh


def _frame_times(feature: Framed, frames: int) -> NDArray[np.float64]:
    """``(frames,)`` the second of each frame, relative to the first."""
    hop = feature.hop_length or (feature.win_length or feature.n_fft) // 2
    return np.arange(frames) * hop / feature.sample_rate


def set_mel_ticks(axes: Axes, hertz: Sequence[int]) -> None:
    """Puts ticks at these frequencies only."""
    axes.yaxis.set_major_locator(FixedLocator(hertz))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(bottom=0)


def _arguments(feature: Feature | None) -> str:
    """The arguments that define the rows and frames, as text."""
    if feature is None:
        return ""
    names = [name for name in ("n_mfcc", "n_mels", "n_fft", "hop_length") if getattr(feature, name, None) is not None]
    return f" ({', '.join(f'{name} {getattr(feature, name)}' for name in names)})"


def _wrapped(genre: str) -> str:
    """A genre's name; a long name has one word per line."""
    words = genre.replace("_", " ").replace("-", " ").split()
    return "\n".join(words) if len(genre) > 10 else genre


def _short(name: str, length: int) -> str:
    """Cuts a long name in its middle, because the names of an album often begin alike."""
    half = (length - 1) // 2
    return name if len(name) <= length else f"{name[:half]}…{name[-half:]}"
