"""The four kinds of input that the papers show, and how one is drawn: waveform, spectrogram, mel, MFCC."""

import inspect
from typing import Any, Literal, TypeAlias

import librosa
import librosa.display
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from numpy.typing import NDArray

from genre.audio.features import MFCC, Feature, MelSpectrogram, Spectrogram
from genre.plots.clips import Clip
from genre.plots.style import COLORS

Kind: TypeAlias = Literal["waveform", "spectrogram", "mel", "mfcc"]
Framed: TypeAlias = Spectrogram | MelSpectrogram | MFCC
KINDS: tuple[Kind, ...] = ("waveform", "spectrogram", "mel", "mfcc")

#: Steps too small to be seen, and few enough for a PNG with a palette, a third of the size.
SEQUENTIAL, DIVERGING = (matplotlib.colormaps[name].resampled(64) for name in ("magma", "PuOr_r"))

TITLES: dict[Kind, str] = {
    "waveform": "Waveform",
    "spectrogram": "Spectrogram",
    "mel": "Mel spectrogram",
    "mfcc": "MFCC",
}
Y_LABELS: dict[Kind, str] = {
    "waveform": "amplitude (full scale = 1)",
    "spectrogram": "frequency in hertz",
    "mel": "frequency in hertz (mel scale)",
    "mfcc": "coefficient (number)",
}
COLOR_LABELS: dict[Kind, str] = {
    "spectrogram": "power in decibels",
    "mel": "power in decibels",
    "mfcc": "coefficient in decibels",
}


def features_of(feature: Feature) -> dict[Kind, Framed]:
    """Spectrogram, mel spectrogram and MFCC with the arguments that a recipe's feature has, not normalised."""
    n_fft = int(getattr(feature, "n_fft", 2048))
    n_mels = int(getattr(feature, "n_mels", min(128, n_fft // 4)))  # more, and bands fall between the bins
    n_mfcc = int(getattr(feature, "n_mfcc", min(20, n_mels)))
    own = vars(feature) | {"n_mels": n_mels, "n_mfcc": n_mfcc, "mean": 0.0, "std": 1.0, "compression": "decibels"}

    def arguments(kind: type[Framed]) -> dict[str, Any]:
        return {name: own[name] for name in inspect.signature(kind).parameters if name in own}

    return {
        "spectrogram": Spectrogram(**arguments(Spectrogram)),
        "mel": MelSpectrogram(**arguments(MelSpectrogram)),
        "mfcc": MFCC(**arguments(MFCC)),
    }


def limits(kind: Kind, values: NDArray[np.float32]) -> tuple[float, float]:
    """What the ends of the colour scale stand for, given all ``(…, frequency, time)`` that is drawn with it."""
    if kind == "mfcc":  # the 0th coefficient, the loudness, would leave no colour for the others
        widest = float(np.percentile(np.abs(values[..., 1:, :] if values.shape[-2] > 1 else values), 99.5))
        return -widest, widest
    low, high = np.percentile(values, (2, 99.9))
    return float(low), float(high)


def show_waveform(axes: Axes, clip: Clip, sample_rate: int) -> None:
    """Draws the waveform of a clip."""
    librosa.display.waveshow(
        clip.waveform.numpy(), sr=sample_rate, axis="s", offset=clip.start, ax=axes, color=COLORS[0], linewidth=0.5
    )
    axes.set(xlabel="", ylabel="")


def show_feature(
    axes: Axes, values: NDArray[np.float32], feature: Framed, start: float, scale: tuple[float, float]
) -> QuadMesh:
    """Draws ``(frequency, time)`` on axes in seconds and hertz; of an MFCC, the number of the coefficient.

    Args:
        axes: Where to.
        values: What ``feature`` gave.
        feature: One of :func:`features_of`.
        start: Second of the first frame.
        scale: What the ends of the colour scale stand for.
    """
    hop = feature.hop_length or (feature.win_length or feature.n_fft) // 2
    rows, frames = values.shape
    frequencies, y_axis = np.arange(rows, dtype=float), None
    if isinstance(feature, Spectrogram):
        frequencies, y_axis = frequencies * feature.sample_rate / feature.n_fft, "linear"
    elif isinstance(feature, MelSpectrogram):
        top = feature.f_max or feature.sample_rate / 2
        frequencies = librosa.mel_frequencies(rows + 2, fmin=feature.f_min, fmax=top, htk=feature.mel_scale == "htk")
        frequencies, y_axis = frequencies[1:-1], "mel"
    mesh: QuadMesh = librosa.display.specshow(
        values,
        x_coords=start + np.arange(frames) * hop / feature.sample_rate,
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
