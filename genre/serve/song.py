"""What the page shows of a song: probabilities over time, the waveform, the mel spectrogram, and the sound itself."""

import base64
import io
from html import escape

import numpy as np
import soundfile
import soxr
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from genre.audio.features import MelSpectrogram
from genre.audio.mfcc import MFCC
from genre.audio.recording import open_recording
from genre.errors import GenreError
from genre.plots.spectrogram import features_of, limits, row_centres
from genre.plots.style import COLORS, SEQUENTIAL
from genre.prediction import Prediction
from genre.predictor import Predictor
from genre.serve.upload import Waveform

#: The largest number of points of the timeline, and of columns of the waveform and the mel spectrogram.
POINTS, COLUMNS = 80, 1000

#: The rate in hertz of the sound that the page plays.
PLAYBACK_RATE = 22050

#: The number of genres in the timeline.
LINES = 4

#: Points per batch.
BATCH = 16


def analyse(predictor: Predictor, waveform: Waveform) -> tuple[Prediction, str]:
    """Names the genre of a song, and draws the timeline, the waveform and the mel spectrogram as HTML.

    Raises:
        GenreError: The song holds no usable audio.
    """
    prediction = predictor.predict(waveform.samples, waveform.sample_rate)
    mono, seconds = resample(waveform, predictor.features.sample_rate), waveform.seconds
    times, probabilities = timeline(predictor, mono)
    lines = [
        (genre, color, probabilities[:, predictor.genres.index(genre)])
        for genre, color in zip(list(prediction.probabilities)[:LINES], COLORS, strict=False)
    ]
    legend = "".join(f'<span><i style="background:{color}"></i>{escape(genre)}</span>' for genre, color, _ in lines)
    evidence = explanation_map(predictor, waveform, prediction.genre)
    mel = draw_mel(predictor, mono, evidence)
    explained = "" if evidence is None else f"<span>orange: what speaks for {escape(prediction.genre)}</span>"
    html = f"""<figure class="genre-song" data-seconds="{seconds:.3f}">
<audio controls src="data:audio/mpeg;base64,{encode(waveform)}"></audio>
<div class="genre-tracks" role="slider" tabindex="0" aria-label="Position" aria-valuemin="0"
 aria-valuemax="{seconds:.1f}" title="Click to play from here"><div class="genre-cursor"></div>
<h4>Waveform</h4>{draw_waveform(mono)}
<h4>Probability over time{legend}</h4>{draw_timeline(times / max(seconds, 1e-6), lines)}
<h4>Mel spectrogram{explained}</h4>
<div class="genre-mel">{draw_hertz(predictor)}<img alt="Mel spectrogram" src="{mel}"></div>
{draw_seconds(seconds)}</div></figure>"""
    return prediction, html


def explanation_map(predictor: Predictor, waveform: Waveform, genre: str) -> NDArray[np.float32] | None:
    """What speaks for a genre in a song, ``(bands, COLUMNS)`` from 0 to 1, the lowest band first.

    It is 0 between the segments that the prediction is the mean of. If the rows of the features are not the mel bands,
    as with MFCC, the map has a single row.

    Returns:
        The map; ``None`` if the network needs captum, which is not installed, or cannot be explained.
    """
    try:
        from genre.explain import explain

        with open_recording(waveform.samples, waveform.sample_rate) as recording:
            explanation = explain(predictor, recording, genre)
    except (ImportError, GenreError):
        return None
    bands = getattr(features_of(predictor.features)["mel"], "n_mels", 1)
    maps = explanation.maps
    if maps.shape[1] != bands or isinstance(predictor.features, MFCC):
        maps = maps.mean(1, keepdim=True)
    columns = np.zeros((maps.shape[1], COLUMNS), np.float32)
    for start, segment in zip(explanation.starts, maps.numpy(), strict=True):
        ends = start, start + explanation.seconds
        first, last = (round(COLUMNS * min(second / waveform.seconds, 1)) for second in ends)
        first = min(first, COLUMNS - 1)
        frames = np.linspace(0, segment.shape[1] - 1, max(1, last - first)).round().astype(int)
        place = columns[:, first : first + len(frames)]
        np.maximum(place, segment[:, frames], out=place)
    return columns / max(float(columns.max()), 1e-9)


def resample(waveform: Waveform, rate: int) -> NDArray[np.float32]:
    """The song's samples at another rate in hertz."""
    samples = waveform.samples
    return samples if waveform.sample_rate == rate else soxr.resample(samples, waveform.sample_rate, rate)


