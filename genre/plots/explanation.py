"""The mel spectrogram of a recording with the map of what speaks for a genre over it."""

import librosa
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from genre.audio.features import Feature, Spectrogram
from genre.audio.mfcc import MFCC
from genre.explain import Explanation, decisive_stretches
from genre.plots.inputs import MEL_TICKS, features_of, set_mel_ticks, show_feature
from genre.plots.style import COLORS, WIDTH

#: What each method is called in the title.
NAMES = {"gradcam": "Grad-CAM", "integrated_gradients": "integrated gradients"}


def plot_explanation(explanation: Explanation, feature: Feature, name: str) -> Figure:
    """Draws the mel spectrogram of all segments and, below it, the map.

    Args:
        explanation: The explanation.
        feature: The feature of the classifier.
        name: The name of the recording.
    """
    mel = features_of(feature)["mel"]
    values = [mel(waveform).numpy() for waveform in explanation.waveforms]
    low, high = np.percentile(np.stack(values), (2, 99.9))
    maps = explanation.maps.numpy()
    top = max(float(np.percentile(maps, 99)), 1e-12)
    figure = Figure(figsize=(WIDTH, 6.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, sharey=True)
    for start, value, map_ in zip(explanation.starts, values, maps, strict=True):
        times = start + np.linspace(0, explanation.seconds, value.shape[1])
        mesh = show_feature(above, value, mel, times, (float(low), float(high)))
        share = show_feature(below, _to_mel(map_, feature, len(value)) / top, mel, times, (0, 1))
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


def _to_mel(map_: NDArray[np.float32], feature: Feature, bands: int) -> NDArray[np.float32]:
    """A map on the rows of mel bands; coefficients have no frequency, so theirs is the mean over the rows."""
    if isinstance(feature, Spectrogram):
        hertz = np.arange(len(map_)) * feature.sample_rate / feature.n_fft
        centers = librosa.mel_frequencies(bands + 2, fmax=feature.sample_rate / 2)[1:-1]
        return np.stack([np.interp(centers, hertz, column) for column in map_.T], 1).astype(np.float32)
    if isinstance(feature, MFCC) or len(map_) != bands:
        return np.tile(map_.mean(0), (bands, 1))
    return map_
