"""Waveform, spectrogram, mel spectrogram and MFCC of parts of tracks, and the inputs of a network."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

import librosa.display
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from torch import Tensor

from genre.audio.decode import AudioError, probe, read_segment
from genre.audio.features import Feature, MelSpectrogram, Spectrogram
from genre.audio.mfcc import MFCC
from genre.data.files import BadFiles
from genre.data.track import Track
from genre.plots.spectrogram import MEL_TICKS, Framed, features_of, limits, set_mel_ticks, show_feature
from genre.plots.style import COLORS, PAGE_WIDTH, WIDTH

Input: TypeAlias = Literal["waveform", "spectrogram", "mel", "mfcc"]


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

#: Ticks in hertz on the mel scale for a small picture.
FEW_MEL_TICKS = (0, 500, 2000, 8000)


@dataclass(frozen=True)
class Clip:
    """A part of a track.

    Attributes:
        track: The track.
        waveform: ``(samples,)`` at the rate of the features.
        start: The start of the clip in the file, in seconds.
    """

    track: Track
    waveform: Tensor
    start: float = 0.0


def read_clip(track: Track, feature: Feature, seconds: float, position: float = 0.0) -> Clip:
    """Reads a part of a track, or all of a shorter track.

    Args:
        track: The track.
        feature: Gives the sample rate and, by its ``n_fft``, the smallest length; only a shorter track is repeated.
        seconds: The length of the part.
        position: The start of the part, from 0 (the track's beginning) to 1 (the last possible start).

    Raises:
        AudioError: The file cannot be read.
    """
    first, last = track.excerpt or (0.0, probe(track.path).seconds)
    length = min(seconds, last - first)
    samples = max(round(length * feature.sample_rate), int(getattr(feature, "n_fft", 2048)))
    waveform = torch.from_numpy(read_segment(track.path, feature.sample_rate, samples, position, track.excerpt))
    return Clip(track, waveform, first + position * (last - first - length))


def read_clips(
    tracks: Iterable[Track], feature: Feature, seconds: float, position: float, bad_files: BadFiles
) -> Iterable[Clip]:
    """Yields a clip of each track, see :func:`read_clip`; notes bad files and leaves them out."""
    for track in tracks:
        try:
            yield read_clip(track, feature, seconds, position)
        except AudioError as error:
            bad_files.note(track.path, error.reason)


def draw_clips(
    tracks: Sequence[Track], feature: Feature, count: int, seconds: float, seed: int, bad_files: BadFiles
) -> dict[str, list[Clip]]:
    """Reads the middle of ``count`` random tracks of every genre; replaces a bad file by another track."""
    random = np.random.default_rng(seed)
    clips: dict[str, list[Clip]] = {}
    for genre in sorted({track.genre for track in tracks}):
        of_genre = [track for track in tracks if track.genre == genre]
        shuffled = [of_genre[index] for index in random.permutation(len(of_genre))]
        readable = read_clips(shuffled, feature, seconds, 0.5, bad_files)
        clips[genre] = [clip for _, clip in zip(range(count), readable, strict=False)]
    return {genre: of_genre for genre, of_genre in clips.items() if of_genre}


def describe_number(clips: Mapping[str, Sequence[Clip]]) -> str:
    """The number of clips, such as ``3 to 5 random tracks per genre``."""
    low, high = min(map(len, clips.values())), max(map(len, clips.values()))
    number = str(high) if low == high else f"{low} to {high}"
    return f"{number} random track{'s' * (high > 1)} per genre"


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
            axes.set_title(shorten(clip.track.name, min(28, 120 // columns)), fontsize=8, pad=2)
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
        axes.set_title(shorten(genre, 24))
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


def _frame_times(feature: Framed, frames: int) -> NDArray[np.float64]:
    """``(frames,)`` the second of each frame, relative to the first."""
    hop = feature.hop_length or (feature.win_length or feature.n_fft) // 2
    return np.arange(frames) * hop / feature.sample_rate


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


def shorten(name: str, length: int) -> str:
    """Cuts a long name in its middle, because the names of an album often begin alike."""
    half = (length - 1) // 2
    return name if len(name) <= length else f"{name[:half]}…{name[-half:]}"
