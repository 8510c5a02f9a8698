"""Features on axes in seconds and hertz, and the explanation of a prediction over a mel spectrogram."""

import inspect
from collections.abc import Sequence
from typing import TypeAlias

import librosa
import librosa.display
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import NDArray

from genre.audio.features import Feature, MelSpectrogram, Spectrogram
from genre.audio.mfcc import MFCC
from genre.explain import Explanation, decisive_stretches
from genre.plots.style import COLORS, DIVERGING, SEQUENTIAL, WIDTH

Framed: TypeAlias = Spectrogram | MelSpectrogram | MFCC

#: Ticks in hertz on the mel scale that do not overlap.
MEL_TICKS = (0, 500, 1000, 2000, 4000, 8000, 16000)

#: What each method is called in the title.
NAMES = {"gradcam": "Grad-CAM", "integrated_gradients": "integrated gradients"}


def features_of(feature: Feature) -> dict[str, Framed]:
    """Spectrogram, mel spectrogram and MFCC with the arguments of a recipe's feature, not normalised."""
    n_fft = int(getattr(feature, "n_fft", 2048))
    n_mels = int(getattr(feature, "n_mels", min(128, n_fft // 4)))  # more bands would fall between the bins
    n_mfcc = int(getattr(feature, "n_mfcc", min(20, n_mels)))
    own = vars(feature) | {"n_mels": n_mels, "n_mfcc": n_mfcc, "mean": 0.0, "std": 1.0, "compression": "decibels"}

    def build(cls: type[Framed]) -> Framed:
        return cls(**{name: own[name] for name in inspect.signature(cls).parameters if name in own})

    return {"spectrogram": build(Spectrogram), "mel": build(MelSpectrogram), "mfcc": build(MFCC)}


def limits(name: str, values: NDArray[np.float32]) -> tuple[float, float]:
    """The lowest and the highest value of the colour scale for ``(…, frequency, time)`` values."""
    if name == "mfcc":  # without the 0th coefficient, the loudness, which is much larger than the others
        widest = float(np.percentile(np.abs(values[..., 1:, :] if values.shape[-2] > 1 else values), 99.5))
        return -widest, widest
    low, high = np.percentile(values, (2, 99.9))
    return float(low), float(high)


def row_centres(feature: Feature, rows: int) -> NDArray[np.float64]:
    """``(rows,)`` the frequency in hertz at the centre of each row; its number if the rows have no frequency."""
    centres: NDArray[np.float64] = np.arange(rows, dtype=float)
    if isinstance(feature, Spectrogram):
        centres = centres * feature.sample_rate / feature.n_fft
    elif isinstance(feature, MelSpectrogram):
        top = feature.f_max or feature.sample_rate / 2
        edges = librosa.mel_frequencies(rows + 2, fmin=feature.f_min, fmax=top, htk=feature.mel_scale == "htk")
        centres = edges[1:-1]
    return centres


def show_feature(
    axes: Axes, values: NDArray[np.float32], feature: Feature, times: NDArray[np.float64], scale: tuple[float, float]
) -> QuadMesh:
    """Draws ``(frequency, time)`` with time in seconds and frequency in hertz, see :func:`row_centres`.

    ``times`` has the second of each frame, ``scale`` the lowest and the highest value of the colour scale.
    """
    linear = "linear" if isinstance(feature, Spectrogram) else None
    mesh: QuadMesh = librosa.display.specshow(
        values,
        x_coords=times,
        y_coords=row_centres(feature, len(values)),
        x_axis="s",
        y_axis="mel" if isinstance(feature, MelSpectrogram) else linear,
        ax=axes,
        cmap=DIVERGING if isinstance(feature, MFCC) else SEQUENTIAL,
        vmin=scale[0],
        vmax=scale[1],
        rasterized=True,
    )
    axes.set(xlabel="", ylabel="")
    return mesh


def set_mel_ticks(axes: Axes, hertz: Sequence[int]) -> None:
    """Puts ticks at these frequencies only."""
    axes.yaxis.set_major_locator(FixedLocator(hertz))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(bottom=0)


def plot_explanation(explanation: Explanation, feature: Feature, name: str) -> Figure:
    """Draws the mel spectrogram of all segments of the recording ``name`` and, below it, the map."""
    mel = features_of(feature)["mel"]
    values = [mel(waveform).numpy() for waveform in explanation.waveforms]
    scale = limits("mel", np.stack(values))
    maps = explanation.maps.numpy()
    top = max(float(np.percentile(maps, 99)), 1e-12)
    figure = Figure(figsize=(WIDTH, 6.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, sharey=True)
    for start, value, map_ in zip(explanation.starts, values, maps, strict=True):
        times = start + np.linspace(0, explanation.seconds, value.shape[1])
        mesh = show_feature(above, value, mel, times, scale)
        share = show_feature(below, _to_mel(map_, feature, mel, len(value)) / top, mel, times, (0, 1))
    for start, samples in decisive_stretches(explanation):
        seconds = len(samples) / feature.sample_rate
        above.axvspan(start, start + seconds, fill=False, edgecolor=COLORS[1], linewidth=2)
    figure.colorbar(mesh, ax=above, label="power in decibels", pad=0.01)
    figure.colorbar(share, ax=below, label="share of the 99th percentile", pad=0.01)
    above.set_title("mel spectrogram, with the most decisive stretches", loc="left")
    below.set_title(f"what speaks for {explanation.genre} ({NAMES[explanation.method]})", loc="left")
    for axes in (above, below):
        axes.set_ylabel("frequency in hertz\n(mel scale)")
        set_mel_ticks(axes, MEL_TICKS)
    end = min(explanation.starts[-1] + explanation.seconds, explanation.duration)
    below.set(xlabel="time in seconds", xlim=(explanation.starts[0], end))
    figure.suptitle(f"{name}: {explanation.genre}, probability {explanation.probability:.2f}")
    return figure


def _to_mel(map_: NDArray[np.float32], feature: Feature, mel: Feature, bands: int) -> NDArray[np.float32]:
    """A map on the rows of mel bands; coefficients have no frequency, so theirs is the mean over the rows."""
    if isinstance(feature, Spectrogram):
        hertz, centres = row_centres(feature, len(map_)), row_centres(mel, bands)
        return np.stack([np.interp(centres, hertz, column) for column in map_.T], 1).astype(np.float32)
    if isinstance(feature, MFCC) or len(map_) != bands:
        return np.tile(map_.mean(0), (bands, 1))
    return map_