def timeline(predictor: Predictor, mono: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """The probabilities of the genres in segments along a song.

    Returns:
        ``(points,)`` the middle of each segment in seconds, and ``(points, genres)``.
    """
    rate = predictor.features.sample_rate
    length = round(predictor.segment_seconds * rate)
    count = int(np.clip(np.ceil(2 * len(mono) / length) - 1, 1, POINTS))
    starts = np.linspace(0, max(0, len(mono) - length), count).round().astype(int)
    parts: list[Tensor] = []
    for first in range(0, count, BATCH):
        segments = [np.resize(mono[start : start + length], length) for start in starts[first : first + BATCH]]
        parts.append(predictor.probabilities(torch.from_numpy(np.stack(segments)).unsqueeze(1)).cpu())
    middles = (starts + min(length, len(mono)) / 2) / rate
    probabilities: NDArray[np.float32] = torch.cat(parts).numpy()
    return middles, probabilities


def encode(waveform: Waveform) -> str:
    """The song as mp3 in base64, so that the page plays it without a file on the server."""
    samples, content = resample(waveform, PLAYBACK_RATE), io.BytesIO()
    soundfile.write(content, np.clip(samples, -1, 1), PLAYBACK_RATE, format="MP3", subtype="MPEG_LAYER_III")
    return base64.b64encode(content.getvalue()).decode()


def draw_waveform(mono: NDArray[np.float32]) -> str:
    """The largest and the smallest sample of each column, as SVG."""
    edges = np.linspace(0, len(mono), min(COLUMNS, len(mono)) + 1).astype(int)[:-1]
    high, low = np.maximum.reduceat(mono, edges), np.minimum.reduceat(mono, edges)
    scale = 48 / max(float(np.abs(mono).max()), 1e-4)
    top = [f"{x},{50 - scale * value:.1f}" for x, value in enumerate(high)]
    bottom = [f"{x},{50 - scale * value:.1f}" for x, value in enumerate(low)]
    return (
        f'<svg class="genre-wave" viewBox="0 0 {max(1, len(edges) - 1)} 100" preserveAspectRatio="none"'
        ' aria-hidden="true">'
        f'<polygon points="{" ".join(top + bottom[::-1])}"/></svg>'
    )


def draw_timeline(places: NDArray[np.float64], lines: list[tuple[str, str, NDArray[np.float32]]]) -> str:
    """One line per genre, as SVG; ``places`` are from 0 to 1."""
    drawn = []
    for genre, color, values in lines:
        xs = [0.0, *(1000 * places), 1000.0]  # the first and the last value reach to the ends
        ys = [values[0], *values, values[-1]]
        points = " ".join(f"{x:.1f},{100 - 100 * y:.1f}" for x, y in zip(xs, ys, strict=True))
        drawn.append(f'<polyline points="{points}" stroke="{color}"><title>{escape(genre)}</title></polyline>')
    return (
        '<div class="genre-scaled"><b>1</b><b>0.5</b><b>0</b><svg class="genre-lines" viewBox="0 -2 1000 104" '
        'preserveAspectRatio="none" aria-label="Probability over time">'
        f'<path d="M0 0H1000M0 50H1000M0 100H1000"/>{"".join(reversed(drawn))}</svg></div>'
    )


def draw_hertz(predictor: Predictor) -> str:
    """The frequency axis of the mel spectrogram."""
    mel = features_of(predictor.features)["mel"]
    assert isinstance(mel, MelSpectrogram)
    centres = row_centres(mel, mel.n_mels)
    heights = (np.arange(mel.n_mels) + 0.5) / mel.n_mels  # the middle of each row of the picture
    return "".join(
        f'<b style="bottom:{100 * np.interp(hertz, centres, heights):.1f}%">{hertz} Hz</b>'
        for hertz in (500, 2000, 4000)
        if hertz < 0.9 * centres[-1]
    )


def draw_mel(predictor: Predictor, mono: NDArray[np.float32], evidence: NDArray[np.float32] | None) -> str:
    """The mel spectrogram of the whole song, with the explanation over it, as the address of a PNG."""
    mel = features_of(predictor.features)["mel"]
    enough = np.resize(mono, max(len(mono), mel.n_fft))
    values = mel.decibels(torch.from_numpy(enough)).numpy()[::-1]  # (bands, time), the highest band first
    edges = np.linspace(0, values.shape[1], min(COLUMNS, values.shape[1]) + 1).astype(int)[:-1]
    widths = np.diff([*edges, values.shape[1]])
    values = (np.add.reduceat(values, edges, axis=1) / widths).astype(np.float32)  # the mean of each column's frames
    low, high = limits("mel", values)
    values = np.clip((values - low) / max(high - low, 1e-6), 0, 1)
    if evidence is None:
        colors = SEQUENTIAL(values, bytes=True)[..., :3]
    else:  # grey, and orange by the evidence
        picture = Image.fromarray((255 * evidence[::-1]).astype(np.uint8)).resize(values.shape[::-1])
        share = np.asarray(picture, np.float32)[..., None] / 255
        colors = (255 * values[..., None] * (1 - share * np.array([0.0, 0.45, 0.95]))).astype(np.uint8)
    content = io.BytesIO()
    Image.fromarray(colors).quantize(64).save(content, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"


def draw_seconds(seconds: float) -> str:
    """The time axis."""
    step = next((step for step in (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300) if seconds / step <= 10), 600)
    ticks = np.arange(0, 0.96 * seconds, step)  # a later label would not fit
    labels = (f"{tick:g} s" if seconds < 100 else f"{int(tick) // 60}:{int(tick) % 60:02d}" for tick in ticks)
    return '<div class="genre-axis">' + "".join(
        f'<span style="left:{100 * tick / max(seconds, 1e-6):.2f}%">{label}</span>'
        for tick, label in zip(ticks, labels, strict=True)
    ) + "</div>"  # fmt: skip
